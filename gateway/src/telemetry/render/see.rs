//! `show drops`, `links`, `next-hops`, `health` and `version`.

use super::wrap;
use crate::control::view::{DeviceView, DropView, HealthView, HopView, LostView, VersionView};
use crate::telemetry::explain::behind;
use crate::telemetry::table::{Side::*, Table, short};

/// Problems that are told.
const PROBLEMS: usize = 20;
/// Names that follow a drop; the JSON has all of them.
const NAMES: usize = 4;

/// `show drops`.
pub fn drops(drops: &[DropView]) -> String {
    if drops.is_empty() {
        return "nothing dropped\n".into();
    }
    let mut text = String::new();
    for drop in drops {
        let ports: Vec<_> = drop.ports.iter().map(|port| format!("{} {}", port.port, port.frames)).collect();
        let frames = if drop.frames == 1 { "frame" } else { "frames" };
        let on = if ports.is_empty() { String::new() } else { format!(" ({})", ports.join(", ")) };
        wrap(&format!("{}: {} {frames}{on}", drop.reason, drop.frames), "", &mut text);
        let vnis = drop.vnis.iter().map(|one| (one.frames, format!("VNI {} {}", one.vni, one.frames)));
        let vteps = drop.vteps.iter().map(|one| (one.frames, format!("VTEP {} {}", one.vtep, one.frames)));
        let whose = [first(vnis.collect()), first(vteps.collect())].concat();
        if !whose.is_empty() {
            wrap(&whose.join(", "), "    ", &mut text);
        }
        wrap(&drop.meaning, "    ", &mut text);
        wrap(&drop.cure, "    ", &mut text);
        drop.last.iter().for_each(|lost| show(lost, &mut text));
    }
    text
}

/// The most frequent ones.
fn first(mut counted: Vec<(u64, String)>) -> Vec<String> {
    counted.sort_by_key(|(frames, _)| std::cmp::Reverse(*frames));
    let more = counted.len().saturating_sub(NAMES);
    let mut names: Vec<String> = counted.into_iter().take(NAMES).map(|(_, name)| name).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names
}

/// A dropped frame.
fn show(lost: &LostView, text: &mut String) {
    let vni = lost.vni.as_ref().map_or(String::new(), |vni| format!(", VNI {vni}"));
    let from = lost.from.as_ref().map_or(String::new(), |from| format!(", from {from}"));
    let to = lost.to.as_ref().map_or(String::new(), |to| format!(", to {to}"));
    let bytes = lost.length;
    behind("    - ", &format!("{} ago on {}{vni}{from}{to}: {bytes} bytes", ago(lost.age_ms), lost.port), text);
    wrap(&lost.headers, "      ", text);
}

