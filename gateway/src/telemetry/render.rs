//! The views of control as tables for people: at most 100 columns, the answer to "what do I do" below.

mod lists;
mod see;
mod whole;

pub use lists::{neighbours, rules};
pub use see::{drops, health, links, next_hops, version};
pub use whole::{port, vni, vtep};

pub(super) use super::table::WIDTH;
use super::table::{Side::*, Table, short};
pub use super::workers::workers;
use crate::control::view::{ControllerView, FdbView, LinkView, PortView, VniView, VtepView};

/// `show ports`.
pub fn ports(ports: &[PortView]) -> String {
    let mut table = Table::new(&[
        ("PORT", Name(12)),
        ("LINK", Left),
        ("MTU", Right),
        ("CARRIES", List(14)),
        ("RX", Right),
        ("TX", Right),
        ("TO HOST", Right),
        ("FROM HOST", Right),
        ("DROPPED", Right),
        ("MACS", Right),
    ]);
    for port in ports {
        table.row([
            port.name.clone(),
            link(port.link),
            port.mtu.to_string(),
            carries(port),
            short(port.rx.frames),
            short(port.tx.frames),
            short(port.to_host.frames),
            short(port.from_host.frames),
            short(port.dropped),
            short(port.macs),
        ]);
    }
    let hint = match ports.iter().any(|port| port.dropped > 0) {
        true => "\nDropped frames have reasons: causeway show drops\n",
        false => "",
    };
    format!("{table}{hint}")
}

fn link(link: Option<LinkView>) -> String {
    match link {
        None => "-".into(),
        Some(LinkView { up: false, .. }) => "down".into(),
        Some(LinkView { speed_mbps: Some(mbps), .. }) if mbps >= 1000 => format!("up {}G", mbps / 1000),
        Some(LinkView { speed_mbps: Some(mbps), .. }) => format!("up {mbps}M"),
        Some(LinkView { speed_mbps: None, .. }) => "up".into(),
    }
}

fn carries(port: &PortView) -> String {
    let underlay = port.underlay.iter().map(|underlay| match underlay.vlan {
        Some(vlan) => format!("underlay {vlan}"),
        None => "underlay".into(),
    });
    let vlans = port.attachments.iter().map(|attachment| attachment.vlan.clone());
    underlay.chain(vlans).collect::<Vec<_>>().join(" ")
}

/// `show vnis`.
pub fn vnis(vnis: &[VniView]) -> String {
    let mut table = Table::new(&[
        ("VNI", Name(12)),
        ("VXLAN", Right),
        ("GENEVE", Right),
        ("PORTS", List(12)),
        ("FLOODS TO", Name(14)),
        ("LEARNING", Left),
        ("MACS", Right),
        ("RX", Right),
        ("TX", Right),
    ]);
    let number = |number: Option<u32>| number.map_or("-".into(), |number| number.to_string());
    for vni in vnis {
        let members: Vec<_> = vni.ports.iter().map(|member| format!("{}:{}", member.port, member.vlan)).collect();
        table.row([
            vni.name.clone(),
            number(vni.vxlan),
            number(vni.geneve),
            members.join(" "),
            floods(vni),
            vni.learning.clone(),
            short(vni.macs),
            short(vni.rx.frames),
            short(vni.tx.frames),
        ]);
    }
    table.to_string()
}

fn floods(vni: &VniView) -> String {
    match (&vni.flood_group, vni.flood_vteps.as_slice()) {
        (Some(group), _) => format!("group {group}"),
        (None, []) => "-".into(),
        (None, [one]) => one.vtep.clone(),
        (None, more) => format!("{} VTEPs", more.len()),
    }
}

/// VTEPs that are not up and of which it says why.
const HINTS: usize = 8;

