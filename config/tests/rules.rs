//! Every rule has a message of its own, at its place, with the cure; and nothing is said without cause.

use config::{Problem, Severity};

/// A right file. Each case below replaces one piece of it.
const GOOD: &str = r#"version: 1
workers: {cores: [1, 2], idle: spin, burst: 32}
memory: {huge_pages: auto, buffers: 16383, buffer_size: 2048}
vtep: {source: [10.0.0.11, "2001:db8::11"], vxlan_port: 4789, geneve_port: 6081, source_ports: [49152, 65535], namespace: fabric}
fdb: {size: 131072}
ports:
  - name: up0
    device: "0000:3b:00.0"
    mtu: 1700
    underlay: {vlan: 100, twin: cw0, addresses: [10.0.0.11/24, "2001:db8::11/64"], gateway: 10.0.0.1}
  - name: srv1
    device: "0000:3b:00.1"
    mtu: 1500
    descriptors: {rx: 512}
    vlans:
      - {vlan: 10, vni: 10010, pcp: 3}
      - {vlan: untagged, vni: 10020}
      - {outer: 300, inner: 7, vni: 10020}
vnis:
  - vni: 10010
    name: blue
    flood: {vteps: [10.0.0.12, {vtep: "2001:db8::13", encap: vxlan}]}
    learning: {enabled: true, ageing: 300, limit: 8192}
    static:
      - {mac: "02:00:00:00:00:05", vtep: 10.0.0.12}
      - {mac: "02:00:00:00:00:06", port: srv1, vlan: 10}
    neigh_suppress: true
    neighbours: [{ip: 192.0.2.7, mac: "02:00:00:00:00:07"}, {ip: "2001:db8:7::7", mac: "02:00:00:00:00:07", router: true}]
    path_mtu: {tell: true, source: [192.0.2.254, "2001:db8:7::fe"]}
    access_list: web
  - vni: 10020
    encap: geneve
    flood: {group: 239.1.1.1, port: up0}
    ttl: 64
    tos: 184
    options: [{class: 0x0103, type: 1, data: "00000001"}]
api: {group: adm, mode: "0660"}
access_lists:
  - name: web
    rules:
      - {action: permit, protocol: tcp, destination_port: 80-443, source: 10.1.0.0/16}
      - {action: deny, source_mac: "02:00:00:00:00:00/ff:ff:00:00:00:00", ethertype: 0x88cc}
      - {action: deny, destination: 10.9.9.9, fragments: true}
reload: {signal: true, watch: false}
state: {directory: /var/lib/causeway, every: 10}
metrics: {listen: "192.0.2.1:9860", limit: 500}
"#;

/// What is said about a text, problems or warnings.
fn said(text: &str) -> Vec<Problem> {
    match config::parse("gw.yaml", text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.iter().cloned().collect(),
    }
}

/// (what to replace, by what, path of the problem, a piece of its message).
type Case = (&'static str, &'static str, &'static str, &'static str);

fn check(severity: Severity, cases: &[Case]) {
    for (from, to, path, message) in cases {
        assert_eq!(GOOD.matches(from).count(), 1, "'{from}' must be in the file once");
        let text = GOOD.replace(from, to);
        let said = said(&text);
        let hit = said.iter().find(|one| one.path == *path && one.to_string().contains(message));
        let all = said.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let Some(hit) = hit else { panic!("{from} -> {to}: no '{path}: {message}' in\n{all}\nof\n{text}") };
        assert_eq!(hit.severity, severity, "{hit}");
        assert!(!hit.cure.is_empty() && hit.line > 0 && hit.column > 0);
        assert_eq!(Some(hit.source.as_str()), text.lines().nth(hit.line - 1));
        let errors = said.iter().filter(|one| one.severity == Severity::Error).count();
        match severity {
            Severity::Error => assert_eq!(errors, 1, "one mistake, one error:\n{all}"),
            Severity::Warning => assert_eq!(said.len(), 1, "one oddity, one warning:\n{all}"),
        }
    }
}

