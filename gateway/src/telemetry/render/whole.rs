//! One port, one segment or one VTEP in full: what a line of a table has no room for.

use super::{count, link};
use crate::control::view::{LinkView, PortView, RemoteView, TallyView, VniView, VtepView};
use crate::telemetry::explain::behind;
use crate::telemetry::table::{Side::*, Table, short};

/// Lines of a name and what is said of it.
struct Lines(String);

impl Lines {
    fn of(what: &str) -> Self {
        Self(format!("{what}\n"))
    }

    fn line(&mut self, name: &str, value: &str) {
        behind(&format!("  {name:<10} "), value, &mut self.0);
    }

    fn tally(&mut self, name: &str, tally: TallyView) {
        self.line(name, &format!("{}, {}", count(tally.frames, "frame"), count(tally.bytes, "byte")));
    }
}

/// `show ports --port`.
pub fn port(port: &PortView) -> String {
    let mut text = Lines::of(&port.name);
    text.line("device", &port.device);
    text.line("MAC", &port.mac);
    text.line("MTU", &format!("{} bytes", port.mtu));
    text.line(
        "link",
        &match port.link {
            Some(LinkView { up: true, .. }) => link(port.link),
            Some(_) => "down: look at the cable and at the other end".into(),
            None => "not known".into(),
        },
    );
    if let Some(underlay) = &port.underlay {
        let vlan = underlay.vlan.map_or("untagged".into(), |vlan| format!("VLAN {vlan}"));
        let twin = underlay.twin.as_ref().map_or(String::new(), |twin| format!(", Linux twin {twin}"));
        let via = underlay.via.as_ref().map_or(String::new(), |mac| format!(", next hop {mac} for all VTEPs"));
        let addresses: String = underlay.addresses.iter().map(|address| format!(", {address}")).collect();
        text.line("underlay", &format!("{vlan}{twin}{via}{addresses}"));
    }
    let limit = port.mac_limit.map_or(String::new(), |limit| format!(" of at most {limit} learned"));
    text.line("MACs", &format!("{}{limit}", port.macs));
    text.tally("received", port.rx);
    text.tally("sent", port.tx);
    text.tally("to host", port.to_host);
    text.tally("from host", port.from_host);
    let why = if port.dropped > 0 { format!(": causeway show drops --port {}", port.name) } else { String::new() };
    text.line("dropped", &(count(port.dropped, "frame") + &why));
    for (name, frames, what) in [("answered", port.answered, "request"), ("told", port.told, "ICMP error")] {
        if frames > 0 {
            text.line(name, &count(frames, what));
        }
    }
    if port.attachments.is_empty() {
        return text.0;
    }
    let mut table = Table::new(&[
        ("VLAN", Left),
        ("VNI", Name(20)),
        ("LEARNING", Left),
        ("MACS", Right),
        ("RX", Right),
        ("TX", Right),
    ]);
    for vlan in &port.attachments {
        table.row([
            vlan.vlan.clone(),
            vlan.vni.clone(),
            if vlan.learning { "on" } else { "full" }.into(),
            short(vlan.macs),
            short(vlan.rx.frames),
            short(vlan.tx.frames),
        ]);
    }
    format!("{}\n{table}", text.0)
}

/// `show vnis --vni`.
pub fn vni(vni: &VniView) -> String {
    let number = |name: &str, number: Option<u32>| number.map(|number| format!("{name} {number}"));
    let numbers: Vec<String> =
        [number("VXLAN", vni.vxlan), number("Geneve", vni.geneve)].into_iter().flatten().collect();
    let mut text = Lines::of(&format!("{} ({})", vni.name, numbers.join(", ")));
    if let Some(controller) = &vni.controller {
        text.line("controller", controller);
    }
    let ports: Vec<String> = vni.ports.iter().map(|member| format!("{} {}", member.port, tag(&member.vlan))).collect();
    text.line("ports", &all(&ports));
    let vteps: Vec<String> = vni.flood_vteps.iter().map(remote).collect();
    text.line("floods to", &vni.flood_group.as_ref().map_or(all(&vteps), |group| format!("group {group}")));
    text.line("unknown", if vni.flood_unknown { "destinations are flooded" } else { "destinations are dropped" });
    text.line("accepts", if vni.accept == "any" { "any sender" } else { "VTEPs that it knows" });
    let ageing = vni.ageing.map_or("for ever".into(), |seconds| format!("for {seconds} s after their last use"));
    text.line("learning", &format!("{}, MACs are kept {ageing}, at most {}", vni.learning, vni.limit));
    text.line("MACs", &format!("{}, {} of them learned", vni.macs, vni.learned));
    text.tally("received", vni.rx);
    text.tally("sent", vni.tx);
    text.0
}

/// A tag in words.
fn tag(vlan: &str) -> String {
    if vlan == "untagged" { vlan.into() } else { format!("vlan {vlan}") }
}

fn remote(remote: &RemoteView) -> String {
    let own = remote.own_vni.map_or(String::new(), |vni| format!(" vni {vni}"));
    format!("{} {}{own}", remote.vtep, remote.encap)
}

