//! Access lists, and who refers to them.

use std::net::IpAddr;

use super::Placed;
use super::port::once;
use crate::access::{AccessList, AccessRule};
use crate::document::At;
use crate::reader::{Fields, Reader, excerpt};
use crate::scalar;
use crate::suggest::nearest;
use crate::types::Mac;

/// Lists that fit the cores' numbers.
const MOST_LISTS: usize = 65_534;

/// An access list as the file has it.
pub(super) struct ListDraft {
    pub(super) at: At,
    name: Option<Placed<String>>,
    list: AccessList,
}

pub(super) fn read_all(reader: &Reader, root: &Fields<'_>) -> Vec<ListDraft> {
    let items = root.items("access_lists");
    if items.len() > MOST_LISTS {
        let rule = format!("{} access lists are too many", items.len());
        reader.error(root.place("access_lists"), rule, format!("use at most {MOST_LISTS}"));
    }
    let lists: Vec<_> = items.into_iter().filter_map(|item| list(reader, item)).collect();
    once(reader, "access list", lists.iter().filter_map(|list| list.name.clone()), "name each list differently");
    lists
}

/// The checked lists.
pub(super) fn lists(drafts: &[ListDraft]) -> Vec<AccessList> {
    drafts.iter().map(|draft| draft.list.clone()).collect()
}

/// The key `access_list` of a port, a VLAN or a VNI.
pub(super) fn reference(fields: &Fields<'_>) -> Option<Placed<String>> {
    fields.read("access_list", scalar::name)
}

/// The list that is referred to, by its index.
pub(super) fn find(reader: &Reader, drafts: &[ListDraft], named: Option<&Placed<String>>) -> Option<usize> {
    let (name, at) = named?;
    let names = || drafts.iter().filter_map(|draft| draft.name.as_ref().map(|(name, _)| name.as_str()));
    let found = drafts.iter().position(|draft| draft.name.as_ref().is_some_and(|(own, _)| own == name));
    if found.is_none() && drafts.iter().all(|draft| draft.name.is_some()) {
        let cure = match nearest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "use the name of a list under 'access_lists'".to_owned(),
        };
        reader.error(*at, format!("there is no access list '{name}'"), cure);
    }
    found
}

fn list(reader: &Reader, at: At) -> Option<ListDraft> {
    let fields = reader.fields(at)?;
    fields.need("name", "name the list, like 'servers'");
    fields.need("rules", "list its rules, like '- {action: deny, protocol: tcp, destination_port: 23}'");
    let name = fields.read("name", scalar::name);
    let items = fields.items("rules");
    if items.is_empty() && fields.get("rules").is_some() {
        reader.error(fields.place("rules"), "a list without rules", "give it rules, or remove it");
    }
    let mut rules = Vec::new();
    let mut last: Option<At> = None;
    for item in items {
        if let Some(catch_all) = last.take() {
            let rule = format!("never reached: the rule in {} matches every frame", reader.line(catch_all));
            reader.warning(item, rule, "move it up, or remove it");
        }
        let Some(read) = rule(reader, item) else { continue };
        if read == AccessRule::all(read.permit) {
            last = Some(item);
        }
        rules.push(read);
    }
    fields.done();
    let list = AccessList { name: name.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(), rules };
    Some(ListDraft { at, name, list })
}

fn rule(reader: &Reader, at: At) -> Option<AccessRule> {
    let fields = reader.fields(at)?;
    fields.need("action", "say what happens to frames that match: 'permit' or 'deny'");
    let action = fields.word("action", &[("permit", true), ("deny", false)]);
    let protocols = [("tcp", 6), ("udp", 17), ("icmp", 1), ("icmpv6", 58), ("sctp", 132)];
    let ethertypes = [("ipv4", 0x0800), ("ipv6", 0x86dd), ("arp", 0x0806)];
    let rule = AccessRule {
        permit: action.unwrap_or(false),
        source_mac: fields.read("source_mac", masked_mac).map(|(mac, _)| mac),
        destination_mac: fields.read("destination_mac", masked_mac).map(|(mac, _)| mac),
        ethertype: number_or_word(&fields, "ethertype", "an ethertype", &ethertypes, (0x0600, 0xffff)),
        source: fields.read("source", prefix).map(|(prefix, _)| prefix),
        destination: fields.read("destination", prefix).map(|(prefix, _)| prefix),
        protocol: number_or_word(&fields, "protocol", "an IP protocol", &protocols, (0, 255)).map(|one| one as u8),
        source_ports: ports(&fields, "source_port"),
        destination_ports: ports(&fields, "destination_port"),
        fragments: fields.bool("fragments").unwrap_or(false),
    };
    sense(&fields, &rule);
    fields.done();
    action.map(|_| rule)
}

