//! `/causeway/...` on DPDK's telemetry socket: the measures, name by name.

use gateway::control::measures::Measures;
use gateway::control::view::TallyView;
use gateway::dpdk::telemetry::{Command, Said};

/// The commands.
pub const COMMANDS: &[Command] = &[
    (c"/causeway/ports", c"Names of the ports. No parameters"),
    (c"/causeway/port", c"Counters of a port. Parameters: its name"),
    (c"/causeway/vnis", c"Names of the VNIs. No parameters"),
    (c"/causeway/vni", c"Counters of a VNI. Parameters: its name"),
    (c"/causeway/vteps", c"Addresses of the VTEPs. No parameters"),
    (c"/causeway/vtep", c"Counters of a VTEP. Parameters: its address"),
    (c"/causeway/workers", c"Cores of the workers. No parameters"),
    (c"/causeway/worker", c"Counters of a worker. Parameters: its core"),
    (c"/causeway/drops", c"Dropped frames by reason. No parameters"),
];

/// The answer to a command.
pub fn tell(measures: &Measures, command: &str, name: &str) -> Option<Said> {
    let list = |names: Vec<String>| Some(Said::List(names));
    match command {
        "/causeway/ports" => list(measures.ports.iter().map(|port| port.name.clone()).collect()),
        "/causeway/vnis" => list(measures.vnis.iter().map(|vni| vni.name.clone()).collect()),
        "/causeway/vteps" => list(measures.vteps.iter().map(|vtep| vtep.vtep.clone()).collect()),
        "/causeway/workers" => list(measures.workers.iter().map(|worker| worker.core.to_string()).collect()),
        "/causeway/drops" => numbers(measures.drops.iter().map(|drop| (drop.reason.label(), drop.frames))),
        "/causeway/port" => {
            let port = measures.ports.iter().find(|port| port.name == name)?;
            numbers(traffic(port.rx, port.tx).into_iter().chain([("macs", port.macs)]))
        }
        "/causeway/vni" => {
            let vni = measures.vnis.iter().find(|vni| vni.name == name)?;
            numbers(traffic(vni.rx, vni.tx).into_iter().chain([("macs", vni.macs), ("learned", vni.learned)]))
        }
        "/causeway/vtep" => {
            let vtep = measures.vteps.iter().find(|vtep| vtep.vtep == name)?;
            numbers(traffic(vtep.rx, vtep.tx).into_iter().chain([("macs", vtep.macs), ("up", vtep.up.into())]))
        }
        "/causeway/worker" => {
            let worker = measures.workers.iter().find(|worker| worker.core.to_string() == name)?;
            numbers([
                ("rx_frames", worker.rx),
                ("tx_frames", worker.tx),
                ("turns", worker.turns),
                ("busy_turns", worker.busy_turns),
                ("cycles", worker.costs.total_cycles),
                ("interrupted_turns", worker.costs.interrupted),
            ])
        }
        _ => None,
    }
}

fn traffic(rx: TallyView, tx: TallyView) -> [(&'static str, u64); 4] {
    [("rx_frames", rx.frames), ("rx_bytes", rx.bytes), ("tx_frames", tx.frames), ("tx_bytes", tx.bytes)]
}

fn numbers(all: impl IntoIterator<Item = (&'static str, u64)>) -> Option<Said> {
    // DPDK takes no hyphens in names.
    Some(Said::Numbers(all.into_iter().map(|(name, number)| (name.replace('-', "_"), number)).collect()))
}

#[cfg(test)]
mod tests {
    use gateway::control::measures::{DropMeasure, PortMeasure};
    use gateway::verdict::DropReason;

    use super::*;

    #[test]
    fn commands_answer_by_name_and_refuse_what_is_not_there() {
        let port = PortMeasure { name: "srv1".into(), macs: 7, ..PortMeasure::default() };
        let drop = DropMeasure { whose: String::new(), reason: DropReason::UnknownVlan, frames: 3 };
        let measures = Measures { ports: vec![port], drops: vec![drop], ..Measures::default() };
        assert_eq!(tell(&measures, "/causeway/ports", ""), Some(Said::List(vec!["srv1".into()])));
        let Some(Said::Numbers(numbers)) = tell(&measures, "/causeway/port", "srv1") else { panic!("numbers") };
        assert!(numbers.contains(&("macs".into(), 7)), "{numbers:?}");
        assert_eq!(tell(&measures, "/causeway/port", "srv2"), None);
        assert_eq!(tell(&measures, "/causeway/drops", ""), Some(Said::Numbers(vec![("unknown_vlan".into(), 3)])));
        assert!(COMMANDS.iter().all(|(path, _)| path.to_str().is_ok_and(|path| path.starts_with("/causeway/"))));
    }
}