fn all(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// `show vteps --vtep`.
pub fn vtep(vtep: &VtepView) -> String {
    let own = vtep.own_vni.map_or(String::new(), |vni| format!(" vni {vni}"));
    let mut text = Lines::of(&format!("{} {}{own}", vtep.vtep, vtep.encap));
    text.line("state", &vtep.hint.as_ref().map_or(vtep.state.clone(), |hint| format!("{}: {hint}", vtep.state)));
    text.line("origin", &vtep.origin);
    if let Some(vni) = vtep.own_vni {
        text.line("own VNI", &format!("{vni}: packets to and from it carry this number, not the segment's"));
    }
    for hop in &vtep.next_hops {
        let address = hop.gateway.as_ref().map_or(String::new(), |gateway| format!("gateway {gateway}, "));
        let mac = hop.mac.as_deref().unwrap_or("MAC not known");
        let weight = if hop.weight > 1 { format!(", weight {}", hop.weight) } else { String::new() };
        text.line("next hop", &format!("port {}, {address}{mac}, {}{weight}", hop.port, hop.neighbour));
    }
    text.line("last seen", &vtep.last_seen.map_or("never".into(), |seconds| format!("{seconds} s ago")));
    if let Some(sends) = &vtep.sends {
        let (low, high) = (sends.lowest_source_port, sends.highest_source_port);
        let reserved = match sends.reserved_bits {
            0 => "reserved bits clear".into(),
            some => format!("reserved bits set in {some}"),
        };
        let checksums = &sends.checksums;
        let of = sends.sampled;
        let what = format!("UDP from ports {low} to {high}, checksums {checksums}, {reserved} (of {of} looked at)");
        text.line("sends", &what);
    }
    let more = vtep.vni_count.saturating_sub(vtep.vnis.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    text.line("VNIs", &format!("{}{more}", all(&vtep.vnis)));
    text.line("MACs", &vtep.macs.to_string());
    text.tally("received", vtep.rx);
    text.tally("sent", vtep.tx);
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::{AttachmentView, MemberView, UnderlayView};

    const TALLY: TallyView = TallyView { frames: 7, bytes: 700 };

    #[test]
    fn a_port_says_where_its_vlans_lead() {
        let attachment = |vlan: &str, learning| AttachmentView {
            vlan: vlan.into(),
            vni: "servers".into(),
            rx: TALLY,
            tx: TALLY,
            macs: 2,
            learning,
        };
        let view = PortView {
            name: "srv1".into(),
            device: "0000:3b:00.0".into(),
            mac: "02:00:00:00:00:01".into(),
            mtu: 9000,
            link: Some(LinkView { up: true, speed_mbps: Some(25_000) }),
            underlay: Some(UnderlayView {
                vlan: Some(7),
                twin: Some("cw-srv1".into()),
                addresses: vec!["10.0.0.11/24".into(), "2001:db8::11/64".into()],
                via: None,
            }),
            attachments: vec![attachment("10", true), attachment("untagged", false)],
            macs: 2,
            mac_limit: Some(64),
            rx: TALLY,
            tx: TALLY,
            to_host: TALLY,
            from_host: TALLY,
            dropped: 3,
            answered: 0,
            told: 1,
        };
        let expected = "\
srv1
  device     0000:3b:00.0
  MAC        02:00:00:00:00:01
  MTU        9000 bytes
  link       up 25G
  underlay   VLAN 7, Linux twin cw-srv1, 10.0.0.11/24, 2001:db8::11/64
  MACs       2 of at most 64 learned
  received   7 frames, 700 bytes
  sent       7 frames, 700 bytes
  to host    7 frames, 700 bytes
  from host  7 frames, 700 bytes
  dropped    3 frames: causeway show drops --port srv1
  told       1 ICMP error

VLAN      VNI      LEARNING  MACS  RX  TX
10        servers  on           2   7   7
untagged  servers  full         2   7   7
";
        assert_eq!(port(&view), expected);
    }

    #[test]
    fn a_segment_says_where_it_floods() {
        let to = |vtep: &str, own_vni| RemoteView { vtep: vtep.into(), encap: "vxlan".into(), own_vni };
        let view = VniView {
            name: "servers".into(),
            vxlan: Some(10010),
            geneve: None,
            controller: Some("ovsdb".into()),
            ports: vec![MemberView { port: "srv1".into(), vlan: "10".into() }],
            flood_vteps: vec![to("10.0.0.12", None), to("10.0.0.13", Some(77))],
            flood_group: None,
            flood_unknown: true,
            accept: "flood-list".into(),
            learning: "on".into(),
            ageing: Some(300),
            limit: 8192,
            macs: 3,
            learned: 2,
            rx: TALLY,
            tx: TALLY,
        };
        let expected = "\
servers (VXLAN 10010)
  controller ovsdb
  ports      srv1 vlan 10
  floods to  10.0.0.12 vxlan, 10.0.0.13 vxlan vni 77
  unknown    destinations are flooded
  accepts    VTEPs that it knows
  learning   on, MACs are kept for 300 s after their last use, at most 8192
  MACs       3, 2 of them learned
  received   7 frames, 700 bytes
  sent       7 frames, 700 bytes
";
        assert_eq!(vni(&view), expected);
    }
}
