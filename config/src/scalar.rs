//! Texts that mean something: addresses, names, devices. Each gives the value, or what is wrong and the cure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::reader::excerpt;
use crate::types::Mac;

/// A value, or (what is wrong, the cure).
pub(crate) type Checked<T> = Result<T, (String, String)>;

fn bad<T>(rule: String, cure: &str) -> Checked<T> {
    Err((rule, cure.to_owned()))
}

/// A MAC address of one station.
pub(crate) fn station(text: &str) -> Checked<Mac> {
    let cure = "write six bytes like 02:00:00:00:00:05";
    let mac: Mac = match text.parse() {
        Ok(mac) => mac,
        Err(_) => return bad(format!("'{}' is not a MAC address", excerpt(text)), cure),
    };
    if mac.is_zero() {
        return bad(format!("{mac} is no station's address"), "give the station's own MAC address");
    }
    if mac.is_group() {
        return bad(format!("{mac} is a group address"), "give a station's own MAC address (first byte even)");
    }
    Ok(mac)
}

/// Any IP address.
pub(crate) fn address(text: &str) -> Checked<IpAddr> {
    let cure = "write an address like 10.0.0.12 or \"2001:db8::12\"";
    match text.parse() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            bad(format!("{v6} is an IPv4 address in disguise"), "write the IPv4 address itself")
        }
        Ok(address) => Ok(address),
        Err(_) if text.contains('/') => {
            bad(format!("'{}' has a prefix length", excerpt(text)), "write the address alone, without '/'")
        }
        Err(_) => bad(format!("'{}' is not an IP address", excerpt(text)), cure),
    }
}

/// An address that a tunnel can end at.
pub(crate) fn unicast(text: &str) -> Checked<IpAddr> {
    let address = address(text)?;
    let why = match address {
        _ if address.is_multicast() => "a multicast address",
        _ if address.is_unspecified() => "no address",
        _ if address.is_loopback() => "a loopback address, which never leaves a host",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240 => "a reserved address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "a link-local address, which is not routed",
        _ => return Ok(address),
    };
    bad(format!("{address} is {why}"), "give the unicast address of a tunnel end")
}

/// An address that a segment's flood traffic can be sent to.
pub(crate) fn group(text: &str) -> Checked<IpAddr> {
    let address = address(text)?;
    if !address.is_multicast() {
        return bad(
            format!("{address} is not a multicast address"),
            "use a group in 224.0.0.0/4 or ff00::/8, such as 239.1.1.1 or \"ff05::1:1\"; list single VTEPs under 'vteps'",
        );
    }
    let link_local = match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.octets()[1] & 0x0f <= 2 && v6.octets()[1] & 0x0f != 0 || v6.octets()[1] & 0x0f == 0,
    };
    if link_local {
        return bad(
            format!("{address} is for protocols of one link and never routed"),
            "use an administratively scoped group such as 239.1.1.1 or \"ff05::1:1\"",
        );
    }
    Ok(address)
}

/// An interface address with its prefix length.
pub(crate) fn interface_address(text: &str) -> Checked<(IpAddr, u8)> {
    let Some((ip, prefix)) = text.split_once('/') else {
        let what = address(text)?;
        let example = if what.is_ipv4() { "/24" } else { "/64" };
        return bad(format!("{what} has no prefix length"), &format!("add the subnet's, like {what}{example}"));
    };
    let ip = address(ip)?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix.parse::<u8>() {
        Ok(length) if (1..=most).contains(&length) => length,
        _ => {
            return bad(
                format!("'/{}' is not a prefix length of {ip}", excerpt(prefix)),
                &format!("use /1 to /{most}"),
            );
        }
    };
    if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() {
        return bad(format!("{ip} cannot be an interface's address"), "give a unicast address");
    }
    if let IpAddr::V4(v4) = ip
        && prefix < 31
        && (v4.to_bits() << prefix == 0 || v4.to_bits() << prefix == u32::MAX << prefix)
    {
        return bad(format!("{ip} is the network's or broadcast address of its /{prefix}"), "give a host's address");
    }
    Ok((ip, prefix))
}

/// True when `address` lies in the subnet.
pub(crate) fn contains((subnet, prefix): (IpAddr, u8), address: IpAddr) -> bool {
    match (subnet, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same_bits(wide_v4(a), wide_v4(b), prefix),
        (IpAddr::V6(a), IpAddr::V6(b)) => same_bits(a.to_bits(), b.to_bits(), prefix),
        _ => false,
    }
}

fn wide_v4(address: Ipv4Addr) -> u128 {
    u128::from(address.to_bits()) << 96
}

