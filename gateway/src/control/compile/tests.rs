//! Compiled, each shape of configuration once.

use config::types::Encap;

use crate::control::testing::{Gateway, address};
use crate::frame::PortId;
use crate::tables::{Attachment, Binding, EndpointId, Segment, Tables, Tunnel, Way};

fn compiled(ports: &str, vnis: &str) -> (Gateway, Tables) {
    let yaml = format!(
        "version: 1\nworkers: {{cores: [1]}}\nvtep: {{source: [10.0.0.11, \"2001:db8::11\"]}}\nports:\n{}vnis:\n{}",
        ports.lines().map(|line| format!("  - {}\n", line.trim())).collect::<String>(),
        vnis.lines().map(|line| format!("  - {}\n", line.trim())).collect::<String>(),
    );
    let gateway = Gateway::new(&yaml);
    let tables = *gateway.control.tables();
    (gateway, tables)
}

const UP: &str = r#"{name: up0, device: net_null0, mtu: 9000, underlay: {vlan: 100, via: {mac: "02:00:00:00:00:99"}}}"#;

fn attachment(tables: &Tables, id: EndpointId) -> &Attachment {
    match &tables.endpoints[id.index()].way {
        Way::Attachment(attachment) => attachment,
        way => panic!("not an attachment: {way:?}"),
    }
}

fn tunnel(tables: &Tables, id: EndpointId) -> &Tunnel {
    match &tables.endpoints[id.index()].way {
        Way::Tunnel(tunnel) => tunnel,
        way => panic!("not a tunnel: {way:?}"),
    }
}

/// The attachment that a tag leads to.
fn leads(binding: Binding) -> Option<EndpointId> {
    match binding {
        Binding::Attachment(ingress) => Some(ingress.whence.place().endpoint()),
        _ => None,
    }
}

#[test]
fn tags_lead_to_their_vnis_and_are_ready_to_be_put_back() {
    let srv = "{name: srv1, device: net_null1, vlans: [{vlan: 10, vni: 100, pcp: 5}, {vlan: untagged, vni: 200}]}";
    let (gateway, tables) = compiled(&format!("{UP}\n{srv}"), "{vni: 100}\n{vni: 200}");
    let port = &tables.ports[1];
    let (ten, native) = (gateway.attachment("srv1", "10"), gateway.attachment("srv1", "untagged"));
    assert_eq!([port.customer[10], port.untagged].map(leads), [Some(ten), Some(native)]);
    assert_eq!(port.customer.iter().filter(|binding| **binding != Binding::None).count(), 1);
    let ten = attachment(&tables, ten);
    assert_eq!((ten.port, ten.segment, ten.mtu, ten.pcp), (PortId(1), gateway.segment("100"), 1500, Some(5)));
    assert_eq!((ten.tags, ten.tags_len), ([0x81, 0, 0, 10, 0, 0, 0, 0], 4));
    assert_eq!(attachment(&tables, native).tags_len, 0);
    assert!(matches!(tables.endpoints[0].way, Way::Vacant), "number 0 is no endpoint");
}

#[test]
fn double_tags_lead_through_their_outer_tag_and_the_outer_tag_alone_may_lead_elsewhere() {
    let srv = "{name: srv1, device: net_null1, vlans: [{outer: 300, inner: 7, vni: 100}, \
               {outer: 300, inner: 8, tpid: 802.1q, vni: 200}, {vlan: 300, vni: 300}]}";
    let (gateway, tables) = compiled(&format!("{UP}\n{srv}"), "{vni: 100}\n{vni: 200}\n{vni: 300}");
    let port = &tables.ports[1];
    let inner = |binding: Binding| match binding {
        Binding::Inner(index) => &port.qinq[usize::from(index)],
        other => panic!("not a double tag: {other:?}"),
    };
    let ids = &gateway.control.plan.attachments[1];
    let (service, customer) = (inner(port.service[300]), inner(port.customer[300]));
    assert_eq!([service.inner[7], service.otherwise].map(leads), [Some(ids[0]), None]);
    assert_eq!([customer.inner[8], customer.otherwise].map(leads), [Some(ids[1]), Some(ids[2])]);
    assert_eq!(attachment(&tables, ids[0]).tags, [0x88, 0xa8, 1, 44, 0x81, 0, 0, 7]);
    assert_eq!(attachment(&tables, ids[1]).tags, [0x81, 0, 1, 44, 0x81, 0, 0, 8]);
}