#[test]
fn the_good_file_is_good() {
    let said: Vec<_> = said(GOOD).iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn form() {
    check(
        Severity::Error,
        &[
            ("version: 1\n", "version: 2\n", "version", "use 'version: 1'"),
            ("version: 1\n", "", "version", "'version' is missing"),
            ("version: 1\n", "version: '1'\n", "version", "remove the quotes"),
            ("version: 1\n", "version: one\n", "version", "not a version"),
            ("workers: {", "worker: {", "worker", "did you mean 'workers'?"),
            ("burst: 32", "storm: 32", "workers.storm", "known here: cores, idle, burst, flood_copies"),
            ("fdb: {size: 131072}", "fdb: 7", "fdb", "write keys and values"),
            ("fdb: {size: 131072}", "fdb:", "fdb", "the key has no value"),
            ("fdb: {size: 131072}", "fdb: {size: 1}", "fdb.size", "too small"),
            (
                "fdb: {size: 131072}",
                "fdb: {size: 2048, size: 2048}",
                "fdb.size",
                "'size' is given twice, first in line 5",
            ),
            ("fdb: {size: 131072}", "fdb: {size: 99999999999999999999999}", "fdb.size", "too large"),
            ("fdb: {size: 131072}", "fdb: {size: -1}", "fdb.size", "too small"),
            ("enabled: true", "enabled: yes", "vnis[0].learning.enabled", "write true"),
            ("enabled: true", "enabled: 1", "vnis[0].learning.enabled", "'true' or 'false'"),
            ("[10.0.0.12, {vtep: \"2001:db8::13\", encap: vxlan}]", "10.0.0.12", "vnis[0].flood.vteps", "write a list"),
            ("name: blue", "name: [blue]", "vnis[0].name", "a list does not fit here; write text"),
        ],
    );
}

#[test]
fn system() {
    check(
        Severity::Error,
        &[
            ("group: adm", "group: a b", "api.group", "cannot be the name of a group"),
            ("mode: \"0660\"", "mode: \"0060\"", "api.mode", "locks the owner out"),
            ("mode: \"0660\"", "mode: \"0680\"", "api.mode", "no permissions; write them in octal"),
            ("mode: \"0660\"", "mode: \"+660\"", "api.mode", "write them in octal"),
            ("watch: false", "watch: sometimes", "reload.watch", "write 'true' or 'false'"),
            ("reload: {signal", "reload: {signals", "reload.signals", "did you mean 'signal'?"),
            ("directory: /var", "directory: var", "state.directory", "'var/lib/causeway' is not an absolute path"),
            ("every: 10", "every: 1000000", "state.every", "too large for a time in seconds"),
            ("api: {group", "api: {groop", "api.groop", "did you mean 'group'?"),
            ("192.0.2.1:9860", "192.0.2.1", "metrics.listen", "not an address with a port; write one like"),
            ("192.0.2.1:9860", "192.0.2.1:0", "metrics.listen", "has no port number"),
            ("192.0.2.1:9860", "localhost:9860", "metrics.listen", "not an address with a port"),
            ("limit: 500}", "limit: 0}", "metrics.limit", "use 1 to 1000000"),
            ("limit: 500}", "limits: 500}", "metrics.limits", "did you mean 'limit'?"),
            ("[1, 2]", "[1, 2, 1]", "workers.cores[2]", "core 1 is given twice"),
            ("[1, 2]", "[]", "workers.cores", "no core is given"),
            ("[1, 2]", "5-2", "workers.cores", "not a range of cores"),
            ("[1, 2]", "1-100", "workers.cores", "at most 64"),
            ("[1, 2]", "[2000]", "workers.cores[0]", "2000 is too large for a core"),
            ("burst: 32", "burst: 65", "workers.burst", "use 1 to 64"),
            ("burst: 32", "flood_copies: 0", "workers.flood_copies", "use 1 to 65536"),
            ("idle: spin", "idle: sleeep", "workers.idle", "did you mean 'sleep'?"),
            ("idle: spin", "idle: {sleep: 0}", "workers.idle.sleep", "use 1 to 100000"),
            ("huge_pages: auto", "huge_pages: on", "memory.huge_pages", "'auto' or 'require' or 'off'"),
            ("huge_pages: auto", "shared: true", "memory.shared", "add 'huge_pages: require'"),
            ("buffers: 16383", "buffers: 0", "memory.buffers", "too small"),
            ("buffer_size: 2048", "buffer_size: 1024", "memory.buffer_size", "use at least 1726"),
        ],
    );
}

#[test]
fn vtep() {
    check(
        Severity::Error,
        &[
            (
                "[10.0.0.11, \"2001:db8::11\"],",
                "[10.0.0.11, 10.0.0.14, \"2001:db8::11\"],",
                "vtep.source[1]",
                "a second IPv4 source",
            ),
            (
                "[10.0.0.11, \"2001:db8::11\"],",
                "[224.0.0.5, \"2001:db8::11\"],",
                "vtep.source[0]",
                "a multicast address",
            ),
            ("[10.0.0.11, \"2001:db8::11\"],", "10.0.0.11,", "vnis[0].flood.vteps[1].vtep", "no IPv6 source"),
            ("[10.0.0.11, \"2001:db8::11\"],", "[],", "vtep.source", "no source address is given"),
            ("geneve_port: 6081", "geneve_port: 4789", "vtep.geneve_port", "both use UDP port 4789"),
            ("vxlan_port: 4789", "vxlan_port: 0", "vtep.vxlan_port", "use 1 to 65535"),
            ("[49152, 65535]", "[65535, 49152]", "vtep.source_ports", "write [49152, 65535]"),
            ("[49152, 65535]", "[49152]", "vtep.source_ports", "not two ports"),
            ("namespace: fabric", "namespace: a/b", "vtep.namespace", "not a network namespace"),
            ("namespace: fabric", "namespace: fabric, host_rate: 0", "vtep.host_rate", "too small"),
            ("namespace: fabric", "namespace: fabric, learned_vteps: 0", "vtep.learned_vteps", "too small"),
        ],
    );
}

#[test]
fn ports() {
    check(
        Severity::Error,
        &[
            ("name: srv1", "name: srv 1", "ports[1].name", "cannot be a name"),
            ("device: \"0000:3b:00.1\"", "device: \"3B:00.0\"", "ports[1].device", "used twice, first in line 8"),
            ("device: \"0000:3b:00.1\"", "device: eth1", "ports[1].device", "net_af_packet0,iface=eth1"),
            ("    device: \"0000:3b:00.1\"\n", "", "ports[1].device", "'device' is missing"),
            ("mtu: 1500", "mtu: 67", "ports[1].mtu", "use 68 to 9216"),
            ("mtu: 1500", "mtu: 9217", "ports[1].mtu", "use 68 to 9216"),
            ("mtu: 1500", "mtu: 1500\n    rx_queues: 0", "ports[1].rx_queues", "too small"),
            ("mtu: 1500", "mtu: 1500\n    mac_limit: 0", "ports[1].mac_limit", "too small"),
            ("{rx: 512}", "{rx: 1}", "ports[1].descriptors.rx", "use 64 to 32768"),
            ("{vlan: 10, vni: 10010, pcp: 3}", "{vlan: 10, vni: 10010, pcp: 8}", "ports[1].vlans[0].pcp", "use 0 to 7"),
            ("- {vlan: untagged, vni: 10020}", "- {vlan: 0, vni: 10020}", "ports[1].vlans[1].vlan", "priority tag"),
            ("- {vlan: untagged, vni: 10020}", "- {vlan: 4095, vni: 10020}", "ports[1].vlans[1].vlan", "reserved"),
            ("- {vlan: untagged, vni: 10020}", "- {vlan: 5000, vni: 10020}", "ports[1].vlans[1].vlan", "use 1 to 4094"),
            (
                "- {vlan: untagged, vni: 10020}",
                "- {vlan: 11, vni: 16777216}",
                "ports[1].vlans[1].vni",
                "16777216 is too large for a VNI; use 0 to 16777215",
            ),
            (
                "- {vlan: untagged, vni: 10020}",
                "- {vlan: 11, vni: 10021}",
                "ports[1].vlans[1].vni",
                "add '- vni: 10021' under 'vnis'",
            ),
            (
                "- {vlan: untagged, vni: 10020}",
                "- {vlan: 10, vni: 10020}",
                "ports[1].vlans[1]",
                "VLAN 10 of this port is mapped twice, first in line 16",
            ),
            ("- {vlan: untagged, vni: 10020}", "- {vni: 10020}", "ports[1].vlans[1].vlan", "'vlan' is missing"),
            ("- {vlan: untagged, vni: 10020}", "- {vlan: 11}", "ports[1].vlans[1].vni", "'vni' is missing"),
            (
                "- {vlan: untagged, vni: 10020}",
                "- {vlan: 11, vni: 10020, encap: vxlan}",
                "ports[1].vlans[1].encap",
                "not a vxlan segment",
            ),
            (
                "- {vlan: untagged, vni: 10020}",
                "- {vlan: 11, vni: 10020, tpid: 802.1q}",
                "ports[1].vlans[1].tpid",
                "outer tag",
            ),
            ("{outer: 300, inner: 7,", "{outer: 300,", "ports[1].vlans[2].inner", "two tags need both"),
            (
                "{outer: 300, inner: 7,",
                "{outer: 300, inner: 7, vlan: 5,",
                "ports[1].vlans[2].vlan",
                "'vlan' for one tag",
            ),
        ],
    );
}

#[test]
fn underlay() {
    let on_up0 = "gateway: 10.0.0.1}";
    check(
        Severity::Error,
        &[
            (
                on_up0,
                "gateway: 10.0.0.1}\n    vlans: [{vlan: 100, vni: 10010}]",
                "ports[0].vlans[0]",
                "VLAN 100 of this port is the underlay's (line 10)",
            ),
            ("vlan: 100, ", "vlan: 4095, ", "ports[0].underlay.vlan", "reserved"),
            ("twin: cw0", "twin: a-name-that-is-too-long", "ports[0].underlay.twin", "1 to 15"),
            ("10.0.0.11/24", "10.0.0.11", "ports[0].underlay.addresses[0]", "add the subnet's, like 10.0.0.11/24"),
            ("10.0.0.11/24", "10.0.0.11/24, 10.0.0.11/25", "ports[0].underlay.addresses[1]", "given twice"),
            (on_up0, "gateway: 10.0.1.1}", "ports[0].underlay.gateway", "in no subnet of 'addresses'"),
            (on_up0, "gateway: 10.0.0.11}", "ports[0].underlay.gateway", "own address"),
            (on_up0, "gateway: [10.0.0.1, 10.0.0.2]}", "ports[0].underlay.gateway[1]", "a second IPv4 gateway"),
        ],
    );
    let empty =
        said("version: 1\nports: [{name: a, device: net_null0, underlay: {via: {}}}]\nvtep: {source: 10.0.0.1}\n");
    assert!(matches!(&empty[..], [one] if one.path == "ports[0].underlay.via.mac"), "{empty:?}");
    let text = GOOD.replace(on_up0, "via: {mac: \"02:00:00:00:00:01\"}}");
    let paths: Vec<_> =
        said(&text).into_iter().filter(|one| one.rule.contains("'via' makes none")).map(|one| one.path).collect();
    assert_eq!(paths, ["ports[0].underlay.twin", "ports[0].underlay.addresses"]);
}

#[test]
fn segments() {
    check(
        Severity::Error,
        &[
            ("- vni: 10020\n    encap: geneve", "- vni: 10020\n    encap: gre", "vnis[1].encap", "'vxlan' or 'geneve'"),
            (
                "name: blue",
                "name: blue\n    geneve_vni: 10020",
                "vnis[1].vni",
                "geneve number 10020 is used by two segments, the first in line 20",
            ),
            ("ttl: 64", "vxlan_vni: 10010", "vnis[1].vxlan_vni", "vxlan number 10010 is used by two segments"),
            ("\"2001:db8::13\"", "10.0.0.11", "vnis[0].flood.vteps[1].vtep", "this gateway's own source address"),
            ("\"2001:db8::13\"", "10.0.0.12", "vnis[0].flood.vteps[1].vtep", "listed twice"),
            ("\"2001:db8::13\"", "10.0.0", "vnis[0].flood.vteps[1].vtep", "not an IP address"),
            ("group: 239.1.1.1", "group: 10.0.0.9", "vnis[1].flood.group", "not a multicast address"),
            ("group: 239.1.1.1", "group: 224.0.0.9", "vnis[1].flood.group", "never routed"),
            ("group: 239.1.1.1", "group: 239.1.1.1, vteps: []", "vnis[1].flood.group", "both 'vteps' and 'group'"),
            ("{group: 239.1.1.1, port: up0}", "{}", "vnis[1].flood.vteps", "'vteps' is missing"),
            ("port: up0", "port: srv1", "vnis[1].flood.port", "port 'srv1' has no underlay"),
            ("port: up0", "port: up1", "vnis[1].flood.port", "did you mean 'up0'?"),
            ("ageing: 300", "ageing: 5m", "vnis[0].learning.ageing", "not a time in seconds"),
            ("limit: 8192", "limit: 0", "vnis[0].learning.limit", "too small"),
            ("ttl: 64", "ttl: 0", "vnis[1].ttl", "use 1 to 255"),
            ("ttl: 64", "ttl: inherited", "vnis[1].ttl", "the word 'inherit'"),
            ("tos: 184", "tos: 185", "vnis[1].tos", "use DSCP times four, like 184"),
            ("ttl: 64", "df: always", "vnis[1].df", "'set' or 'unset' or 'inherit'"),
            ("ttl: 64", "accept: ani", "vnis[1].accept", "did you mean 'any'?"),
            ("data: \"00000001\"", "data: \"0001\"", "vnis[1].options[0].data", "multiple of 4"),
            ("data: \"00000001\"", "data: \"xx\"", "vnis[1].options[0].data", "hexadecimal"),
            ("class: 0x0103", "class: 0x10103", "vnis[1].options[0].class", "use 0 to 65535"),
            ("type: 1,", "type: 256,", "vnis[1].options[0].type", "use 0 to 255"),
            ("name: blue", "options: [{class: 1, type: 1}]", "vnis[0].options", "only VXLAN"),
        ],
    );
}

#[test]
fn statics() {
    let local = "{mac: \"02:00:00:00:00:06\", port: srv1, vlan: 10}";
    check(
        Severity::Error,
        &[
            ("\"02:00:00:00:00:06\"", "\"03:00:00:00:00:06\"", "vnis[0].static[1].mac", "group address"),
            ("\"02:00:00:00:00:06\"", "\"00:00:00:00:00:00\"", "vnis[0].static[1].mac", "no station's address"),
            ("\"02:00:00:00:00:06\"", "\"02:00\"", "vnis[0].static[1].mac", "not a MAC address"),
            ("\"02:00:00:00:00:06\"", "\"02-00-00-00-00-05\"", "vnis[0].static[1].mac", "given twice in this VNI"),
            (
                local,
                "{mac: \"02:00:00:00:00:06\", port: srv2, vlan: 10}",
                "vnis[0].static[1].port",
                "did you mean 'srv1'?",
            ),
            (local, "{mac: \"02:00:00:00:00:06\", port: srv1, vlan: 12}", "vnis[0].static[1]", "does not map VLAN 12"),
            (
                local,
                "{mac: \"02:00:00:00:00:06\", port: srv1, vlan: untagged}",
                "vnis[0].static[1]",
                "belongs to VNI 10020",
            ),
            (local, "{mac: \"02:00:00:00:00:06\", port: up0}", "vnis[0].static[1]", "no VLAN in this VNI"),
            (
                local,
                "{mac: \"02:00:00:00:00:06\", port: srv1, vtep: 10.0.0.12}",
                "vnis[0].static[1].port",
                "both 'vtep' and 'port'",
            ),
            (local, "{mac: \"02:00:00:00:00:06\"}", "vnis[0].static[1].vtep", "say where the MAC is"),
            (
                local,
                "{mac: \"02:00:00:00:00:06\", vtep: 10.0.0.12, vlan: 10}",
                "vnis[0].static[1].vlan",
                "no local VLAN",
            ),
            (local, "{mac: \"02:00:00:00:00:06\", vtep: 10.0.0.11}", "vnis[0].static[1].vtep", "own source address"),
            (
                "tos: 184",
                "static: [{mac: \"02:00:00:00:00:07\", port: srv1}]",
                "vnis[1].static[0]",
                "several VLANs in this VNI",
            ),
        ],
    );
}

#[test]
fn warnings() {
    check(
        Severity::Warning,
        &[
            ("mtu: 1700", "mtu: 1500", "ports[1].mtu", "need 1578 bytes in the underlay, which has 1500"),
            ("vxlan_port: 4789", "vxlan_port: 8472", "vtep.vxlan_port", "old Linux"),
            ("vxlan_port: 4789", "vxlan_port: 4790", "vtep.vxlan_port", "4790 is not the standard port of VXLAN"),
            ("geneve_port: 6081", "geneve_port: 6082", "vtep.geneve_port", "or remove it for 6081"),
            ("source: [10.0.0.11,", "source: [10.0.0.14,", "vtep.source[0]", "not one of its 'addresses'"),
            ("ageing: 300", "ageing: 0", "vnis[0].learning.ageing", "never forgotten"),
            ("limit: 8192", "limit: 200000", "vnis[0].learning.limit", "above the size of the forwarding table"),
            ("tos: 184", "learning: {enabled: false}", "vnis[1].learning.enabled", "learning is off"),
            (
                "{vteps: [10.0.0.12, {vtep: \"2001:db8::13\", encap: vxlan}]}",
                "{vteps: []}",
                "vnis[0].flood.vteps",
                "flood list is empty",
            ),
            ("    flood: {group: 239.1.1.1, port: up0}\n", "", "vnis[1].vni", "flood list is empty"),
            (
                "  - vni: 10020\n",
                "  - {vni: 30, flood: {vteps: [10.0.0.12]}}\n  - vni: 10020\n",
                "vnis[1].vni",
                "no port is attached to VNI 30",
            ),
            ("vnis:\n", "  - {name: idle, device: net_null0}\nvnis:\n", "ports[2]", "drops every frame"),
        ],
    );
}

#[test]
fn learning_may_be_off_where_a_controller_brings_macs() {
    let off = GOOD.replace("tos: 184", "learning: {enabled: false}");
    assert!(said(&off).iter().any(|one| one.rule.starts_with("learning is off")));
    assert!(
        said(&format!("{off}control: {{evpn: {{}}}}\n")).is_empty(),
        "{:?}",
        said(&format!("{off}control: {{evpn: {{}}}}\n"))
    );
}

#[test]
fn a_twin_beside_an_interface_of_the_kernel_wants_a_namespace() {
    let kernel = GOOD.replace("\"0000:3b:00.0\"", "\"net_af_packet0,iface=up0\"");
    assert!(said(&kernel).is_empty(), "{:?}", said(&kernel));
    let [warning] = &said(&kernel.replace(", namespace: fabric", ""))[..] else { panic!("one warning") };
    assert_eq!((warning.severity, warning.path.as_str()), (Severity::Warning, "ports[0]"));
    assert!(warning.cure.ends_with("vtep: {namespace: NAME}"), "{warning:?}");
}

#[test]
fn what_a_mistake_leaves_is_not_called_odd() {
    let [problem] = &said(&GOOD.replace("flood: {vteps", "flod: {vteps"))[..] else { panic!("the mistake alone") };
    assert_eq!((problem.severity, problem.path.as_str()), (Severity::Error, "vnis[0].flod"));
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("burst: 32", "burst: 99")
        .replace("vni: 10010, pcp: 3", "vni: 16777216, pcp: 9")
        .replace("df: always", "")
        .replace("tos: 184", "tosh: 184");
    let paths: Vec<_> = said(&text).into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["workers.burst", "ports[1].vlans[0].vni", "ports[1].vlans[0].pcp", "vnis[1].tosh"]);
}