fn same_bits(a: u128, b: u128, prefix: u8) -> bool {
    (a ^ b).leading_zeros() >= u32::from(prefix)
}

/// Splits an address by family.
pub(crate) fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// Link-local, so that it needs no subnet.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if Ipv6Addr::is_unicast_link_local(&v6))
}

/// The name of a port or segment.
pub(crate) fn name(text: &str) -> Checked<String> {
    let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !fits || text.is_empty() || text.len() > 32 {
        return bad(format!("'{}' cannot be a name", excerpt(text)), "use 1 to 32 letters, digits, '-', '_' and '.'");
    }
    Ok(text.to_owned())
}

/// The name of a Linux interface.
pub(crate) fn interface(text: &str) -> Checked<String> {
    let fits = text.chars().all(|c| c.is_ascii_graphic() && !"/:%".contains(c));
    if !fits || text.is_empty() || text.len() > 15 || text == "." || text == ".." {
        return bad(
            format!("'{}' cannot be the name of a Linux interface", excerpt(text)),
            "use 1 to 15 letters, digits, '-', '_' and '.'",
        );
    }
    Ok(text.to_owned())
}

/// A network namespace: a name below /run/netns, or a path.
pub(crate) fn namespace(text: &str) -> Checked<String> {
    let is_name = !text.contains('/') && text != "." && text != ".." && !text.is_empty() && text.len() <= 255;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) || !(is_name || text.starts_with('/')) {
        return bad(
            format!("'{}' is not a network namespace", excerpt(text)),
            "give a name as 'ip netns' lists it, or a path such as /proc/1/ns/net",
        );
    }
    Ok(text.to_owned())
}

/// A file prefix of DPDK: part of a file name.
/// A folder: an absolute path, because nobody knows where a service is at home.
pub(crate) fn folder(text: &str) -> Checked<std::path::PathBuf> {
    match text.starts_with('/') && !text.contains('\0') {
        true => Ok(text.into()),
        false => Err((format!("'{text}' is not an absolute path"), "begin it with '/', like /var/lib/causeway".into())),
    }
}

pub(crate) fn file_prefix(text: &str) -> Checked<String> {
    name(text)
}

/// A group of users: its name, or its number.
pub(crate) fn user_group(text: &str) -> Checked<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if text.is_empty() || text.len() > 32 || text.starts_with('-') || !text.chars().all(good) {
        return bad(
            format!("'{}' cannot be the name of a group", excerpt(text)),
            "give one that 'getent group' lists, or its number",
        );
    }
    Ok(text.to_owned())
}

/// Permissions in octal, as chmod takes them. The owner must be able to read and write.
pub(crate) fn mode(text: &str) -> Checked<u32> {
    let octal = text.len() <= 4 && text.chars().all(|c| c.is_digit(8));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if octal && mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
        Ok(mode) if octal && mode <= 0o777 => {
            bad(format!("mode {text} locks the owner out"), "let the first digit be 6: \"0660\", \"0600\" or \"0666\"")
        }
        _ => bad(
            format!("'{}' are no permissions", excerpt(text)),
            "write them in octal, as chmod takes them: \"0660\", \"0600\" or \"0666\"",
        ),
    }
}

/// A DPDK device: a PCI address (made complete), another bus's name, or a vdev string.
pub(crate) fn device(text: &str) -> Checked<String> {
    if let Some(address) = pci(text) {
        return Ok(address);
    }
    let graphic = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    let driver = ["net_", "eth_", "virtio_user"].iter().any(|start| text.starts_with(start));
    if graphic && (driver || text.split(',').next().is_some_and(|bus| bus.contains(':'))) {
        return Ok(text.to_owned());
    }
    let interface = graphic && text.len() <= 15 && !text.contains(',');
    let cure = if interface {
        format!(
            "for a NIC give its PCI address (see 'ethtool -i {text}'), for a kernel interface \
             \"net_af_packet0,iface={text}\""
        )
    } else {
        "give a PCI address like \"0000:3b:00.0\" or a vdev like \"net_af_packet0,iface=veth0\"".to_owned()
    };
    bad(format!("'{}' is not a DPDK device", excerpt(text)), &cure)
}

