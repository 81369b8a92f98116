//! Why a device cannot be opened, in words of who configured it: what is seen before DPDK is asked, and what its refusal
//! means. Drivers often log a C function's failure, or nothing.

use std::fs;
use std::path::Path;

use super::device::Device;
use super::{host, log};

/// Where the kernel lists what is on the PCI bus.
const PCI_DEVICES: &str = "/sys/bus/pci/devices";
/// Drivers of the kernel that DPDK works with or beside.
const FIT: [&str; 7] = ["vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "gve", "mana"];
/// DPDK's virtual devices that a port may be.
const DRIVERS: [&str; 9] = [
    "net_af_packet",
    "net_af_xdp",
    "net_memif",
    "net_null",
    "net_pcap",
    "net_ring",
    "net_tap",
    "net_vhost",
    "net_virtio_user",
];
/// Drivers that want a Linux interface that is there, and the arguments that name it.
const INTERFACES: [(&str, &[&str]); 3] =
    [("net_af_packet", &["iface"]), ("net_af_xdp", &["iface"]), ("net_pcap", &["iface", "rx_iface", "tx_iface"])];

/// What is wrong, as the end of a sentence about the device, and what to do.
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) cure: String,
}

/// Says so.
fn refusal(reason: impl Into<String>, cure: impl Into<String>) -> Option<Refusal> {
    Some(Refusal { reason: reason.into(), cure: cure.into() })
}

/// What surely keeps this device from opening.
pub(super) fn foreseen(device: &Device) -> Option<Refusal> {
    if device.pci {
        let there = Path::new(PCI_DEVICES).join(&device.name).exists();
        return if there { None } else { refusal("is not on the PCI bus", "'lspci -D' lists what is") };
    }
    let (_, arguments) = INTERFACES.iter().find(|(driver, _)| device.is(driver))?;
    if !device.is("net_pcap") && device.argument("iface").is_none() {
        return refusal("names no interface", format!("write '{},iface=NAME'", device.name));
    }
    let missing = arguments.iter().filter_map(|key| device.argument(key)).find(|name| !host::has_interface(name))?;
    refusal(
        format!("cannot be opened: this network namespace has no interface '{missing}'"),
        "'ip link' lists those that it has",
    )
}

/// What it means that DPDK refused this device; its complaints were gathered since `log::forget`.
pub(super) fn understood(device: &Device) -> Refusal {
    understood_as(device, &log::complaints("the driver does not say why"), host::is_root())
}

fn understood_as(device: &Device, said: &str, is_root: bool) -> Refusal {
    let understood = match () {
        () if !is_root => refusal(format!("cannot be opened ({said})"), "run causeway as root"),
        () if device.pci => held(&device.name, said),
        () if said.contains("failed to parse device") => unknown(device),
        () => None,
    };
    let (cannot, check) = (format!("cannot be opened ({said})"), "check its arguments, and that what they name exists");
    understood.unwrap_or(Refusal { reason: cannot, cure: check.into() })
}

/// A PCI device that DPDK did not get.
fn held(address: &str, said: &str) -> Option<Refusal> {
    let link = fs::read_link(Path::new(PCI_DEVICES).join(address).join("driver")).ok();
    let driver = link.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let bind = format!("bind it to vfio-pci: 'causeway-bind {address}' ('scripts/bind' of the source)");
    match driver {
        Some(driver) if FIT.contains(&driver.as_str()) => {
            refusal(format!("cannot be opened ({said})"), "'causeway doctor -c FILE' looks for what is in the way")
        }
        Some(driver) => refusal(format!("cannot be opened: the kernel's driver {driver} has it"), bind),
        None => refusal("cannot be opened: no driver has it".to_owned(), bind),
    }
}

/// A virtual device of a driver that DPDK has not loaded.
fn unknown(device: &Device) -> Option<Refusal> {
    let driver = device.name.trim_end_matches(|c: char| c.is_ascii_digit());
    if DRIVERS.contains(&driver) {
        let package = format!("librte-{}", driver.replace('_', "-"));
        return refusal(format!("wants DPDK's driver {driver}, which is not installed"), format!("install {package}*"));
    }
    let cure = match config::nearest(driver, DRIVERS) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", DRIVERS.join(", ")),
    };
    refusal(format!("cannot be opened: DPDK has no driver '{driver}'"), cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(refusal: Option<Refusal>) -> Option<String> {
        refusal.map(|refusal| format!("{}: {}", refusal.reason, refusal.cure))
    }

    #[test]
    fn what_is_not_there_is_seen_before_dpdk_is_asked() {
        let told = |text| told(foreseen(&Device::parse(text, 1500)));
        assert_eq!(told("ffff:ff:1f.7").as_deref(), Some("is not on the PCI bus: 'lspci -D' lists what is"));
        assert_eq!(told("net_af_packet3").as_deref(), Some("names no interface: write 'net_af_packet3,iface=NAME'"));
        let absent =
            "cannot be opened: this network namespace has no interface 'no-such-if': 'ip link' lists those that it has";
        assert_eq!(told("net_pcap0,rx_pcap=a.pcap,tx_iface=no-such-if").as_deref(), Some(absent));
        for fine in ["net_af_packet0,iface=lo", "net_tap0,iface=no-such-if", "net_null0", "net_nul0"] {
            assert_eq!(told(fine), None, "{fine}");
        }
    }

    #[test]
    fn what_dpdk_refuses_has_a_reason_and_a_cure() {
        let told =
            |text, said, root| told(Some(understood_as(&Device::parse(text, 1500), said, root))).expect("a text");
        let unparsed = "EAL: failed to parse device \"x\"";
        assert_eq!(
            told("net_af_pakcet1,iface=lo", unparsed, true),
            "cannot be opened: DPDK has no driver 'net_af_pakcet': did you mean 'net_af_packet'?"
        );
        assert_eq!(
            told("net_tap0", unparsed, true),
            "wants DPDK's driver net_tap, which is not installed: install librte-net-tap*"
        );
        assert!(
            told("eth0", unparsed, true).starts_with("cannot be opened: DPDK has no driver 'eth': there are net_af_p")
        );
        assert_eq!(told("net_null0", "no", false), "cannot be opened (no): run causeway as root");
        assert_eq!(
            told("net_null0,foo=1", "no", true),
            "cannot be opened (no): check its arguments, and that what they name exists"
        );
        assert!(
            told("ffff:ff:1f.7", "no", true).starts_with("cannot be opened: no driver has it: bind it to vfio-pci")
        );
    }
}
