//! The command line as its user meets it: the real binary, what it prints, and how it ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn causeway(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_causeway"))
        .args(arguments)
        .env_remove("CAUSEWAY_SOCKET")
        .env_remove("CAUSEWAY_LOG")
        .output()
        .expect("the binary starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A place of this test's own; removed when dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("causeway-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const WRONG: &str = "\
version: 1
prots: []
vtep: {source: [10.0.0.300]}
ports:
  - name: srv1
    device: \"net_null0\"
    vlans:
      - {vlan: 10, vni: 16777216}
      - {vlan: 4095, vni: 10020}
vnis: []
";

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");

#[test]
fn check_prints_every_problem_at_once_with_line_column_and_caret() {
    let place = Place::new("check");
    let file = place.file("wrong.yaml", WRONG);
    let output = causeway(&["check", &file]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = said(&output);
    for at in [":2:1", ":3:", ":8:", ":9:"] {
        assert!(text.contains(&format!("{file}{at}")), "no problem at {at} in\n{text}");
    }
    assert!(text.contains("ports") && text.contains("^^^"), "{text}");
    assert!(text.contains("16777216"), "{text}");
}

#[test]
fn check_prints_problems_as_json_for_scripts() {
    let place = Place::new("check-json");
    let file = place.file("wrong.yaml", WRONG);
    let output = causeway(&["check", &file, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let problems: serde_json::Value = serde_json::from_str(&printed(&output)).expect("JSON");
    let problems = problems.as_array().expect("a list");
    assert!(problems.len() >= 4, "{problems:?}");
    assert!(problems.iter().any(|problem| problem["line"] == 9 && problem["path"] == "ports[0].vlans[1].vlan"));
}

#[test]
fn check_accepts_every_example_and_says_so() {
    let mut checked = 0;
    for entry in fs::read_dir(EXAMPLES).expect("examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let output = causeway(&["check", path.to_str().expect("UTF-8")]);
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            assert!(printed(&output).contains("is right"), "{}", printed(&output));
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn a_file_that_is_not_there_is_one_sentence() {
    for arguments in [["check", "/nowhere/gateway.yaml"].as_slice(), &["run", "-c", "/nowhere/gateway.yaml"]] {
        let output = causeway(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("/nowhere/gateway.yaml: "), "{}", said(&output));
        assert!(!said(&output).contains("panicked"));
    }
}

#[test]
fn show_without_a_gateway_says_how_to_start_one() {
    let place = Place::new("show");
    let socket = place.0.join("none.sock");
    for what in
        ["ports", "vnis", "vteps", "fdb", "drops", "workers", "links", "next-hops", "config", "health", "version"]
    {
        let output = causeway(&["show", what, "--socket", socket.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(1));
        let text = said(&output);
        assert!(text.contains(&format!("no gateway listens on {}", socket.display())), "{text}");
        assert!(text.contains("causeway run"), "{text}");
    }
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2() {
    for arguments in [
        ["sohw"].as_slice(),
        &["show", "weather"],
        &["run", "-c"],
        &["show", "fdb", "--mac", "red"],
        &["show", "fdb", "--vtep", "everywhere"],
        &["run", "-c", "x.yaml", "--log", "loud"],
        &["explain", "--port", "srv1"],
        &["explain", "--port", "srv1", "--dst", "02:00:00:00:00:05", "--pcap", "x.pcap"],
        &["trace", "--count", "0"],
        &["trace", "--json", "-w", "x.pcapng"],
        &["show", "ports", "--watch", "never"],
    ] {
        let output = causeway(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
    assert!(said(&causeway(&["sohw"])).contains("show"), "it suggests what was meant");
}

/// Without a file the service's is meant, everywhere.
#[test]
fn the_file_that_is_meant_where_none_is_named_is_the_services() {
    const FILE: &str = "/etc/causeway/gateway.yaml";
    let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/debian/causeway.service")).expect("it");
    assert!(unit.contains(&format!("run -c {FILE}")));
    for command in ["run", "check", "plan", "apply"] {
        let help = printed(&causeway(&[command, "--help"]));
        assert!(help.contains(&format!("[default: {FILE}]")), "{help}");
    }
    if !PathBuf::from(FILE).exists() {
        assert!(said(&causeway(&["check"])).starts_with(FILE));
    }
}

#[test]
fn the_version_names_dpdk_where_it_is_built_in() {
    let output = causeway(&["--version"]);
    let text = printed(&output);
    assert!(output.status.success());
    assert!(text.starts_with(concat!("causeway ", env!("CARGO_PKG_VERSION"))), "{text}");
    assert_eq!(text.contains("(dpdk "), cfg!(feature = "dpdk"), "{text}");
}

#[test]
fn help_teaches_with_examples() {
    let (mut left, mut seen) = (vec![String::new()], 0);
    while let Some(command) = left.pop() {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = causeway(&words);
        assert!(output.status.success(), "{command}: {}", said(&output));
        let help = printed(&output);
        assert!(help.contains("\nExample"), "causeway{command} --help has no example:\n{help}");
        left.extend(commands(&help).into_iter().map(|word| format!("{command} {word}")));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} commands: the test has lost its point");
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// clap wraps at 100 columns; a line break of the source inside a sentence would leave a word alone on its line.
#[test]
fn help_is_wrapped_once() {
    for arguments in [["run", "--help"], ["apply", "--help"], ["doctor", "--help"]] {
        let text = printed(&causeway(&arguments));
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|pair| !pair[0].is_empty() && !pair[1].is_empty()) {
            let prose = |line: &str| !line.starts_with(' ') && !line.ends_with(':');
            let next = pair[1].split(' ').next().unwrap_or_default().len();
            let short = pair[0].len() + 1 + next <= 80;
            assert!(
                !(prose(pair[0]) && prose(pair[1]) && short),
                "{arguments:?}: broken off early:\n{}\n{}",
                pair[0],
                pair[1]
            );
        }
    }
}

#[test]
fn completions_and_schema_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = causeway(&["completions", shell]);
        assert!(output.status.success() && printed(&output).contains("causeway"), "{shell}");
    }
    let schema: serde_json::Value = serde_json::from_str(&printed(&causeway(&["schema"]))).expect("JSON");
    assert!(schema["properties"]["vnis"].is_object(), "{schema}");
}

#[test]
fn every_command_has_a_manual_page_with_examples_as_they_are_in_its_help() {
    let place = Place::new("man");
    let folder = place.0.join("man1");
    let output = causeway(&["man", folder.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", said(&output));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let help = printed(&causeway(&["--help"]));
    let commands = commands(&help);
    assert!(commands.len() > 5 && commands.contains(&"doctor"), "{commands:?}");
    for command in commands {
        let page = read(&format!("causeway-{command}.1"));
        assert!(page.contains(".SH EXAMPLES"), "{command}");
    }
    assert!(read("causeway-show-fdb.1").contains("\\&  causeway show fdb \\-\\-vni 10010\n"));
    assert!(read("causeway.1").contains("causeway\\-doctor(1)"));
    let refused = causeway(&["man", "/proc/man1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("/proc/man1"), "{}", said(&refused));
}

#[test]
fn a_core_that_does_not_exist_is_refused_before_anything_is_touched() {
    let place = Place::new("core");
    let socket = place.0.join("api.sock");
    let file = place.file(
        "core.yaml",
        "version: 1\nworkers: {cores: [999]}\nvtep: {source: [10.0.0.11]}\nports:\n  - {name: p, device: net_null0, \
         vlans: [{vlan: 10, vni: 1}]}\nvnis: [{vni: 1}]\n",
    );
    let output = causeway(&["run", "-c", &file, "--socket", socket.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("core 999 does not exist"), "{}", said(&output));
    assert!(!socket.exists());
}

/// Of many odd things the log names the first, and says how many more there are.
#[test]
fn a_start_names_twenty_warnings_and_counts_the_rest() {
    let place = Place::new("odd");
    let vnis: String = (1..=300).map(|vni| format!("  - {{vni: {vni}}}\n")).collect();
    let file = place.file(
        "odd.yaml",
        &format!(
            "version: 1\nworkers: {{cores: [999]}}\nports: [{{name: p, device: net_null0, vlans: [{{vlan: 10, vni: 1}}]}}]\n\
             vnis:\n{vnis}"
        ),
    );
    let output = causeway(&["run", "-c", &file, "--socket", place.0.join("api.sock").to_str().expect("UTF-8")]);
    let log = said(&output);
    assert_eq!(log.matches("the configuration is odd: no port is attached to VNI").count(), 20, "{log}");
    assert!(log.contains("more of the configuration is odd; see 'causeway check' file="), "{log}");
    assert!(log.contains("warnings=279"), "{log}");
}

/// Examples in the README are the files that the tests load.
#[test]
fn the_readme_shows_the_examples_as_they_are() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let mut shown = 0;
    for part in readme.split("<!-- config/examples/").skip(1) {
        let (name, rest) = part.split_once(" -->\n```yaml\n").expect("a block of YAML behind the mark");
        let (block, _) = rest.split_once("\n```\n").expect("its end");
        let file = fs::read_to_string(format!("{EXAMPLES}/{name}")).expect("the example");
        assert_eq!(block.trim_end(), file.trim_end(), "{name}");
        shown += 1;
    }
    assert!(shown > 0);
}
