//! Tables of neighbours and of access lists.

use super::super::table::{Side::*, Table, short};
use super::wrap;
use crate::control::view::{NeighbourView, RuleView};

/// `show neighbours`.
pub fn neighbours(neighbours: &[NeighbourView]) -> String {
    if neighbours.is_empty() {
        return "no addresses: give 'neighbours' to a VNI, or an 'ip' to its static MACs\n".into();
    }
    let mut table = Table::new(&[
        ("VNI", Name(8)),
        ("IP", Left),
        ("MAC", Left),
        ("ORIGIN", Left),
        ("ROUTER", Left),
        ("ANSWERED", Left),
    ]);
    let word = |value: bool| if value { "yes" } else { "no" }.to_owned();
    for one in neighbours {
        table.row([
            one.vni.clone(),
            one.ip.clone(),
            one.mac.clone(),
            one.origin.clone(),
            word(one.router),
            word(one.answered),
        ]);
    }
    let silent = neighbours.iter().any(|one| !one.answered);
    let hint = if silent { "\nWhere ANSWERED is no, the VNI lacks 'neigh_suppress: true'.\n" } else { "" };
    format!("{table}{hint}")
}

/// `show rules`: each list, where it applies, and its rules.
pub fn rules(rules: &[RuleView]) -> String {
    if rules.is_empty() {
        return "no access lists\n".into();
    }
    let mut text = String::new();
    for list in rules.chunk_by(|one, next| one.list == next.list && next.number > one.number) {
        let users = match list[0].used_by.as_slice() {
            [] => "nothing".into(),
            users => users.join(", "),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        wrap(&format!("{}, used by {users}", list[0].list), "", &mut text);
        let mut table = Table::new(&[("#", Right), ("ACTION", Left), ("HITS", Right), ("MATCHES", List(20))]);
        for rule in list {
            let matches = if rule.matches.is_empty() { "everything" } else { &rule.matches };
            table.row([rule.number.to_string(), rule.action.clone(), short(rule.hits), matches.into()]);
        }
        text.push_str(&table.to_string());
    }
    text.push_str("\nWhat no rule of a list matches passes it.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stand_one_below_the_other_with_their_rules() {
        let rule = |list: &str, number, action: &str, matches: &str, hits| RuleView {
            list: list.into(),
            number,
            action: action.into(),
            matches: matches.into(),
            hits,
            used_by: vec!["srv1 vlan 10".into(), "vni 10010".into()],
        };
        let text = rules(&[
            rule("web", 1, "permit", "protocol tcp, destination_port 80", 7),
            rule("web", 2, "deny", "", 0),
            rule("none", 1, "deny", "ethertype 0x88cc", 1),
        ]);
        assert_eq!(
            text,
            "web, used by srv1 vlan 10, vni 10010\n\
             #  ACTION  HITS  MATCHES\n\
             1  permit     7  protocol tcp, destination_port 80\n\
             2  deny       0  everything\n\
             \n\
             none, used by srv1 vlan 10, vni 10010\n\
             #  ACTION  HITS  MATCHES\n\
             1  deny       1  ethertype 0x88cc\n\
             \n\
             What no rule of a list matches passes it.\n"
        );
        assert_eq!(rules(&[]), "no access lists\n");
    }
}
