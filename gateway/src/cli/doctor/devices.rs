//! The ports: bound to a driver that DPDK works with, behind an IOMMU, near the workers, in a slot that is fast enough.

use config::types::{Model, Port};

use super::findings::Findings;
use super::machine::{Machine, ranges};

const DEVICES: &str = "/sys/bus/pci/devices";
/// Drivers of the kernel that hand the whole device over.
const HANDED_OVER: [&str; 3] = ["vfio-pci", "uio_pci_generic", "igb_uio"];
/// Drivers of the kernel beside which DPDK works.
const SHARED: [&str; 4] = ["mlx4_core", "mlx5_core", "gve", "mana"];
/// Virtual devices of DPDK that go through the kernel, or are made for tests.
const OF_THE_KERNEL: [&str; 3] = ["net_af_packet", "net_tap", "net_pcap"];

pub fn look(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    let Some(model) = model else { return inventory(machine, findings) };
    for port in &model.ports {
        match pci_address(&port.device) {
            Some(address) => pci(machine, port, address, &model.workers.cores, findings),
            None => virtual_device(port, findings),
        }
    }
    if let Some(name) = &model.vtep.namespace {
        let path = if name.contains('/') { name.clone() } else { format!("/run/netns/{name}") };
        match machine.has(&path) {
            true => findings.good("namespace", format!("{name} is there")),
            false => findings.stops(
                "namespace",
                format!("network namespace {name} of vtep.namespace does not exist"),
                format!("ip netns add {name}"),
            ),
        }
    }
}

/// The script that binds devices, by the name that it has here.
fn bind(machine: &Machine) -> &'static str {
    if machine.has("/usr/sbin/causeway-bind") { "causeway-bind" } else { "scripts/bind" }
}

/// The address at the beginning of a device string.
fn pci_address(device: &str) -> Option<&str> {
    let name = device.split(',').next().unwrap_or(device);
    let name = name.strip_prefix("pci:").unwrap_or(name);
    (name.contains(':') && name.contains('.')).then_some(name)
}

fn virtual_device(port: &Port, findings: &mut Findings) {
    let (name, device) = (&port.name, &port.device);
    let kind = device.split(',').next().unwrap_or(device).trim_end_matches(|c: char| c.is_ascii_digit());
    match OF_THE_KERNEL.contains(&kind) {
        true => findings.slows(
            "device",
            format!("port {name} is {kind}, which copies every frame through the kernel: fine for a laboratory"),
            "name a NIC by its PCI address",
        ),
        false => findings.good("device", format!("port {name} is {kind}")),
    }
}

fn pci(machine: &Machine, port: &Port, address: &str, workers: &[u16], findings: &mut Findings) {
    const CHECK: &str = "device";
    let name = &port.name;
    let at = format!("{DEVICES}/{address}");
    if !machine.has(&at) {
        let cure = format!("'lspci -D | grep -i net' lists them, as does '{} --status'", bind(machine));
        return findings.stops(CHECK, format!("port {name}: there is no PCI device {address}"), cure);
    }
    if !machine.text(&format!("{at}/class")).is_some_and(|class| class.starts_with("0x02")) {
        return findings.stops(CHECK, format!("port {name}: {address} is no network device"), "choose another device");
    }
    let driver = machine.linked(&format!("{at}/driver"));
    match driver.as_deref() {
        Some(driver) if HANDED_OVER.contains(&driver) || SHARED.contains(&driver) => {
            findings.good(CHECK, format!("port {name}: {address} is with {driver}"));
            if driver == "vfio-pci" {
                iommu(machine, name, address, findings);
            }
        }
        Some(driver) => findings.stops(
            CHECK,
            format!("port {name}: the kernel's {driver} has {address}"),
            format!("'{} {address}' now, and 'driverctl set-override {address} vfio-pci' for good", bind(machine)),
        ),
        None => findings.stops(
            CHECK,
            format!("port {name}: no driver has {address}"),
            format!("{} {address}", bind(machine)),
        ),
    }
    slot(machine, &format!("port {name}"), &at, findings);
    node(machine, name, &at, workers, findings);
}

