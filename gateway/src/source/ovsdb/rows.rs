//! The tables of the schema `hardware_vtep` that we use, one type a row, with the columns that we use.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::datum::{Uuid, map, one, optional, set};

/// Text of a row.
pub type Text = Box<str>;

/// A row of a table.
pub trait Row: DeserializeOwned + PartialEq {
    /// The table.
    const TABLE: &'static str;
    /// Columns without which there is no such row.
    const NEEDED: &'static [&'static str];
    /// Columns that older schemas lack.
    const OTHER: &'static [&'static str];

    /// Bytes that it takes, about.
    fn weight(&self) -> usize;
}

/// Bytes that a value takes behind its fixed part, about.
trait Weight {
    fn weight(&self) -> usize;
}

macro_rules! weightless {
    ($($kind:ty),*) => {$(
        impl Weight for $kind {
            fn weight(&self) -> usize {
                0
            }
        }
    )*};
}

weightless!(Uuid, i64, bool);

impl Weight for Text {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn weight(&self) -> usize {
        self.as_ref().map_or(0, Weight::weight)
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        self.iter().map(|one| size_of::<T>() + one.weight()).sum()
    }
}

impl<K: Weight, V: Weight> Weight for BTreeMap<K, V> {
    fn weight(&self) -> usize {
        self.iter().map(|(key, value)| size_of::<(K, V)>() + key.weight() + value.weight()).sum()
    }
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $table:literal needs [$($needed:literal),*] and [$($other:literal),*] {
        $($(#[$field:meta])* $column:ident: $kind:ty = $read:literal as $json:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        pub struct $name {
            $($(#[$field])* #[serde(rename = $json, deserialize_with = $read)] #[serde(default)] pub $column: $kind,)*
        }
        impl Row for $name {
            const TABLE: &'static str = $table;
            const NEEDED: &'static [&'static str] = &[$($needed),*];
            const OTHER: &'static [&'static str] = &[$($other),*];

            fn weight(&self) -> usize {
                size_of::<(Uuid, Self)>() $(+ Weight::weight(&self.$column))*
            }
        }
    )*};
}

