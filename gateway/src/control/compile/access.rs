//! Access lists: from the operator's rules to what cores compare.

use std::collections::HashMap;
use std::net::IpAddr;

use config::types::{AccessList, AccessRule, Mac, Model};

use crate::tables::{List, ListId, Rule, Rules};

/// The numbers under which hits of rules are counted. A rule keeps its number while its list has it, wherever in the list,
/// and no number is used twice.
#[derive(Debug, Default)]
pub struct Serials {
    /// List, rule, and how many equal ones stand before it in that list.
    known: HashMap<(String, AccessRule, usize), u64>,
    next: u64,
}

/// The cores' number of a list.
pub fn id(list: Option<usize>) -> ListId {
    ListId(list.map_or(0, |index| index as u16 + 1))
}

/// All lists of a model.
pub fn compile(model: &Model, serials: &mut Serials) -> Rules {
    let mut rules = Rules::default();
    let mut known = HashMap::new();
    rules.lists.push(List::default());
    for AccessList { name, rules: settings } in &model.access_lists {
        let first = rules.rules.len() as u32;
        let mut equal: HashMap<&AccessRule, usize> = HashMap::new();
        for setting in settings {
            let place = equal.entry(setting).or_default();
            let key = (name.clone(), setting.clone(), *place);
            *place += 1;
            let serial = serials.known.get(&key).copied().unwrap_or_else(|| {
                serials.next += 1;
                serials.next
            });
            known.insert(key, serial);
            rules.serials.push(serial);
            rules.rules.push(rule(setting));
        }
        let end = rules.rules.len() as u32;
        let reads_ports = rules.rules[first as usize..].iter().any(|rule| rule.reads_ports);
        rules.lists.push(List { first, end, reads_ports });
    }
    serials.known = known;
    rules
}

fn rule(setting: &AccessRule) -> Rule {
    let mac = |given: Option<(Mac, Mac)>| given.map_or((0, 0), |(mac, mask)| (word(mac), word(mask)));
    let (source_mac, source_mask) = mac(setting.source_mac);
    let (destination_mac, destination_mask) = mac(setting.destination_mac);
    let prefix = |given: Option<(IpAddr, u8)>| given.map_or((0, 0), |(address, length)| bits(address, length));
    let (source, source_bits) = prefix(setting.source);
    let (destination, destination_bits) = prefix(setting.destination);
    let any_port = (0, u16::MAX);
    Rule {
        macs: [source_mac, destination_mac],
        mac_masks: [source_mask, destination_mask],
        addresses: [source, destination],
        address_masks: [source_bits, destination_bits],
        ports: [setting.source_ports.unwrap_or(any_port), setting.destination_ports.unwrap_or(any_port)],
        reads_ports: setting.source_ports.is_some() || setting.destination_ports.is_some(),
        ethertype: setting.ethertype.unwrap_or(0),
        protocol: setting.protocol.map_or(Rule::ANY, u16::from),
        family: match setting.source.or(setting.destination) {
            None => 0,
            Some((IpAddr::V4(_), _)) => 4,
            Some((IpAddr::V6(_), _)) => 6,
        },
        fragments: setting.fragments,
        permit: setting.permit,
    }
}

fn word(mac: Mac) -> u64 {
    crate::wire::ethernet::mac_word(&mac.0, 0)
}

/// The address as a number, and its bits that count.
fn bits(address: IpAddr, length: u8) -> (u128, u128) {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            (u128::from(v4.to_bits()), u128::from(mask))
        }
        IpAddr::V6(v6) => (v6.to_bits(), u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::model;

    fn compiled(lists: &str, serials: &mut Serials) -> Rules {
        let text = format!(
            "version: 1\nports:\n  - {{name: srv1, device: net_null1, access_list: a, vlans: [{{vlan: 1, vni: 1}}]}}\n\
             vnis: [{{vni: 1}}]\naccess_lists:\n{lists}"
        );
        compile(&model(&text), serials)
    }

    #[test]
    fn a_rule_keeps_its_number_while_its_list_has_it() {
        let mut serials = Serials::default();
        let (telnet, all) = ("{action: deny, protocol: tcp, destination_port: 23}", "{action: permit}");
        let before = compiled(&format!("  - {{name: a, rules: [{telnet}, {telnet}, {all}]}}\n"), &mut serials);
        assert_eq!(before.serials, [1, 2, 3]);
        let other = "{action: deny, ethertype: 0x88cc}";
        let after = compiled(&format!("  - {{name: a, rules: [{other}, {telnet}, {all}]}}\n"), &mut serials);
        assert_eq!(after.serials, [4, 1, 3]);
        let again = compiled(&format!("  - {{name: a, rules: [{telnet}, {telnet}]}}\n"), &mut serials);
        assert_eq!(again.serials, [1, 5], "what was gone is another rule");
        assert_eq!(again.lists, [List::default(), List { first: 0, end: 2, reads_ports: true }]);
    }

    #[test]
    fn prefixes_and_masks_are_bits() {
        let mut serials = Serials::default();
        let rules = compiled(
            "  - name: a\n    rules:\n\
             \x20     - {action: deny, source: 10.1.0.0/16, source_mac: \"02:00:00:00:00:00/ff:ff:ff:00:00:00\"}\n\
             \x20     - {action: deny, destination: \"2001:db8::/32\", protocol: udp, source_port: 5-7}\n",
            &mut serials,
        );
        let [v4, v6] = &rules.rules[..] else { panic!("two rules") };
        assert_eq!((v4.addresses[0], v4.address_masks), (0x0a01_0000, [0xffff_0000, 0]));
        assert_eq!((v4.macs[0], v4.mac_masks), (0x0200_0000_0000, [0xffff_ff00_0000, 0]));
        assert_eq!((v4.family, v6.family, v6.protocol), (4, 6, 17));
        assert_eq!((v6.address_masks[1] >> 96, v6.ports), (0xffff_ffff, [(5, 7), (0, 65535)]));
    }
}