/// `show vteps`.
pub fn vteps(vteps: &[VtepView]) -> String {
    let mut table = Table::new(&[
        ("VTEP", Left),
        ("ENCAP", Left),
        ("ORIGIN", Left),
        ("STATE", Left),
        ("NEXT HOP", Name(8)),
        ("SEEN", Right),
        ("MACS", Right),
        ("RX", Right),
        ("TX", Right),
    ]);
    let mut hints = String::new();
    let ill = vteps.iter().filter(|vtep| vtep.hint.is_some());
    for vtep in ill.clone().take(HINTS) {
        let hint = vtep.hint.as_deref().unwrap_or_default();
        hints.push('\n');
        wrap(&format!("{} is {}: {hint}", vtep.vtep, vtep.state), "", &mut hints);
    }
    match ill.count().saturating_sub(HINTS) {
        0 => {}
        more => hints += &format!("\n{more} more are not up: 'causeway show vteps --vtep ADDRESS' says why\n"),
    }
    for vtep in vteps {
        let hop = match vtep.next_hops.as_slice() {
            [] => "-".into(),
            [hop] => match hop.gateway.as_ref().or(hop.mac.as_ref()) {
                Some(next) => format!("{} {next}", hop.port),
                None => hop.port.clone(),
            },
            more => format!("{} ways", more.len()),
        };
        table.row([
            vtep.vtep.clone(),
            vtep.own_vni.map_or_else(|| vtep.encap.clone(), |vni| format!("{} vni {vni}", vtep.encap)),
            vtep.origin.clone(),
            vtep.state.clone(),
            hop,
            vtep.last_seen.map_or("-".into(), briefly),
            short(vtep.macs),
            short(vtep.rx.frames),
            short(vtep.tx.frames),
        ]);
    }
    format!("{table}{hints}")
}