#[test]
fn one_cable_carries_underlay_and_servers() {
    let both = "{name: up0, device: net_null0, underlay: {addresses: 10.0.0.11/24}, vlans: [{vlan: 10, vni: 100}]}";
    let (gateway, tables) = compiled(both, "{vni: 100}");
    let port = &tables.ports[0];
    assert_eq!(port.untagged, Binding::Underlay);
    assert_eq!(leads(port.customer[10]), Some(gateway.attachment("up0", "10")));
    let side = port.underlay.as_ref().unwrap();
    assert_eq!((side.twin, side.vlan, side.host_rate), (true, 0, 20_000));
}

#[test]
fn a_tunnel_header_is_complete_towards_its_next_hop() {
    let vnis = "{vni: 100, flood: {vteps: [10.0.0.12, {vtep: \"2001:db8::12\", encap: geneve}]}}";
    let (gateway, tables) = compiled(UP, vnis);
    let v4 = tunnel(&tables, gateway.tunnel("10.0.0.12", Encap::Vxlan).unwrap());
    let v6 = tunnel(&tables, gateway.tunnel("2001:db8::12", Encap::Geneve).unwrap());
    let [hop] = &v4.hops[..] else { panic!("one next hop") };
    assert_eq!(hop.header()[..18], [2, 0, 0, 0, 0, 0x99, 2, 0, 0, 0, 0xff, 0, 0x81, 0, 0, 100, 0x08, 0x00]);
    assert_eq!(hop.header()[30..38], [10, 0, 0, 11, 10, 0, 0, 12]);
    assert_eq!((hop.mtu, hop.port, hop.l3), (9000, PortId(0), 18));
    let [hop] = &v6.hops[..] else { panic!("one next hop") };
    assert_eq!(u16::from_be_bytes([hop.header()[60], hop.header()[61]]), 6081);
    let sources = &tables.sources;
    assert_ne!(sources.find_v4(Encap::Vxlan, "10.0.0.12".parse().unwrap()), EndpointId::NONE);
    assert_eq!(sources.find_v4(Encap::Geneve, "10.0.0.12".parse().unwrap()), EndpointId::NONE);
    assert_ne!(sources.find_v6(Encap::Geneve, "2001:db8::12".parse().unwrap()), EndpointId::NONE);
    assert_eq!((tables.underlay.entropy_first, tables.underlay.entropy_count), (49152, 16384));
}

#[test]
fn stitched_fabrics_are_two_groups_and_others_are_one() {
    let vnis = "{vni: 100, stitch: true, geneve_vni: 4242}\n{vni: 200}";
    let (gateway, tables) = compiled(UP, vnis);
    let stitched = &tables.segments[gateway.segment("100").index()];
    assert_eq!(stitched.groups, [1, 2]);
    assert_eq!((&stitched.headers[0][4..7], &stitched.headers[1][4..7]), (&[0, 0, 100][..], &[0, 0x10, 0x92][..]));
    assert_eq!(tables.segments[gateway.segment("200").index()].groups, [1, 1]);
    assert_eq!(tables.vnis.find(Encap::Vxlan, 100), Some(gateway.segment("100")));
    assert_eq!(tables.vnis.find(Encap::Geneve, 4242), Some(gateway.segment("100")));
    assert_eq!(tables.vnis.find(Encap::Geneve, 100), None);
}

/// CONFORMANCE ISO4.
#[test]
fn one_number_in_two_encapsulations_is_two_segments() {
    let (gateway, tables) = compiled(UP, "{vni: 100}\n{vni: 100, encap: geneve}");
    assert_ne!(gateway.segment("100-vxlan"), gateway.segment("100-geneve"));
    assert_eq!(tables.vnis.find(Encap::Geneve, 100), Some(gateway.segment("100-geneve")));
}