#[test]
fn two_vnis_of_one_number() {
    let twice = |second: &str, binding: &str| {
        GOOD.replace("  - vni: 10020\n", &format!("  - {second}\n  - vni: 10020\n"))
            .replace("- {vlan: 10, vni: 10010", &format!("- {binding}\n      - {{vlan: 10, encap: vxlan, vni: 10010"))
    };
    let geneve = "{vni: 10010, encap: geneve, flood: {vteps: [10.0.0.31]}}";
    let fine = twice(geneve, "{vlan: 11, vni: 10010, encap: geneve}");
    let model = config::parse("gw.yaml", &fine).unwrap_or_else(|problems| panic!("{problems}")).model;
    assert_eq!(model.ports[1].attachments[0].segment, 1);
    assert_eq!(model.ports[1].attachments[1].segment, 0);
    assert_eq!(model.segments[1].name, "10010-geneve");
    let which = said(&twice(geneve, "{vlan: 11, vni: 10010}"));
    assert!(which.iter().any(|one| one.path == "ports[1].vlans[0].vni" && one.cure.contains("encap: geneve")));
    let same = said(&twice("{vni: 10010}", "{vlan: 11, vni: 10010}"));
    assert!(
        same.iter().any(|one| one.path == "vnis[1].vni" && one.rule.contains("given twice, first in line 21")),
        "{same:?}"
    );
}

