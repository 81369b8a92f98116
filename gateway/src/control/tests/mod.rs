//! Stories of control and its cores.

mod by_hand;
mod configuration;
mod convergence;
mod learning;
mod limits;
mod memory;
mod neighbours;
mod overlays;
mod scale;
mod show;
mod underlay;

/// Two servers on port srv1 and one on srv2, two VNIs, two VTEPs, two cores; static next hops.
const OFFICE: &str = r#"
version: 1
workers: {cores: [1, 2]}
vtep: {source: 10.0.0.11}
ports:
  - {name: up0, device: net_null0, underlay: {via: {mac: "02:00:00:00:00:99"}}}
  - {name: srv1, device: net_null1, vlans: [{vlan: 10, vni: 100}, {vlan: 20, vni: 200}]}
  - {name: srv2, device: net_null2, vlans: [{vlan: 10, vni: 100}]}
vnis:
  - vni: 100
    flood: {vteps: [10.0.0.12, 10.0.0.13]}
    learning: {ageing: 40, limit: 3}
    static: [{mac: "02:00:00:00:00:05", vtep: 10.0.0.12}, {mac: "02:00:00:00:00:06", port: srv1, vlan: 10}]
  - vni: 200
    flood: {vteps: [10.0.0.13]}
"#;