fn ago(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds @ 0..60 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `show links`.
pub fn links(devices: &[DeviceView]) -> String {
    let mut table = Table::new(&[
        ("PORT", Name(12)),
        ("LINK", Left),
        ("DRIVER", Name(14)),
        ("NUMA", Right),
        ("RXQ", Right),
        ("TXQ", Right),
        ("MISSED", Right),
        ("RX ERRORS", Right),
        ("NO BUFFER", Right),
        ("TX ERRORS", Right),
    ]);
    for device in devices {
        let speed = device.speed_mbps.map_or(String::new(), |mbps| match mbps % 1000 {
            0 => format!(" {}G", mbps / 1000),
            _ => format!(" {mbps}M"),
        });
        let half = if device.up && !device.full_duplex { " half" } else { "" };
        table.row([
            device.port.clone(),
            format!("{}{speed}{half}", if device.up { "up" } else { "down" }),
            device.driver.clone(),
            device.numa_node.map_or("-".into(), |node| node.to_string()),
            device.rx_queues.to_string(),
            device.tx_queues.to_string(),
            short(device.rx_missed),
            short(device.rx_errors),
            short(device.rx_no_buffer),
            short(device.tx_errors),
        ]);
    }
    let mut text = table.to_string();
    for device in devices {
        text.push('\n');
        let does = if device.offloads.is_empty() { "nothing".into() } else { device.offloads.join(", ") };
        wrap(&format!("{} is {}; the device does: {does}", device.port, device.device), "", &mut text);
    }
    text
}

/// `show next-hops`.
pub fn next_hops(hops: &[HopView]) -> String {
    let mut table = Table::new(&[
        ("PORT", Name(12)),
        ("ADDRESS", Name(39)),
        ("MAC", Left),
        ("STATE", Left),
        ("VTEPS", Right),
        ("", List(8)),
    ]);
    for hop in hops {
        let first = hop.vteps.first().map_or(String::new(), |vtep| match hop.vtep_count {
            1 => vtep.clone(),
            _ => format!("{vtep}, …"),
        });
        table.row([
            hop.port.clone(),
            hop.address.clone().unwrap_or_else(|| "-".into()),
            hop.mac.clone().unwrap_or_else(|| "-".into()),
            hop.state.clone(),
            hop.vtep_count.to_string(),
            first,
        ]);
    }
    if hops.is_empty() { "no VTEP has a next hop: 'causeway show vteps' says why\n".into() } else { table.to_string() }
}

/// `show health`.
pub fn health(health: &HealthView) -> String {
    let mut text = format!("{}\n", health.state);
    for problem in health.problems.iter().take(PROBLEMS) {
        wrap(&format!("{} {}: {}", problem.subject, problem.name, problem.problem), "", &mut text);
        wrap(&problem.cure, "    ", &mut text);
    }
    match health.problems.len().saturating_sub(PROBLEMS) {
        0 => text,
        more => text + &format!("{more} more problems: --json tells all\n"),
    }
}

/// `show version`.
pub fn version(version: &VersionView) -> String {
    let dpdk = version.dpdk.as_ref().map_or(String::new(), |dpdk| format!(" (dpdk {dpdk})"));
    let cores: Vec<String> = version.cores.iter().map(u16::to_string).collect();
    format!(
        "causeway {}{dpdk}\nprocess {}, up {}\nconfiguration {}\nworkers on {} {}\n",
        version.version,
        version.pid,
        ago(version.uptime * 1000),
        version.config,
        if cores.len() == 1 { "core" } else { "cores" },
        cores.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::{
        NextHopView, PeerView, PortDrops, ProblemView, TallyView, VniDrops, VtepDrops, VtepView,
    };
    use crate::telemetry::render::WIDTH;

    const LONG: &str = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    const NAME: &str = "a-name-that-is-longer-than-most";
    const LOTS: TallyView = TallyView { frames: u64::MAX, bytes: u64::MAX };

    fn lost() -> LostView {
        LostView {
            age_ms: u64::MAX / 2,
            core: 63,
            port: NAME.into(),
            vni: Some(NAME.into()),
            from: Some(format!("{LONG} geneve")),
            to: Some(format!("{LONG} vxlan")),
            length: 9234,
            headers: format!("02:00:00:00:00:01 > 02:00:00:00:00:02, IPv6 {LONG} > {LONG}, UDP 65535 > 65535"),
            hex: String::new(),
        }
    }

    #[test]
    fn nothing_is_wider_than_a_hundred_columns() {
        let drop = DropView {
            reason: "untagged-not-allowed".into(),
            meaning: "word ".repeat(40),
            cure: "word ".repeat(40),
            frames: u64::MAX,
            ports: vec![PortDrops { port: NAME.into(), frames: u64::MAX }],
            vnis: vec![VniDrops { vni: NAME.into(), frames: u64::MAX }; 9],
            vteps: vec![VtepDrops { vtep: LONG.into(), frames: u64::MAX }; 9],
            last: vec![lost(); 2],
        };
        let hop = NextHopView {
            port: NAME.into(),
            gateway: Some(LONG.into()),
            mac: Some("02:00:00:00:00:01".into()),
            neighbour: "resolved".into(),
            weight: 9,
        };
        let whole = VtepView {
            vtep: LONG.into(),
            encap: "geneve".into(),
            own_vni: Some(16_777_215),
            origin: "configured".into(),
            state: "resolving".into(),
            hint: Some("word ".repeat(40)),
            next_hops: vec![hop],
            vnis: vec![NAME.into(); 64],
            vni_count: 99_999,
            macs: u64::MAX,
            last_seen: Some(u64::MAX),
            sends: Some(PeerView {
                sampled: u64::MAX,
                lowest_source_port: 65_535,
                highest_source_port: 65_535,
                checksums: "computed".into(),
                reserved_bits: u64::MAX,
            }),
            rx: LOTS,
            tx: LOTS,
        };
        let device = DeviceView {
            port: NAME.into(),
            device: "0000:3b:00.0".into(),
            driver: "net_a_driver_of_a_long_name".into(),
            up: true,
            speed_mbps: Some(400_000),
            numa_node: Some(7),
            rx_queues: 64,
            tx_queues: 64,
            offloads: vec!["rx-ip-checksum".into(); 8],
            rx_missed: u64::MAX,
            rx_errors: u64::MAX,
            rx_no_buffer: u64::MAX,
            tx_errors: u64::MAX,
            ..DeviceView::default()
        };
        let neighbour = HopView {
            port: NAME.into(),
            address: Some(LONG.into()),
            mac: Some("02:00:00:00:00:01".into()),
            state: "resolving".into(),
            vteps: vec![LONG.into(); 2],
            vtep_count: 99_999,
        };
        let ill = ProblemView {
            subject: "vtep".into(),
            name: LONG.into(),
            problem: "word ".repeat(40),
            cure: "word ".repeat(40),
        };
        let all = [
            drops(&[drop]),
            crate::telemetry::render::vtep(&whole),
            links(&[device]),
            next_hops(&[neighbour]),
            health(&HealthView::of(vec![ill])),
        ];
        for line in all.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= WIDTH, "{} columns: {line}", line.chars().count());
        }
    }

    #[test]
    fn many_problems_are_counted() {
        let ill = |number: usize| ProblemView {
            subject: "vtep".into(),
            name: number.to_string(),
            problem: "away".into(),
            cure: "look".into(),
        };
        let text = health(&HealthView::of((0..25).map(ill).collect()));
        assert_eq!(text.lines().count(), 1 + 2 * PROBLEMS + 1);
        assert!(text.ends_with("5 more problems: --json tells all\n"), "{text}");
        let text = health(&HealthView::of(vec![ill(1)]));
        assert_eq!(text, "degraded\nvtep 1: away\n    look\n");
    }

    #[test]
    fn many_names_are_cut_short_the_most_frequent_first() {
        let counted = (1..=6).map(|number| (number, number.to_string())).collect();
        assert_eq!(first(counted), ["6", "5", "4", "3", "2 more"]);
        assert_eq!((ago(3_250), ago(65_000), ago(3_700_000)), ("3.2 s".into(), "1 min 5 s".into(), "1 h 1 min".into()));
    }
}