#[test]
fn no_ports_and_no_underlay() {
    assert!(said("version: 1\nports: []\n")[0].rule.contains("no port is given"));
    assert!(said("version: 1\n")[0].rule.contains("'ports' is missing"));
    let local = "version: 1\nports: [{name: a, device: net_null0, vlans: [{vlan: 1, vni: 1}]}]\nvnis: [{vni: 1, flood: {vteps: [10.0.0.1]}}]\n";
    assert!(said(local)[0].rule.contains("no port has an underlay"));
    let ambiguous = GOOD
        .replace("source: [10.0.0.11, \"2001:db8::11\"], ", "")
        .replace("10.0.0.11/24", "10.0.0.11/24, 10.0.0.14/24");
    assert!(said(&ambiguous).iter().any(|one| one.path == "vtep" && one.rule.contains("do not settle")));
    assert!(said("")[0].rule.contains("empty"));
}

/// A gateway with a loopback address as its source, and its underlay's address in a list.
#[test]
fn our_own_underlay_in_a_flood_list_is_worth_a_warning() {
    let text = GOOD
        .replace("source: [10.0.0.11, \"2001:db8::11\"]", "source: [10.255.0.1, \"2001:db8:ffff::1\"]")
        .replace("{vteps: [10.0.0.12,", "{vteps: [10.0.0.11, 10.0.0.12,");
    let said = said(&text);
    assert!(
        matches!(&said[..], [one] if one.path == "vnis[0].flood.vteps[0]" && one.severity == Severity::Warning
            && one.to_string().contains("an address of this gateway's own underlay")),
        "{said:?}"
    );
}

