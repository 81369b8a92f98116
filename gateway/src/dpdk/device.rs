//! A device as the operator writes it, and as DPDK must hear it.

/// Frame size of net_af_packet's rings when nobody says another, in bytes.
const AF_PACKET_FRAME: u32 = 2048;
/// What net_af_packet takes of a ring frame for the kernel's own header, in bytes (TPACKET_V2 with an Ethernet header).
const AF_PACKET_OVERHEAD: u32 = 66;
/// Ethernet header and two tags, in bytes.
const L2: u32 = 22;

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// DPDK's name of it: a full PCI address, or the vdev's.
    pub(super) name: String,
    /// What `rte_dev_probe` gets.
    pub(super) arguments: String,
    /// A PCI device; all others are virtual.
    pub(super) pci: bool,
}

impl Device {
    /// Reads `text`; `mtu` says how large frames become, in bytes of payload.
    pub(super) fn parse(text: &str, mtu: u16) -> Self {
        let (name, rest) = text.split_once(',').unwrap_or((text, ""));
        if let Some(name) = pci_address(name.strip_prefix("pci:").unwrap_or(name)) {
            let arguments = if rest.is_empty() { name.clone() } else { format!("{name},{rest}") };
            return Self { name, arguments, pci: true };
        }
        let mut device = Self { name: name.to_owned(), arguments: text.to_owned(), pci: false };
        if device.is("net_af_packet")
            && ["framesz", "blocksz", "framecnt"].iter().all(|key| device.argument(key).is_none())
        {
            device.arguments.push_str(&af_packet_rings(mtu));
        }
        device
    }

    /// True for a virtual device of this driver, whatever its number.
    pub(super) fn is(&self, driver: &str) -> bool {
        !self.pci && self.name.strip_prefix(driver).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The value of an argument.
    pub(super) fn argument(&self, key: &str) -> Option<&str> {
        self.arguments
            .split(',')
            .skip(1)
            .find_map(|argument| argument.split_once('=').filter(|(name, _)| *name == key))
            .map(|(_, value)| value)
    }

    /// Bytes behind the driver's headroom that each buffer must have for this device.
    pub(super) fn buffer_size(&self) -> u32 {
        if self.is("net_af_packet") { self.af_packet_frame() } else { 0 }
    }

    /// The largest payload that net_af_packet's rings carry without cutting frames silently; `None` for other devices.
    pub(super) fn ring_mtu(&self) -> Option<u32> {
        self.is("net_af_packet").then(|| self.af_packet_frame().saturating_sub(AF_PACKET_OVERHEAD + L2))
    }

    fn af_packet_frame(&self) -> u32 {
        self.argument("framesz").and_then(|value| value.parse().ok()).unwrap_or(AF_PACKET_FRAME)
    }

    /// Frames of any length and in any number of pieces pass, whatever the driver says that it can do: it has no limit
    /// of its own.
    pub(super) fn is_boundless(&self) -> bool {
        ["net_null", "net_pcap", "net_ring", "net_memif"].iter().any(|driver| self.is(driver))
    }

    /// Every queue that the device has gets frames, so every one must be polled.
    pub(super) fn has_fixed_queues(&self) -> bool {
        ["net_af_packet", "net_pcap"].iter().any(|driver| self.is(driver))
    }

    /// The driver copies, so its receive queues hold no buffers of ours while they wait.
    pub(super) fn copies(&self) -> bool {
        ["net_null", "net_pcap", "net_ring", "net_memif", "net_af_packet"].iter().any(|driver| self.is(driver))
    }
}

/// The address with its domain, in lower case; `None` for something else.
fn pci_address(text: &str) -> Option<String> {
    let hex = |text: &str, most: usize| {
        (!text.is_empty() && text.len() <= most).then(|| u32::from_str_radix(text, 16).ok()).flatten()
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (domain, bus, rest) = match parts[..] {
        [domain, bus, rest] => (hex(domain, 8)?, bus, rest),
        [bus, rest] => (0, bus, rest),
        _ => return None,
    };
    let (device, function) = rest.split_once('.')?;
    Some(format!("{domain:04x}:{:02x}:{:02x}.{:x}", hex(bus, 2)?, hex(device, 2)?, hex(function, 1)?))
}

/// Ring arguments for frames of `mtu` bytes of payload. By default the driver's rings are short, and cut longer frames
/// without a word.
fn af_packet_rings(mtu: u16) -> String {
    let needed = u32::from(mtu) + L2 + AF_PACKET_OVERHEAD;
    if needed <= AF_PACKET_FRAME {
        return ",framecnt=2048".into();
    }
    // The driver takes frames to lie back to back and the kernel wants blocks of whole pages: one frame a block.
    let size = needed.next_multiple_of(4096);
    let count = ((8 << 20) / size).max(256);
    format!(",framesz={size},blocksz={size},framecnt={count}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_may_lack_its_domain_and_carry_arguments() {
        let device = Device::parse("03:00.0,representor=0", 1500);
        assert_eq!((device.name.as_str(), device.pci), ("0000:03:00.0", true));
        assert_eq!(device.arguments, "0000:03:00.0,representor=0");
        assert!(!Device::parse("net_null0", 1500).pci);
    }

    #[test]
    fn af_packet_rings_hold_the_frames_of_the_mtu() {
        let device = Device::parse("net_af_packet0,iface=up0", 9000);
        assert_eq!(device.arguments, "net_af_packet0,iface=up0,framesz=12288,blocksz=12288,framecnt=682");
        assert!(device.ring_mtu().unwrap() >= 9000);
        assert_eq!(device.buffer_size(), 12288);
        assert!(Device::parse("net_af_packet0,iface=up0", 1500).ring_mtu().unwrap() >= 1500);
    }

    #[test]
    fn ring_arguments_of_the_operator_are_left_as_they_are() {
        let text = "net_af_packet0,iface=up0,framesz=4096,blocksz=8192";
        assert_eq!(Device::parse(text, 9000).arguments, text);
        assert_eq!(Device::parse(text, 9000).ring_mtu(), Some(4096 - 88));
    }

    #[test]
    fn drivers_are_told_apart_by_their_whole_name() {
        assert!(Device::parse("net_pcap12,rx_pcap=a", 1500).is("net_pcap"));
        assert!(!Device::parse("net_af_packet0,iface=a", 1500).is("net_af"));
    }
}
