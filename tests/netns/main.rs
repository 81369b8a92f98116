//! The real binary between real peers, in network namespaces of its own: kernel VXLAN devices, Open vSwitch, servers
//! behind tagged and untagged switch ports, and wires on which the test itself reads and writes every byte.
//!
//! Needs root and what `scripts/test` installs; where that is missing each test says why it was skipped. Laboratories
//! share nothing but the machine, so tests run side by side. Doc comments name the requirements of the conformance
//! list that a test covers (VX: VXLAN, GN: Geneve, OIP: outer IP, VL: VLAN, L2: bridging, BUM: flooding, ...).
#![cfg(feature = "dpdk")]

mod bench;
mod bytes;
mod config;
mod docs;
mod gateway;
mod lab;
mod ovn_cluster;
mod proxy;
mod rpc;
mod sys;
mod vtep_db;

mod bridging;
mod changes;
mod clients;
mod dumpcap;
mod evpn;
mod first_page;
mod lifecycle;
mod live;
mod memif;
mod numbers;
#[path = "../metrics/openmetrics.rs"]
mod openmetrics;
mod outer;
mod overlays;
mod ovn;
mod ovsdb;
mod ovsdb_faults;
mod ovsdb_managers;
mod peers;
mod see;
mod service;
mod tags;
mod tenants;