/// `dddd:bb:dd.f` from itself or from `bb:dd.f`, as DPDK spells it.
fn pci(text: &str) -> Option<String> {
    let hex = |part: &str, digits: usize| part.len() == digits && part.chars().all(|c| c.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split(':').collect();
    let (domain, bus, rest) = match parts[..] {
        [domain, bus, rest] => (domain, bus, rest),
        [bus, rest] => ("0000", bus, rest),
        _ => return None,
    };
    let (slot, arguments) = rest.split_once(',').map_or((rest, None), |(slot, arguments)| (slot, Some(arguments)));
    let (device, function) = slot.split_once('.')?;
    let fits = hex(domain, 4) && hex(bus, 2) && hex(device, 2) && hex(function, 1);
    let address = format!("{domain}:{bus}:{device}.{function}").to_lowercase();
    fits.then(|| match arguments {
        Some(arguments) => format!("{address},{arguments}"),
        None => address,
    })
}

/// Bytes written as pairs of hexadecimal digits.
pub(crate) fn hex(text: &str) -> Checked<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if !digits.chars().all(|c| c.is_ascii_hexdigit()) || !digits.len().is_multiple_of(2) {
        return bad(
            format!("'{}' is not bytes in hexadecimal", excerpt(text)),
            "write pairs of digits like \"00c0ffee\"",
        );
    }
    Ok((0..digits.len()).step_by(2).filter_map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        assert_eq!(device("0000:3B:00.1").as_deref(), Ok("0000:3b:00.1"));
        assert_eq!(device("3b:00.1").as_deref(), Ok("0000:3b:00.1"));
        assert_eq!(device("3b:00.1,rx_vec_en=0").as_deref(), Ok("0000:3b:00.1,rx_vec_en=0"));
        for fine in [
            "net_af_packet0,iface=veth0",
            "net_pcap0,rx_pcap=a b".split(' ').next().unwrap_or(""),
            "auxiliary:mlx5_core.sf.4",
        ] {
            assert_eq!(device(fine).as_deref(), Ok(fine));
        }
        assert!(device("eth0").is_err_and(|(_, cure)| cure.contains("net_af_packet0,iface=eth0")));
        assert!(device("").is_err() && device("net_tap0, iface=x").is_err());
    }

    #[test]
    fn addresses() {
        assert!(unicast("10.0.0.1").is_ok() && unicast("2001:db8::1").is_ok());
        for refused in [
            "224.0.0.1",
            "0.0.0.0",
            "127.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "ff05::1",
            "::ffff:10.0.0.1",
            "10.0.0.1/24",
            "10.0.0",
            "x",
        ] {
            assert!(unicast(refused).is_err(), "{refused}");
        }
        assert!(group("239.1.1.1").is_ok() && group("ff05::1:1").is_ok() && group("ff0e::1").is_ok());
        for refused in ["10.0.0.1", "224.0.0.18", "ff02::1", "ff01::1", "2001:db8::1"] {
            assert!(group(refused).is_err(), "{refused}");
        }
        assert!(interface_address("10.0.0.11/24").is_ok() && interface_address("10.0.0.0/31").is_ok());
        assert!(interface_address("10.0.0.11/32").is_ok() && interface_address("2001:db8::/64").is_ok());
        for refused in ["10.0.0.11", "10.0.0.11/33", "10.0.0.11/0", "10.0.0.0/24", "10.0.0.255/24", "::1/128", "x/8"] {
            assert!(interface_address(refused).is_err(), "{refused}");
        }
        let net = |text| interface_address(text).unwrap_or_else(|_| panic!("{text}"));
        assert!(contains(net("10.0.0.11/24"), IpAddr::from([10, 0, 0, 200])));
        assert!(!contains(net("10.0.0.11/24"), IpAddr::from([10, 0, 1, 11])));
        assert!(contains(net("2001:db8::1/64"), "2001:db8::ffff".parse().unwrap_or(IpAddr::from([0; 4]))));
    }

    #[test]
    fn names_and_bytes() {
        assert!(
            name("srv-1.a_b").is_ok() && name("").is_err() && name("a b").is_err() && name(&"x".repeat(33)).is_err()
        );
        assert!(interface("cw-up0").is_ok() && interface("a/b").is_err() && interface("sixteen-letters-").is_err());
        assert!(namespace("fabric").is_ok() && namespace("/proc/1/ns/net").is_ok());
        assert!(namespace("../x").is_err() && namespace("").is_err() && namespace("a b").is_err());
        assert_eq!(hex("00c0FFee"), Ok(vec![0, 0xc0, 0xff, 0xee]));
        assert!(hex("abc").is_err() && hex("zz").is_err() && hex("é").is_err());
        assert!(station("02:00:00:00:00:05").is_ok());
        for refused in ["00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "02:00", "x"] {
            assert!(station(refused).is_err(), "{refused}");
        }
    }
}