/// CONFORMANCE BUM1, BUM4, ISO3.
#[test]
fn a_flood_goes_to_ports_and_listed_vteps_and_only_known_vteps_may_send() {
    let srv = "{name: srv1, device: net_null1, vlans: [{vlan: 10, vni: 100}, {vlan: 11, vni: 100}]}";
    let vnis = "{vni: 100, flood: {vteps: [10.0.0.12]}, static: [{mac: \"02:00:00:00:00:05\", vtep: 10.0.0.13}]}\n\
                {vni: 200, flood: {vteps: [10.0.0.14]}}\n{vni: 300, accept: any, flood: {vteps: [10.0.0.14]}}";
    let (gateway, tables) = compiled(&format!("{UP}\n{srv}"), vnis);
    let id = |vtep: &str| gateway.tunnel(vtep, Encap::Vxlan).unwrap();
    let segment = |vni: &str| &tables.segments[gateway.segment(vni).index()];
    let to = |vni: &str| tables.floods[segment(vni).rare.flood as usize].to.to_vec();
    let ports = [gateway.attachment("srv1", "10"), gateway.attachment("srv1", "11")];
    assert_eq!(to("100"), [ports[0], ports[1], id("10.0.0.12")]);
    assert_eq!(to("200"), [id("10.0.0.14")]);
    assert_eq!(segment("200").rare.flood, segment("300").rare.flood, "equal lists are one");
    let members = &tables.floods[segment("100").members as usize];
    assert!(members.contains(id("10.0.0.12")) && members.contains(id("10.0.0.13")), "a static MAC's VTEP too");
    assert!(!members.contains(id("10.0.0.14")), "it belongs to another VNI");
    assert_eq!(segment("300").members, Segment::ANY);
}

#[test]
fn a_segment_without_vteps_accepts_nobody() {
    let (gateway, tables) = compiled(UP, "{vni: 100}\n{vni: 200, flood: {vteps: [10.0.0.12]}}");
    let members = &tables.floods[tables.segments[gateway.segment("100").index()].members as usize];
    assert!(!members.contains(gateway.tunnel("10.0.0.12", Encap::Vxlan).unwrap()));
    assert!(!members.contains(EndpointId::NONE));
}

#[test]
fn options_and_ages_are_ready() {
    let vnis = "{vni: 1, encap: geneve, learning: {ageing: 300}, options: [{class: 0x0102, type: 0x83, data: \"00000001\"}]}\n\
                {vni: 2, learning: {ageing: 0}}\n{vni: 3, learning: {ageing: 20}}";
    let (gateway, tables) = compiled(UP, vnis);
    let segment = |vni: &str| &tables.segments[gateway.segment(vni).index()];
    assert_eq!(segment("1").rare.options[..], [1, 2, 0x83, 1, 0, 0, 0, 1]);
    assert_eq!(segment("1").headers[1], [2, 0x40, 0x65, 0x58, 0, 0, 1, 0]);
    assert_eq!(segment("1").checksum_v4, [false, true], "RFC 7348 section 5, RFC 8926 section 3.3");
    let epoch = |vni: &str| tables.ages[usize::from(segment(vni).age_class)];
    assert_eq!((epoch("1"), epoch("2"), epoch("3")), (75_000_000_000, u64::MAX, 5_000_000_000));
}

#[test]
fn a_group_is_sent_to_and_listened_to() {
    let up = "{name: up0, device: net_null0, underlay: {addresses: [10.0.0.11/24, \"2001:db8::11/64\"]}}";
    let (gateway, tables) = compiled(up, "{vni: 100, flood: {group: \"ff05::7\"}}");
    let segment = &tables.segments[gateway.segment("100").index()];
    let [group] = tables.floods[segment.rare.flood as usize].to[..] else { panic!("one destination") };
    assert_eq!(tunnel(&tables, group).hops[0].header()[..6], [0x33, 0x33, 0, 0, 0, 7]);
    assert_eq!((segment.members, &tables.underlay.groups[..]), (Segment::ANY, &[address("ff05::7")][..]));
    assert!(!tables.endpoints[group.index()].learns, "nothing comes from a group");
}
