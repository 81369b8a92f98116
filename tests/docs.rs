//! The pages hang together: links lead somewhere, the index knows every page, and files are shown as they are. What the
//! commands on the pages print is tested in tests/netns/docs.rs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOP: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of the guide.
fn guide() -> Vec<PathBuf> {
    let entries =
        fs::read_dir(Path::new(TOP).join("docs")).expect("the guide").map(|entry| entry.expect("a page").path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

fn pages() -> Vec<PathBuf> {
    let others = ["README.md", "gateway/ARCHITECTURE.md", "config/REFERENCE.md"].map(|name| Path::new(TOP).join(name));
    guide().into_iter().chain(others).collect()
}

/// What stands in parentheses behind brackets, outside of blocks of code.
fn links(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    let found = prose.flat_map(|part| part.split("](").skip(1).filter_map(|rest| rest.split_once(')')));
    found.map(|(link, _)| link).collect()
}

#[test]
fn links_lead_somewhere() {
    let (mut followed, mut broken) = (0, Vec::new());
    for path in pages() {
        let page = read(&path);
        for link in links(&page).into_iter().filter(|link| !link.starts_with("http")) {
            followed += 1;
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            let heading = |line: &str| line.starts_with('#') && anchor(line) == part;
            if !target.exists() || !part.is_empty() && !read(&target).lines().any(heading) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links into nothing:\n{}", broken.join("\n"));
    assert!(followed > 10, "only {followed} links: the test has lost its point");
}

/// How a heading is linked to: lower case, hyphens for spaces, without punctuation.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_index_knows_every_page() {
    let index = read(&Path::new(TOP).join("docs/README.md"));
    let links = links(&index);
    for path in guide() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "README.md" || links.contains(&name.as_str()), "docs/README.md does not link to {name}");
    }
}

/// A comment with a path, and below it a block of YAML: the file itself.
#[test]
fn files_are_shown_as_they_are() {
    let mut shown = 0;
    for path in pages() {
        let page = read(&path);
        for part in page.split("\n<!-- ").skip(1) {
            let Some((name, rest)) = part.split_once(" -->\n```yaml\n") else { continue };
            let Some((block, _)) = rest.split_once("\n```\n") else { continue };
            assert_eq!(block.trim_end(), read(&Path::new(TOP).join(name)).trim_end(), "{name} in {}", path.display());
            shown += 1;
        }
    }
    assert!(shown >= 2, "only {shown} files are shown: the test has lost its point");
}

/// A whole file on a page is right, and nothing about it is odd.
#[test]
fn configurations_on_pages_are_right() {
    let mut checked = 0;
    for path in pages().into_iter().chain([Path::new(TOP).join("scripts/trex/README.md")]) {
        for (kind, lines) in blocks(&format!("\n{}", read(&path))) {
            let text = lines.join("\n") + "\n";
            if kind == "yaml" && text.contains("version: 1\n") {
                let loaded = config::parse("page", &text).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
                assert!(loaded.warnings.is_empty(), "{}: {}", path.display(), loaded.warnings[0]);
                checked += 1;
            }
        }
    }
    assert!(checked > 2, "only {checked} files: the test has lost its point");
}

/// Blocks of commands that `tests/netns/docs.rs` does not run: the page, how the block begins, and why.
const NOT_RUN: [(&str, &str, &str); 13] = [
    (
        "install.md",
        "apt-get install build-essential",
        "changes the machine; 'scripts/package --try' builds the package",
    ),
    ("install.md", "apt-get install ./causeway_", "'scripts/package --try' installs it on a copy of the machine"),
    ("install.md", "# /etc/default/grub", "asks for a reboot; 'causeway doctor' says whether it worked"),
    ("install.md", "causeway-bind --status", "takes NICs from the kernel; 'scripts/package --try' runs --status"),
    ("install.md", "systemctl enable --now causeway", "needs systemd; tests/netns/service.rs is what systemd would be"),
    (
        "first-configuration.md",
        "ip netns add fabric",
        "makes devices of the machine; tests/netns/first_page.rs runs it on a machine of its own",
    ),
    (
        "first-configuration.md",
        "causeway run -c gateway.yaml",
        "runs until it is stopped; the page's laboratory has started it",
    ),
    (
        "first-configuration.md",
        "ip netns exec server1 ping",
        "needs what the page has made; tests/netns/first_page.rs pings there",
    ),
    (
        "troubleshooting.md",
        "causeway explain --port up0 --pcap",
        "needs a capture; tests/cli.rs and netns/see.rs explain frames",
    ),
    (
        "troubleshooting.md",
        "causeway trace --vni servers -w",
        "needs Wireshark or runs on; tests/netns/see.rs reads its captures",
    ),
    ("day-2.md", "apt-get install ./causeway_NEW", "'scripts/package --try' upgrades on a copy of the machine"),
    ("day-2.md", "systemctl disable --now causeway", "'scripts/package --try' removes it from a copy of the machine"),
    ("evpn.md", "$ causeway show fdb", "needs FRR; tests/netns/evpn.rs has it and reads the same"),
];

/// The blocks of a page: their kind and their lines.
fn blocks(page: &str) -> Vec<(&str, Vec<&str>)> {
    let inside = page.split("\n```").skip(1).step_by(2);
    inside
        .map(|block| {
            block.split_once('\n').map_or((block, Vec::new()), |(kind, lines)| (kind, lines.lines().collect()))
        })
        .collect()
}

#[test]
fn every_command_of_the_guide_is_run_or_there_is_a_reason() {
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for path in guide() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        for (kind, lines) in blocks(&format!("\n{}", read(&path))) {
            if kind == "console" || kind != "sh" && !lines.iter().any(|line| line.starts_with("$ ")) {
                continue;
            }
            let first = lines.first().copied().unwrap_or_default();
            match NOT_RUN.iter().position(|(page, begin, _)| *page == name && first.starts_with(begin)) {
                Some(place) => used.push(place),
                None => wrong.push(format!("docs/{name}: '{first}' is not run, and nothing says why")),
            }
        }
    }
    let stale = (0..NOT_RUN.len()).filter(|place| !used.contains(place));
    wrong.extend(stale.map(|place| format!("{}: no block begins with '{}'", NOT_RUN[place].0, NOT_RUN[place].1)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Commands on pages are those of the program, also where they are not run.
#[test]
fn commands_on_pages_are_understood() {
    let mut tried = 0;
    for path in guide().into_iter().chain([Path::new(TOP).join("README.md")]) {
        for (kind, lines) in blocks(&format!("\n{}", read(&path))) {
            let lines = lines.into_iter().filter(|_| kind == "sh" || kind == "console" || kind == "text");
            for line in lines.map(|line| line.trim_start_matches("$ ")).filter(|line| line.starts_with("causeway ")) {
                let command = line.split(" 2>").next().unwrap_or_default();
                let command = command.split(['|', '#', '&', ';', '>']).next().unwrap_or_default();
                // What stands before --help is read and judged, and nothing is done.
                let words = command.split_whitespace().skip(1).map(|word| word.trim_matches(['"', '\'']));
                let output = Command::new(env!("CARGO_BIN_EXE_causeway")).args(words).arg("--help").output();
                let output = output.expect("the binary starts");
                tried += 1;
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}: {line}\n{said}", path.display());
            }
        }
    }
    assert!(tried > 30, "only {tried} commands: the test has lost its point");
}
