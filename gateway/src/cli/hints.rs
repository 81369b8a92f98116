//! Words of other systems, and what they are called here: what a command line that was not understood is told.

use std::net::IpAddr;

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use config::types::Mac;

/// Commands that others have, and ours.
const COMMANDS: [(&[&str], &str); 7] = [
    (&["help"], "causeway --help"),
    (&["version"], "causeway --version"),
    (&["status", "health"], "causeway show health"),
    (&["reload", "load", "commit"], "causeway apply FILE"),
    (&["start"], "causeway run -c FILE"),
    (&["validate", "lint", "test"], "causeway check FILE"),
    (&["monitor", "capture", "tcpdump", "dump"], "causeway trace"),
];

/// What others show, and ours.
const SHOWN: [(&[&str], &str); 9] = [
    (&["mac", "macs", "mac-address-table", "mac-table", "l2fib"], "causeway show fdb"),
    (&["interface", "interfaces", "int"], "causeway show ports"),
    (&["vlan", "vlans", "segments", "networks", "bridge-domains", "bridge-domain"], "causeway show vnis"),
    (&["tunnel", "tunnels", "vxlan", "geneve", "peer", "peers", "remote", "remotes", "nve"], "causeway show vteps"),
    (&["arp", "nd", "neigh", "ip-neighbours"], "causeway show next-hops' or 'causeway show neighbours"),
    (&["running-config", "configuration", "run"], "causeway show config"),
    (&["counters", "stats", "statistics", "errors"], "causeway show ports' or 'causeway show drops"),
    (&["acl", "acls", "access-lists"], "causeway show rules"),
    (&["status", "summary"], "causeway show health"),
];

/// The options that a bare word after these commands was meant for.
const BARE: [(&str, &str); 8] = [
    ("causeway run", "-c"),
    ("causeway show ports", "--port"),
    ("causeway show vnis", "--vni"),
    ("causeway show vteps", "--vtep"),
    ("causeway show fdb", "--vni"),
    ("causeway show drops", "--port"),
    ("causeway trace", "--port"),
    ("causeway explain", "--port"),
];

/// The same error, with what was meant in place of the words that clap finds alike.
pub fn hinted(mut error: Error) -> Error {
    if let Some(hint) = hint(&error) {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(hint)]));
    }
    error
}

fn hint(error: &Error) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    };
    let usage = text(ContextKind::Usage).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand)?;
            let known = if usage.contains("causeway show") { &SHOWN[..] } else { &COMMANDS[..] };
            let (_, ours) = known.iter().find(|(theirs, _)| theirs.contains(&word.as_str()))?;
            Some(format!("here it is '{ours}'"))
        }
        ErrorKind::UnknownArgument => {
            let word = text(ContextKind::InvalidArg).filter(|word| !word.starts_with('-'))?;
            let (command, option) = BARE.iter().find(|(command, _)| usage.contains(&format!("{command} ")))?;
            let option = match *option {
                "--vni" if word.parse::<Mac>().is_ok() => "--mac",
                "--vni" if word.parse::<IpAddr>().is_ok() => "--vtep",
                option => option,
            };
            Some(format!("it is named by an option: '{command} {option} {word}'"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let error = super::super::command().try_get_matches_from(line.split(' ')).expect_err("help, or not understood");
        hinted(error).to_string()
    }

    #[test]
    fn a_word_of_another_system_is_told_what_it_is_called_here() {
        for (line, hint) in [
            ("causeway show mac-address-table", "tip: here it is 'causeway show fdb'"),
            ("causeway show tunnels", "tip: here it is 'causeway show vteps'"),
            ("causeway help", "tip: here it is 'causeway --help'"),
            ("causeway run lab.yaml", "tip: it is named by an option: 'causeway run -c lab.yaml'"),
            ("causeway show fdb 10010", "'causeway show fdb --vni 10010'"),
            ("causeway show fdb 02:00:00:00:00:05", "'causeway show fdb --mac 02:00:00:00:00:05'"),
            ("causeway show fdb 10.0.0.12", "'causeway show fdb --vtep 10.0.0.12'"),
            ("causeway show port", "a similar subcommand exists: 'ports'"),
        ] {
            assert!(said(line).contains(hint), "{line}: {}", said(line));
        }
        assert!(!said("causeway show xyzzy").contains("tip:"));
    }

    #[test]
    fn what_hints_name_is_there() {
        let ours = COMMANDS.iter().chain(&SHOWN).flat_map(|(_, ours)| ours.split("' or '"));
        let ours = ours.map(|command| command.replace(" FILE", "").replace(" -c", ""));
        let options = BARE.iter().map(|(command, option)| format!("{command} {option} 10.0.0.12"));
        let more = ["--mac 02:00:00:00:00:05", "--vtep 10.0.0.12"].map(|option| format!("causeway show fdb {option}"));
        for line in ours.chain(options).chain(more) {
            let help = format!("{} --help", line.trim_end_matches(" --help").trim_end_matches(" --version"));
            assert!(said(&help).contains("Usage: causeway"), "{line}");
        }
    }
}
