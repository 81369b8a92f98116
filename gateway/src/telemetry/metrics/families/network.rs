//! Families of ports, VLANs, VNIs and VTEPs.

use super::{Family, Group, Value, counter, gauge};
use crate::control::measures::{DropMeasure, PortMeasure, VlanMeasure, VniMeasure, VtepMeasure};

/// Ports.
pub static PORTS: Group<PortMeasure> = Group {
    title: "Ports",
    labels: &["port"],
    values: |port| vec![port.name.clone()],
    families: &[
        Family {
            name: "port",
            help: "What device a port is.",
            value: Value::Info(&["device", "mac"], |port| vec![port.device.clone(), port.mac.clone()]),
        },
        gauge("port_up", "1 when the port's link is up.", |port| port.link.map(|link| link.up.into())),
        gauge("port_speed_bits_per_second", "The link's speed, where the device knows it.", |port| {
            Some(f64::from(port.link?.speed_mbps?) * 1e6)
        }),
        gauge("port_mtu_bytes", "Largest payload of a frame.", |port| Some(port.mtu as f64)),
        gauge("port_macs", "MACs known behind the port.", |port| Some(port.macs as f64)),
        counter("port_receive_frames", "Frames received from the device.", |port| Some(port.rx.frames)),
        counter("port_receive_bytes", "Bytes received from the device, without the frame check sequence.", |port| {
            Some(port.rx.bytes)
        }),
        counter("port_transmit_frames", "Frames taken by the device.", |port| Some(port.tx.frames)),
        counter("port_transmit_bytes", "Bytes taken by the device, without the frame check sequence.", |port| {
            Some(port.tx.bytes)
        }),
        counter("port_to_host_frames", "Frames given to the port's Linux twin.", |port| Some(port.to_host.frames)),
        counter("port_to_host_bytes", "Bytes given to the port's Linux twin.", |port| Some(port.to_host.bytes)),
        counter("port_from_host_frames", "Frames sent for the port's Linux twin.", |port| Some(port.from_host.frames)),
        counter("port_from_host_bytes", "Bytes sent for the port's Linux twin.", |port| Some(port.from_host.bytes)),
        counter(
            "port_answered_frames",
            "ARP requests and neighbour solicitations that came in and went back as their answers (neigh_suppress); among \
             those received and transmitted.",
            |port| Some(port.answered),
        ),
        counter(
            "port_icmp_error_frames",
            "ICMP errors made for senders here whose packets did not fit the underlay (path_mtu).",
            |port| Some(port.told),
        ),
        counter(
            "port_device_missed_frames",
            "Frames that the device lost because its receive queues were full: the workers are too slow.",
            |port| Some(port.device_losses?.missed),
        ),
        counter(
            "port_device_no_buffer_frames",
            "Frames that the device lost because no packet buffer was free: raise memory.buffers.",
            |port| Some(port.device_losses?.no_buffer),
        ),
        counter(
            "port_device_error_frames",
            "Frames that the device received damaged: look at the cable and the transceiver.",
            |port| Some(port.device_losses?.errors),
        ),
        counter("port_device_transmit_error_frames", "Frames that the device took and could not transmit.", |port| {
            Some(port.device_losses?.tx_errors)
        }),
    ],
};

/// Drops of ports.
pub static PORT_DROPS: Group<DropMeasure> = Group {
    title: "Drops by port",
    labels: &["port", "reason"],
    values: |drop| vec![drop.whose.clone(), drop.reason.label().into()],
    families: &[counter(
        "port_dropped_frames",
        "Frames dropped that came from the port, or could not leave through it.",
        |drop| Some(drop.frames),
    )],
};

/// VLANs of ports.
pub static VLANS: Group<VlanMeasure> = Group {
    title: "VLANs of ports",
    labels: &["port", "vlan", "vni"],
    values: |vlan| vec![vlan.port.clone(), vlan.vlan.clone(), vlan.vni.clone()],
    families: &[
        counter("vlan_receive_frames", "Frames that came in with these tags.", |vlan| Some(vlan.rx.frames)),
        counter("vlan_receive_bytes", "Bytes that came in with these tags.", |vlan| Some(vlan.rx.bytes)),
        counter("vlan_transmit_frames", "Frames that left with these tags.", |vlan| Some(vlan.tx.frames)),
        counter("vlan_transmit_bytes", "Bytes that left with these tags.", |vlan| Some(vlan.tx.bytes)),
        gauge("vlan_macs", "MACs known here.", |vlan| Some(vlan.macs as f64)),
    ],
};

/// Segments.
pub static VNIS: Group<VniMeasure> = Group {
    title: "VNIs",
    labels: &["vni"],
    values: |vni| vec![vni.name.clone()],
    families: &[
        counter("vni_receive_frames", "Frames that came in, from ports and from VTEPs.", |vni| Some(vni.rx.frames)),
        counter("vni_receive_bytes", "Bytes that came in, outer headers not counted.", |vni| Some(vni.rx.bytes)),
        counter("vni_transmit_frames", "Frames that went out, every copy of a flood counted.", |vni| {
            Some(vni.tx.frames)
        }),
        counter("vni_transmit_bytes", "Bytes that went out, outer headers not counted.", |vni| Some(vni.tx.bytes)),
        gauge("vni_macs", "MACs known, all origins.", |vni| Some(vni.macs as f64)),
        gauge("vni_learned_macs", "MACs learned from traffic.", |vni| Some(vni.learned as f64)),
        gauge("vni_learned_macs_limit", "Most MACs that may be learned (learning.limit).", |vni| {
            Some(vni.limit as f64)
        }),
    ],
};

/// Drops of segments.
pub static VNI_DROPS: Group<DropMeasure> = Group {
    title: "Drops by VNI",
    labels: &["vni", "reason"],
    values: |drop| vec![drop.whose.clone(), drop.reason.label().into()],
    families: &[counter(
        "vni_dropped_frames",
        "Frames dropped whose VNI was known by then. Reasons that did not occur are left out.",
        |drop| Some(drop.frames),
    )],
};

/// Remote tunnel ends.
pub static VTEPS: Group<VtepMeasure> = Group {
    title: "VTEPs",
    labels: &["vtep", "encap"],
    values: |vtep| vec![vtep.vtep.clone(), vtep.encap.clone()],
    families: &[
        gauge("vtep_up", "1 when the VTEP has a next hop whose MAC is known.", |vtep| Some(vtep.up.into())),
        counter("vtep_receive_frames", "Frames that came from the VTEP.", |vtep| Some(vtep.rx.frames)),
        counter("vtep_receive_bytes", "Bytes that came from the VTEP, outer headers not counted.", |vtep| {
            Some(vtep.rx.bytes)
        }),
        counter("vtep_transmit_frames", "Frames that went to the VTEP.", |vtep| Some(vtep.tx.frames)),
        counter("vtep_transmit_bytes", "Bytes that went to the VTEP, outer headers not counted.", |vtep| {
            Some(vtep.tx.bytes)
        }),
        gauge("vtep_macs", "MACs known behind the VTEP.", |vtep| Some(vtep.macs as f64)),
    ],
};

/// Drops of VTEPs.
pub static VTEP_DROPS: Group<DropMeasure> = Group {
    title: "Drops by VTEP",
    labels: &["vtep", "reason"],
    values: |drop| vec![drop.whose.clone(), drop.reason.label().into()],
    families: &[counter(
        "vtep_dropped_frames",
        "Frames dropped that came from the VTEP or were on the way to it. Reasons that did not occur are left out.",
        |drop| Some(drop.frames),
    )],
};
