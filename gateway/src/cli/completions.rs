//! `causeway completions`: what clap makes of the command line, and the names of the running gateway, asked when a key is
//! pressed.

use std::path::PathBuf;

use clap_complete::Shell;
use gateway::telemetry::{FdbFilter, PortFilter, Request, Show, VniFilter, VtepFilter, ask};
use gateway::verdict::DropReason;
use serde_json::Value;

/// Options whose values are names that a gateway knows.
const OPTIONS: [&str; 8] = ["port", "vni", "vtep", "mac", "dst", "src", "reason", "drop"];
/// What their values are called in the help.
const VALUES: [&str; 5] = ["NAME", "VNI", "ADDRESS", "MAC", "REASON"];
/// Most MACs that are offered: the first of those that begin as the word does.
const MACS: usize = 1000;

/// Readline takes a colon for the end of a word, so of a MAC it wants what is behind the last one.
const BASH: &str = r#"
_causeway_or_names() {
    local line="${COMP_LINE:0:COMP_POINT}" names
    names=$("$1" completions --names "$line" 2>/dev/null)
    if [ -z "$names" ]; then
        _causeway "$@"
        return
    fi
    local IFS=$'\n' word="${line##*[[:space:]=]}"
    COMPREPLY=($names)
    if [[ $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
    fi
}

"#;

/// The words that completion hands down have lost their beginning, so the line itself is asked about.
const ZSH: &str = r#"_causeway_names() {
    local -a names
    names=(${(f)"$(causeway completions --names "$LBUFFER" 2>/dev/null)"})
    compadd -a names
}

"#;

/// The script for a shell.
pub fn script(shell: Shell, mut command: clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "causeway", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => {
            let script = script.replace("complete -F _causeway ", "complete -F _causeway_or_names ");
            let at = script.rfind("\nif [[").unwrap_or(script.len());
            format!("{}{}{}", &script[..at], BASH, script[at..].trim_start())
        }
        Shell::Zsh => {
            let names = |script: String, value: &&str| {
                script.replace(&format!(":{value}:_default"), &format!(":{value}:_causeway_names"))
            };
            let script = VALUES.iter().fold(script, names);
            script.replacen("_causeway() {", &format!("{ZSH}_causeway() {{"), 1)
        }
        Shell::Fish => OPTIONS.iter().fold(script, |script, option| {
            script
                + &format!(
                    "complete -c causeway -l {option} -x -a \
                     '(causeway completions --names (commandline -cp | string collect) 2>/dev/null)'\n"
                )
        }),
        _ => script,
    }
}

/// The names that may follow a line that is being written: none where the running gateway has nothing to do with it.
pub fn names(line: &str) -> Vec<String> {
    let Some(asked) = Asked::of(line) else { return Vec::new() };
    let mut names = asked.known();
    names.retain(|name| name.starts_with(asked.begun));
    names
}

/// A line that ends in an option and the beginning of its value.
struct Asked<'a> {
    words: Vec<&'a str>,
    option: &'a str,
    begun: &'a str,
}

impl<'a> Asked<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let last = if line.ends_with(char::is_whitespace) { "" } else { words.pop()? };
        let (option, begun) = match last.strip_prefix("--").and_then(|last| last.split_once('=')) {
            Some((option, begun)) => (option, begun),
            None => (words.pop()?.strip_prefix("--")?, last),
        };
        OPTIONS.contains(&option).then_some(Self { words, option, begun })
    }

    /// What the line says of another option.
    fn value(&self, option: &str) -> Option<String> {
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix("--").and_then(|word| word.strip_prefix(option)) {
                Some("") => return words.next().map(|value| (*value).to_owned()),
                Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
                _ => {}
            }
        }
        None
    }

    fn known(&self) -> Vec<String> {
        match self.option {
            "port" => self.ask(Show::Ports(PortFilter::default()), "name"),
            "vni" => self.ask(Show::Vnis(VniFilter::default()), "name"),
            "vtep" => self.ask(Show::Vteps(VtepFilter::default()), "vtep"),
            "reason" | "drop" => DropReason::ALL.iter().map(|reason| reason.label().to_owned()).collect(),
            _ => {
                // A frame to be explained comes in at its port; where it goes to is another matter.
                let port = self.value("port").filter(|_| self.option != "dst");
                let vtep = self.value("vtep").and_then(|vtep| vtep.parse().ok());
                let begins = Some(self.begun.to_lowercase());
                let vni = self.value("vni");
                let filter = FdbFilter { vni, port, vtep, begins, limit: Some(MACS), ..FdbFilter::default() };
                self.ask(Show::Fdb(filter), "mac")
            }
        }
    }

    /// A field of all rows; nothing where no gateway answers.
    fn ask(&self, show: Show, field: &str) -> Vec<String> {
        let named = self.value("socket").or_else(|| std::env::var("CAUSEWAY_SOCKET").ok());
        let socket = named.map_or_else(gateway::telemetry::default_socket, PathBuf::from);
        let rows = ask(&socket, &Request::show(show)).unwrap_or_default();
        let names = rows.as_array().into_iter().flatten().filter_map(|row| row.get(field).and_then(Value::as_str));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_asked_for() {
        let asked = |line| Asked::of(line).map(|asked| (asked.option, asked.begun));
        assert_eq!(asked("causeway show fdb --port sr"), Some(("port", "sr")));
        assert_eq!(asked("causeway show fdb --port "), Some(("port", "")));
        assert_eq!(asked("causeway show fdb --mac=02:00"), Some(("mac", "02:00")));
        for line in ["", "causeway", "causeway show ", "causeway show fdb --port", "causeway run --config f"] {
            assert_eq!(asked(line), None, "{line}");
        }
        let line = Asked::of("causeway show fdb --socket /run/x --vni=9 --mac ").expect("an option");
        let values = ["socket", "vni", "port"].map(|option| line.value(option));
        assert_eq!(values, [Some("/run/x".into()), Some("9".into()), None]);
        assert_eq!(names("causeway trace --drop unknown-vl"), ["unknown-vlan"]);
        assert!(names("causeway show ports --socket /nonexistent --port ").is_empty());
    }
}