fn iommu(machine: &Machine, port: &str, address: &str, findings: &mut Findings) {
    const CHECK: &str = "iommu";
    if let Some(group) = machine.linked(&format!("{DEVICES}/{address}/iommu_group")) {
        let others = machine.names(&format!("/sys/kernel/iommu_groups/{group}/devices"));
        let held = others.into_iter().filter(|other| other != address).find_map(|other| {
            let driver = machine.linked(&format!("{DEVICES}/{other}/driver"))?;
            (!["vfio-pci", "pcieport"].contains(&driver.as_str())).then(|| format!("{other} ({driver})"))
        });
        return match held {
            None => findings.good(CHECK, format!("port {port} is alone in IOMMU group {group}")),
            Some(other) => findings.stops(
                CHECK,
                format!("port {port} shares IOMMU group {group} with {other}, which the kernel has"),
                "bind both to vfio-pci, or use another slot",
            ),
        };
    }
    let unsafe_mode = machine.text("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    match unsafe_mode.is_some_and(|mode| mode == "Y" || mode == "1") {
        true => findings.note(
            CHECK,
            format!("port {port} has no IOMMU: the device can write to all memory of this machine"),
            "enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on iommu=pt",
        ),
        false => findings.stops(
            CHECK,
            format!("port {port} has no IOMMU, and VFIO refuses devices without one"),
            "enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on iommu=pt",
        ),
    }
}

/// The link between the device and the CPU: as fast and as wide as the device can.
fn slot(machine: &Machine, whose: &str, at: &str, findings: &mut Findings) {
    const CHECK: &str = "slot";
    let speed = |file| machine.text(&format!("{at}/{file}"))?.split(' ').next()?.parse::<f64>().ok();
    let width = |file| machine.number::<u32>(&format!("{at}/{file}")).filter(|width| (1..=32).contains(width));
    let (Some(speed_now), Some(speed_max)) = (speed("current_link_speed"), speed("max_link_speed")) else { return };
    let (Some(width_now), Some(width_max)) = (width("current_link_width"), width("max_link_width")) else { return };
    // What 8b/10b and 128b/130b leave of the lanes' bits, and packet headers of that: about four fifths.
    let gigabits = (speed_now * f64::from(width_now) * 0.8).round();
    let now = format!("{speed_now} GT/s x{width_now}, about {gigabits} Gbit/s each way");
    match speed_now < speed_max || width_now < width_max {
        true => findings.slows(
            CHECK,
            format!("{whose}: its PCIe slot gives {now}; the device can {speed_max} GT/s x{width_max}"),
            "move it to a faster or wider slot, seat it anew, or see the firmware's settings for the slot",
        ),
        false => findings.good(CHECK, format!("{whose}: {now}")),
    }
}

fn node(machine: &Machine, port: &str, at: &str, workers: &[u16], findings: &mut Findings) {
    const CHECK: &str = "numa";
    // Minus one: the machine has one node, or does not say.
    let Some(node) = machine.number::<u16>(&format!("{at}/numa_node")) else { return };
    let far: Vec<u16> =
        workers.iter().copied().filter(|&core| machine.node_of_core(core).is_some_and(|other| other != node)).collect();
    match far.is_empty() {
        true => findings.good(CHECK, format!("port {port} and all workers are on node {node}")),
        false => findings.slows(
            CHECK,
            format!("port {port} is on node {node}, the workers on {} are not: each frame crosses over", ranges(&far)),
            format!("use cores of /sys/devices/system/node/node{node}/cpulist"),
        ),
    }
}

/// Without a configuration: which NICs there are, and who has them.
fn inventory(machine: &Machine, findings: &mut Findings) {
    let devices: Vec<String> = (machine.names(DEVICES).into_iter())
        .filter(|name| machine.text(&format!("{DEVICES}/{name}/class")).is_some_and(|class| class.starts_with("0x02")))
        .collect();
    if devices.is_empty() {
        findings.note(
            "device",
            "there is no network device on the PCI bus",
            "virtual devices work: see config/examples",
        );
    }
    for address in &devices {
        let driver = machine.linked(&format!("{DEVICES}/{address}/driver")).unwrap_or_else(|| "no driver".into());
        match HANDED_OVER.contains(&driver.as_str()) || SHARED.contains(&driver.as_str()) {
            true => findings.good("device", format!("{address} is with {driver}: DPDK can have it")),
            false => findings.note(
                "device",
                format!("{address} is with {driver}"),
                format!("where it shall be a port: {} {address}", bind(machine)),
            ),
        }
        slot(machine, address, &format!("{DEVICES}/{address}"), findings);
    }
    if !devices.is_empty() && machine.names("/sys/kernel/iommu_groups").is_empty() {
        findings.note(
            "iommu",
            "there is no IOMMU, and VFIO refuses devices without one",
            "enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on iommu=pt",
        );
    }
}