#[test]
fn a_group_without_a_kernel_is_worth_a_warning() {
    let text = GOOD.replace(
        "twin: cw0, addresses: [10.0.0.11/24, \"2001:db8::11/64\"], gateway: 10.0.0.1",
        "via: {mac: \"02:00:00:00:00:01\"}",
    );
    let said = said(&text);
    assert!(
        matches!(&said[..], [one] if one.path == "vnis[1].flood.group" && one.severity == Severity::Warning),
        "{said:?}"
    );
}

#[test]
fn files_that_cannot_be_read() {
    let problems = config::load("no-such-file.yaml").expect_err("there is none");
    assert!(problems.to_string().starts_with("no-such-file.yaml: the file cannot be read"));
    let problems = config::load("/dev/zero").expect_err("it has no end");
    assert_eq!(problems.to_string(), "/dev/zero: the file has more than 256 MiB; check the path");
    let folder = std::env::temp_dir().join(format!("causeway-config-{}.yaml", std::process::id()));
    std::fs::write(&folder, b"version: 1\n\xff\xfe\n").expect("the file can be written");
    let problems = config::load(&folder).expect_err("that is not text");
    std::fs::remove_file(&folder).expect("it is there");
    assert!(problems.to_string().contains("line 2 is not UTF-8"), "{problems}");
}