rows! {
    /// The one row that everything hangs on.
    Global = "Global" needs ["managers", "switches"] and [] {
        /// Connections of the server.
        managers: Vec<Uuid> = "set" as "managers",
        /// Physical switches.
        switches: Vec<Uuid> = "set" as "switches",
    }
    /// A connection of the server to or from a controller.
    Manager = "Manager" needs ["target", "is_connected"] and ["status"] {
        /// `tcp:10.0.0.5:6640`.
        target: Text = "one" as "target",
        /// It is up.
        is_connected: bool = "one" as "is_connected",
        /// Details, such as `state` and `last_error`.
        status: BTreeMap<Text, Text> = "map" as "status",
    }
    /// A hardware VTEP.
    PhysicalSwitch = "Physical_Switch" needs ["name", "tunnel_ips", "ports", "switch_fault_status"]
        and ["description", "management_ips", "tunnels"] {
        /// Its name.
        name: Text = "one" as "name",
        /// Its description.
        description: Text = "one" as "description",
        /// Addresses of its tunnels.
        tunnel_ips: Vec<Text> = "set" as "tunnel_ips",
        /// Addresses of its management.
        management_ips: Vec<Text> = "set" as "management_ips",
        /// Ports.
        ports: Vec<Uuid> = "set" as "ports",
        /// Tunnels.
        tunnels: Vec<Uuid> = "set" as "tunnels",
        /// What is wrong with it.
        faults: Vec<Text> = "set" as "switch_fault_status",
    }
    /// A port of a hardware VTEP.
    PhysicalPort = "Physical_Port" needs ["name", "vlan_bindings"] and ["port_fault_status", "vlan_stats", "acl_bindings"] {
        /// Its name.
        name: Text = "one" as "name",
        /// Logical switch of each VLAN; 0 is untagged.
        bindings: BTreeMap<i64, Uuid> = "map" as "vlan_bindings",
        /// Statistics of each VLAN.
        stats: BTreeMap<i64, Uuid> = "map" as "vlan_stats",
        /// Access control lists.
        acls: BTreeMap<i64, Uuid> = "map" as "acl_bindings",
        /// What is wrong with it.
        faults: Vec<Text> = "set" as "port_fault_status",
    }
    /// What passed a VLAN of a port; its numbers are ours and not followed.
    BindingStats = "Logical_Binding_Stats" needs ["packets_from_local"] and [] {
        /// Frames from the port.
        packets_from_local: i64 = "one" as "packets_from_local",
    }
    /// A broadcast domain.
    LogicalSwitch = "Logical_Switch" needs ["name", "tunnel_key"] and ["replication_mode"] {
        /// Its name.
        name: Text = "one" as "name",
        /// Its VNI; 0 and none are not bound.
        key: Option<i64> = "optional" as "tunnel_key",
        /// `source_node` or `service_node`, which none is too.
        mode: Option<Text> = "optional" as "replication_mode",
    }
    /// A tunnel end.
    Locator = "Physical_Locator" needs ["dst_ip", "encapsulation_type"] and ["tunnel_key"] {
        /// Address.
        address: Text = "one" as "dst_ip",
        /// Always `vxlan_over_ipv4`, for IPv6 too.
        encapsulation: Text = "one" as "encapsulation_type",
        /// Its own VNI, where logical switches have none.
        key: Option<i64> = "optional" as "tunnel_key",
    }
    /// Several tunnel ends.
    LocatorSet = "Physical_Locator_Set" needs ["locators"] and [] {
        /// Which.
        locators: Vec<Uuid> = "set" as "locators",
    }
    /// A MAC behind another VTEP.
    UcastRemote = "Ucast_Macs_Remote" needs ["MAC", "logical_switch", "locator"] and ["ipaddr"] {
        /// The MAC.
        mac: Text = "one" as "MAC",
        /// Where it is.
        switch: Uuid = "one" as "logical_switch",
        /// Behind which VTEP.
        locator: Uuid = "one" as "locator",
        /// Its IP address, or nothing.
        address: Text = "one" as "ipaddr",
    }
    /// Where a logical switch floods.
    McastRemote = "Mcast_Macs_Remote" needs ["MAC", "logical_switch", "locator_set"] and [] {
        /// `unknown-dst`, or a group address.
        mac: Text = "one" as "MAC",
        /// Which logical switch.
        switch: Uuid = "one" as "logical_switch",
        /// To whom.
        set: Uuid = "one" as "locator_set",
    }
    /// A MAC behind a VTEP of this database.
    UcastLocal = "Ucast_Macs_Local" needs ["MAC", "logical_switch", "locator"] and [] {
        /// The MAC.
        mac: Text = "one" as "MAC",
        /// Where it is.
        switch: Uuid = "one" as "logical_switch",
        /// Behind which VTEP.
        locator: Uuid = "one" as "locator",
    }
    /// Where to flood to reach VTEPs of this database.
    McastLocal = "Mcast_Macs_Local" needs ["MAC", "logical_switch", "locator_set"] and [] {
        /// `unknown-dst`, or a group address.
        mac: Text = "one" as "MAC",
        /// Which logical switch.
        switch: Uuid = "one" as "logical_switch",
        /// To whom.
        set: Uuid = "one" as "locator_set",
    }
    /// A tunnel between two ends.
    Tunnel = "Tunnel" needs ["local", "remote"] and ["bfd_params", "bfd_status"] {
        /// This end.
        local: Uuid = "one" as "local",
        /// That end.
        remote: Uuid = "one" as "remote",
        /// What the controller wants of BFD.
        bfd_params: BTreeMap<Text, Text> = "map" as "bfd_params",
        /// What BFD says.
        bfd_status: BTreeMap<Text, Text> = "map" as "bfd_status",
    }
    /// An access control list.
    Acl = "ACL" needs ["acl_name"] and ["acl_fault_status"] {
        /// Its name.
        name: Text = "one" as "acl_name",
        /// What is wrong with it.
        faults: Vec<Text> = "set" as "acl_fault_status",
    }
    /// A router between logical switches.
    LogicalRouter = "Logical_Router" needs ["name"] and ["LR_fault_status"] {
        /// Its name.
        name: Text = "one" as "name",
        /// What is wrong with it.
        faults: Vec<Text> = "set" as "LR_fault_status",
    }
    /// A MAC whose ARP requests a router may send.
    ArpSource = "Arp_Sources_Remote" needs ["src_mac"] and [] {
        /// The MAC.
        mac: Text = "one" as "src_mac",
    }
}