/// A time in at most five characters: seconds, minutes or hours.
fn briefly(seconds: u64) -> String {
    match seconds {
        0..1000 => format!("{seconds} s"),
        1000..60_000 => format!("{} m", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// `show fdb`: `rows` of the `total` MACs that were asked for.
pub fn fdb(rows: &[FdbView], total: usize) -> String {
    let mut table =
        Table::new(&[("VNI", Name(10)), ("MAC", Left), ("PLACE", Name(46)), ("ORIGIN", Left), ("AGE", Right)]);
    for row in rows {
        table.row([
            row.vni.clone(),
            row.mac.clone(),
            row.place.clone(),
            origin(row),
            row.age.map_or(String::new(), |seconds| format!("{seconds} s")),
        ]);
    }
    if total == 0 {
        return "no MACs: none is known that fits; they come from frames, static entries and controllers\n".into();
    }
    let count = match rows.len() < total {
        false => count_of_macs(total),
        true => {
            let shown = rows.len();
            format!("{shown} of {total} MACs: narrow with --vni, --port, --vtep or --mac, or show more with --limit\n")
        }
    };
    format!("{table}\n{count}")
}

/// `show fdb --count`.
pub fn count_of_macs(macs: usize) -> String {
    count(macs as u64, "MAC") + "\n"
}

/// Who says so; a controller by its name.
fn origin(row: &FdbView) -> String {
    let who = row.controller.as_ref().unwrap_or(&row.origin);
    if row.stale { format!("{who} (stale)") } else { who.clone() }
}

/// `show controllers`.
pub fn controllers(controllers: &[ControllerView]) -> String {
    if controllers.is_empty() {
        return "no controller: the configuration has no 'control'\n".into();
    }
    let mut text = String::new();
    for one in controllers {
        let ControllerView { applied, published, .. } = one;
        text += &format!("{} {}\n", one.name, one.target);
        let mut line = |name: &str, what: &str| wrap(&format!("{name}: {what}"), "    ", &mut text);
        line("state", &format!("{} for {} s, as {}", one.state, one.since, one.switch));
        if one.stale {
            let until = one.swept_in.map_or("for ever".into(), |seconds| format!("for {seconds} s more"));
            line("stale", &format!("what it wanted before is in force {until} (control.ovsdb.stale)"));
        }
        let changed = one.last_change.map_or("never".into(), |seconds| format!("{seconds} s ago"));
        line("changed", &changed);
        line(
            "in force",
            &format!(
                "{}, {}, {} behind {}, {}",
                count(applied.segments, "segment"),
                count(applied.bindings, "VLAN"),
                count(applied.macs, "MAC"),
                count(applied.vteps, "VTEP"),
                count(applied.neighbours, "neighbour")
            ),
        );
        line(
            "published",
            &format!(
                "{}, {}, {}, in {}, {} refused",
                count(published.ports, "port"),
                count(published.macs, "MAC"),
                count(published.tunnels, "tunnel"),
                count(published.transactions, "transaction"),
                published.refused
            ),
        );
        for manager in &one.managers {
            let state = if manager.connected { "connected" } else { "not connected" };
            line("manager", &format!("{} {state} ({})", manager.target, manager.status));
        }
        line("rejected", &count(one.rejected_rows, "row"));
        if let Some(error) = &one.error {
            line("error", error);
        }
        for row in &one.rejected {
            wrap(&format!("{} {}: {}", row.table, row.row, row.reason), "    ", &mut text);
        }
        if one.rejected_rows > one.rejected.len() as u64 {
            text += &format!("    and {} more\n", one.rejected_rows - one.rejected.len() as u64);
        }
    }
    text
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Appends `text` to `out` in lines that fit, each behind `indent`.
pub(super) fn wrap(text: &str, indent: &str, out: &mut String) {
    let mut line = String::from(indent);
    for word in text.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from(indent);
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::{AttachmentView, DropView, NextHopView, PortDrops, TallyView, UnderlayView};

    const LOTS: TallyView = TallyView { frames: u64::MAX, bytes: u64::MAX };

    #[test]
    fn no_table_is_wider_than_a_hundred_columns() {
        let attachment = AttachmentView {
            vlan: "4000.4000".into(),
            vni: "a-segment-with-a-long-name".into(),
            rx: LOTS,
            tx: LOTS,
            macs: u64::MAX,
            learning: true,
        };
        let port = PortView {
            name: "a-port-with-a-long-name".into(),
            device: "net_af_packet0,iface=veth0".into(),
            mac: "02:00:00:00:00:01".into(),
            mtu: 9216,
            link: Some(LinkView { up: true, speed_mbps: Some(400_000) }),
            underlay: Some(UnderlayView { vlan: Some(4000), twin: None, addresses: Vec::new(), via: None }),
            attachments: vec![attachment; 4],
            macs: u64::MAX,
            mac_limit: None,
            rx: LOTS,
            tx: LOTS,
            to_host: LOTS,
            from_host: LOTS,
            dropped: u64::MAX,
            answered: u64::MAX,
            told: u64::MAX,
        };
        let hop = NextHopView {
            port: "up0".into(),
            gateway: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into()),
            mac: None,
            neighbour: "resolving".into(),
            weight: 1,
        };
        let vtep = VtepView {
            vtep: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into(),
            encap: "geneve".into(),
            own_vni: Some(16_777_215),
            origin: "configured".into(),
            state: "resolving".into(),
            hint: Some("word ".repeat(40)),
            next_hops: vec![hop],
            vnis: Vec::new(),
            vni_count: 0,
            last_seen: Some(99_999),
            sends: None,
            macs: u64::MAX,
            rx: LOTS,
            tx: LOTS,
        };
        let reason = crate::verdict::DropReason::BadUdpChecksum;
        let drop = DropView {
            reason: reason.label().into(),
            meaning: reason.meaning().into(),
            cure: reason.cure().into(),
            frames: u64::MAX,
            ports: (0..32).map(|number| PortDrops { port: format!("srv{number}"), frames: 12345 }).collect(),
            vnis: Vec::new(),
            vteps: Vec::new(),
            last: Vec::new(),
        };
        let many = vteps(&vec![vtep.clone(); HINTS + 2]);
        assert!(many.ends_with("\n2 more are not up: 'causeway show vteps --vtep ADDRESS' says why\n"), "{many}");
        for text in [ports(&[port]), vteps(&[vtep]), many, drops(&[drop])] {
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH, "{} columns: {line}", line.chars().count());
            }
        }
    }

    #[test]
    fn a_drop_says_what_it_means_and_what_to_do() {
        let drop = DropView {
            reason: "unknown-vlan".into(),
            meaning: " The frame carries a VLAN that the port does not map.".into(),
            cure: "Add the VLAN.".into(),
            frames: 1,
            ports: vec![PortDrops { port: "srv1".into(), frames: 1 }],
            vnis: Vec::new(),
            vteps: Vec::new(),
            last: Vec::new(),
        };
        assert_eq!(
            drops(&[drop]),
            "unknown-vlan: 1 frame (srv1 1)\n    The frame carries a VLAN that the port does not map.\n    Add the VLAN.\n"
        );
        assert_eq!(drops(&[]), "nothing dropped\n");
    }

    #[test]
    fn a_long_table_of_macs_says_how_to_see_the_rest() {
        let row = FdbView {
            vni: "10010".into(),
            mac: "02:00:00:00:00:05".into(),
            place: "10.0.0.12 vxlan".into(),
            port: None,
            vlan: None,
            vtep: Some("10.0.0.12".into()),
            encap: Some("vxlan".into()),
            own_vni: None,
            origin: "learned".into(),
            controller: None,
            stale: false,
            age: Some(7),
        };
        assert_eq!(
            fdb(std::slice::from_ref(&row), 1),
            "VNI    MAC                PLACE            ORIGIN   AGE\n\
             10010  02:00:00:00:00:05  10.0.0.12 vxlan  learned  7 s\n\n1 MAC\n"
        );
        assert!(
            fdb(&[row], 9)
                .ends_with("\n1 of 9 MACs: narrow with --vni, --port, --vtep or --mac, or show more with --limit\n")
        );
    }
}