/// What no frame could match is a mistake.
fn sense(fields: &Fields<'_>, rule: &AccessRule) {
    let reader = fields.reader;
    if let (Some((source, _)), Some((destination, _))) = (rule.source, rule.destination)
        && source.is_ipv4() != destination.is_ipv4()
    {
        let what = "'source' and 'destination' are of two families: no packet matches";
        reader.error(fields.place("destination"), what, "write one rule for IPv4 and one for IPv6");
    }
    let family = rule.source.or(rule.destination).map(|(address, _)| if address.is_ipv4() { 0x0800 } else { 0x86dd });
    let speaks_ip = |ethertype| matches!(ethertype, 0x0800 | 0x86dd);
    let needs_ip = family.is_some() || rule.protocol.is_some() || rule.fragments;
    if let Some(ethertype) = rule.ethertype
        && (needs_ip && !speaks_ip(ethertype) || family.is_some_and(|family| family != ethertype))
    {
        let what = "the ethertype contradicts the rest of the rule: no frame matches";
        reader.error(fields.place("ethertype"), what, "remove 'ethertype': addresses and protocols say it already");
    }
    let has_ports = matches!(rule.protocol, Some(6 | 17 | 33 | 132 | 136));
    for (key, given) in
        [("source_port", fields.get("source_port")), ("destination_port", fields.get("destination_port"))]
    {
        let Some(at) = given else { continue };
        if rule.fragments {
            reader.error(
                at,
                "later fragments have no ports: no packet matches",
                format!("remove '{key}' or 'fragments'"),
            );
        } else if !has_ports && (fields.get("protocol").is_none() || rule.protocol.is_some()) {
            reader.error(at, "a port without a protocol that has ports", "add 'protocol: tcp' or 'protocol: udp'");
        }
    }
}

fn number_or_word(
    fields: &Fields<'_>,
    key: &'static str,
    what: &str,
    words: &[(&str, u16)],
    (least, most): (u64, u64),
) -> Option<u16> {
    let at = fields.get(key)?;
    if fields.reader.document.starts_with_digit(at) {
        return fields.int(key, what, least..=most);
    }
    fields.word(key, words)
}

/// One port, or first and last.
fn ports(fields: &Fields<'_>, key: &'static str) -> Option<(u16, u16)> {
    let at = fields.get(key)?;
    let (ports, _) = fields.read(key, |text| {
        let port = |text: &str| text.trim().parse::<u16>().ok();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok((first, last)),
            (Some(first), Some(last)) => {
                Err((format!("the range {first}-{last} is empty"), format!("write {last}-{first}")))
            }
            _ => Err((format!("'{}' is no port", excerpt(text)), "use 0 to 65535, or a range like 1024-65535".into())),
        }
    })?;
    _ = at;
    Some(ports)
}

/// A MAC, or a MAC and the bits of it that count.
fn masked_mac(text: &str) -> scalar::Checked<(Mac, Mac)> {
    let (mac, mask) = text.split_once('/').unwrap_or((text, "ff:ff:ff:ff:ff:ff"));
    let read = |part: &str| part.trim().parse::<Mac>();
    let (Ok(mac), Ok(mask)) = (read(mac), read(mask)) else {
        let rule = format!("'{}' is not a MAC address", excerpt(text));
        return Err((
            rule,
            "write it like 02:00:00:00:00:05, or with a mask: 02:00:00:00:00:00/ff:ff:ff:00:00:00".into(),
        ));
    };
    let fits = mac.0.iter().zip(mask.0).all(|(byte, mask)| byte & !mask == 0);
    if !fits {
        let bits: Vec<u8> = mac.0.iter().zip(mask.0).map(|(byte, mask)| byte & mask).collect();
        let meant = Mac(bits.try_into().unwrap_or_default());
        return Err((format!("{mac} has bits outside of its mask"), format!("write {meant}/{mask}")));
    }
    Ok((mac, mask))
}

/// An address or a prefix, with no bits behind its length.
fn prefix(text: &str) -> scalar::Checked<(IpAddr, u8)> {
    let Some((address, length)) = text.split_once('/') else {
        let address = scalar::address(text)?;
        return Ok((address, if address.is_ipv4() { 32 } else { 128 }));
    };
    let address = scalar::address(address)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let Some(length) = length.parse::<u8>().ok().filter(|length| *length <= most) else {
        return Err((
            format!("'/{}' is not a prefix length of {address}", excerpt(length)),
            format!("use /0 to /{most}"),
        ));
    };
    let network = network(address, length);
    if network != address {
        return Err((format!("{address}/{length} has bits behind its length"), format!("write {network}/{length}")));
    }
    Ok((address, length))
}

/// The address with the bits behind `length` cleared.
fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}