#[test]
fn problems_are_json_too() {
    let problems = config::parse("gw.yaml", "version: 2\nports: []\n").expect_err("two mistakes");
    let json = serde_json::to_value(&problems).expect("problems are JSON");
    assert_eq!(json[0]["path"], "version");
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[1]["line"], 2);
    assert_eq!(problems.errors(), 2);
}

#[test]
fn neighbours_and_path_mtu() {
    let ip = "{ip: 192.0.2.7,";
    check(
        Severity::Error,
        &[
            (ip, "{", "vnis[0].neighbours[0].ip", "'ip' is missing"),
            (ip, "{ip: 224.0.0.7,", "vnis[0].neighbours[0].ip", "224.0.0.7 is no station's address"),
            (ip, "{ip: 192.0.2.7/24,", "vnis[0].neighbours[0].ip", "has a prefix length"),
            (ip, "{ip: 192.0.2.7, router: true,", "vnis[0].neighbours[0].router", "ARP has no such flag"),
            (ip, "{ip: 192.0.2.7, routes: true,", "vnis[0].neighbours[0].routes", "did you mean 'router'?"),
            (
                "{ip: \"2001:db8:7::7\", mac: \"02:00:00:00:00:07\", router: true}",
                "{ip: 192.0.2.7, mac: \"02:00:00:00:00:08\"}",
                "vnis[0].neighbours[1].ip",
                "192.0.2.7 is given twice in this VNI, first in line 28",
            ),
            ("vlan: 10}\n    neigh", "vlan: 10, ip: 192.0.2.7}\n    neigh", "vnis[0].static[1].ip", "is given twice"),
            ("neigh_suppress: true", "neigh_suppress: on", "vnis[0].neigh_suppress", "write true"),
            ("neigh_suppress:", "neigh_supress:", "vnis[0].neigh_supress", "did you mean 'neigh_suppress'?"),
            (
                "[192.0.2.254, \"2001:db8:7::fe\"]",
                "[192.0.2.254, 192.0.2.253]",
                "vnis[0].path_mtu.source[1]",
                "a second",
            ),
            ("{tell: true,", "{tell: false,", "vnis[0].path_mtu.source", "'source' with 'tell: false'"),
        ],
    );
    check(
        Severity::Warning,
        &[("neigh_suppress: true", "neigh_suppress: false", "vnis[0].neighbours[0].ip", "without 'neigh_suppress'")],
    );
}

#[test]
fn access_lists() {
    let (rules, first) = ("access_lists[0].rules", "access_lists[0].rules[0]");
    let at = |key: &str| -> &'static str { format!("{first}.{key}").leak() };
    let second = |key: &str| -> &'static str { format!("{rules}[1].{key}").leak() };
    check(
        Severity::Error,
        &[
            ("access_list: web", "access_list: wed", "vnis[0].access_list", "did you mean 'web'?"),
            (
                "pcp: 3}",
                "pcp: 3, access_list: none}",
                "ports[1].vlans[0].access_list",
                "there is no access list 'none'",
            ),
            ("mtu: 1500", "access_list: none", "ports[1].access_list", "there is no access list 'none'"),
            ("{action: permit,", "{", at("action"), "'permit' or 'deny'"),
            ("{action: permit,", "{action: allow,", at("action"), "'permit' or 'deny'"),
            ("protocol: tcp,", "protocol: tpc,", at("protocol"), "did you mean 'tcp'?"),
            ("protocol: tcp,", "protocol: 300,", at("protocol"), "use 0 to 255"),
            ("protocol: tcp,", "protocol: icmp,", at("destination_port"), "add 'protocol: tcp' or 'protocol: udp'"),
            ("protocol: tcp,", "", at("destination_port"), "add 'protocol: tcp' or 'protocol: udp'"),
            ("80-443", "443-80", at("destination_port"), "write 80-443"),
            ("80-443", "80-70000", at("destination_port"), "is no port"),
            ("80-443", "http", at("destination_port"), "use 0 to 65535, or a range like 1024-65535"),
            ("source: 10.1.0.0/16", "source: 10.1.0.1/16", at("source"), "write 10.1.0.0/16"),
            ("source: 10.1.0.0/16", "source: 10.1.0.0/33", at("source"), "use /0 to /32"),
            ("source: 10.1.0.0/16", "fragments: true", at("destination_port"), "later fragments have no ports"),
            (
                "source: 10.1.0.0/16",
                "source: 10.1.0.0/16, destination: \"2001:db8::/32\"",
                at("destination"),
                "are of two families",
            ),
            ("protocol: tcp,", "protocol: tcp, ethertype: ipv6,", at("ethertype"), "contradicts the rest of the rule"),
            ("protocol: tcp,", "protocol: tcp, ethertype: arp,", at("ethertype"), "contradicts the rest of the rule"),
            ("ethertype: 0x88cc", "ethertype: 12", second("ethertype"), "too small"),
            ("ethertype: 0x88cc", "ethertype: lldp", second("ethertype"), "use 'ipv4' or 'ipv6' or 'arp'"),
            ("00/ff:ff:00:00:00:00", "01/ff:ff:00:00:00:00", second("source_mac"), "write 02:00:00:00:00:00/ff:ff"),
            ("00/ff:ff:00:00:00:00", "00/16", second("source_mac"), "or with a mask"),
        ],
    );
    check(
        Severity::Warning,
        &[
            ("    access_list: web\n", "", "access_lists[0]", "nothing refers to the access list 'web'"),
            (
                "{action: deny, source_mac: \"02:00:00:00:00:00/ff:ff:00:00:00:00\", ethertype: 0x88cc}",
                "{action: deny}",
                "access_lists[0].rules[2]",
                "never reached: the rule in line 42 matches every frame",
            ),
        ],
    );
}
