//! Every number of `tests/conformance.txt` is named by a test, or the list says why not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const PREFIXES: [&str; 12] = ["VX", "GN", "OIP", "ECN", "VL", "BUM", "ISO", "MTU", "SUP", "CTL", "ACL", "MAL"];

/// The numbers in a text, like `VX3` and `L2k`.
fn numbers(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| is_number(word)).map(str::to_owned).collect()
}

fn is_number(word: &str) -> bool {
    let digits = |rest: &str| !rest.is_empty() && rest.len() < 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    word.strip_prefix("L2").is_some_and(|rest| rest.len() == 1 && ("a"..="z").contains(&rest))
        || PREFIXES.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(digits))
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "txt" || kind == "yaml") {
            into.push(path);
        }
    }
}

/// What tests say: whole files under `tests/`, and of other sources what follows `#[cfg(test)]`.
fn tests_text(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("it can be read");
    let name = path.file_name().unwrap_or_default();
    let is_test = path.components().any(|part| part.as_os_str() == "tests") || name == "tests.rs";
    match text.split_once("#[cfg(test)]") {
        _ if is_test => text,
        Some((_, tests)) => tests.to_owned(),
        None => String::new(),
    }
}

#[test]
fn every_number_is_named_by_a_test_or_excused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["tests", "gateway", "config"] {
        files(&root.join(folder), &mut sources);
    }
    sources.retain(|path| path.file_stem().is_none_or(|stem| stem != "conformance"));
    let mut named: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in sources {
        for number in numbers(&tests_text(&path)) {
            named.entry(number).or_insert_with(|| path.clone());
        }
    }

    let list = std::fs::read_to_string(root.join("tests/conformance.txt")).expect("the list is there");
    let (mut listed, mut problems) = (BTreeSet::new(), Vec::new());
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let excused = line.strip_prefix("- ");
        let number = excused.unwrap_or(line).split_whitespace().next().unwrap_or_default().to_owned();
        match (excused, named.get(&number)) {
            (None, None) => problems.push(format!("no test names {number}")),
            (Some(_), Some(path)) => {
                problems.push(format!("{number} is excused, but {} names it: remove the '-'", path.display()));
            }
            (Some(excuse), None) if !excuse.contains("(not covered: ") => {
                problems.push(format!("say why {number} is not covered: (not covered: …)"));
            }
            _ => {}
        }
        assert!(listed.insert(number.clone()), "{number} is listed twice");
    }
    let unknown = named.iter().filter(|(number, _)| !listed.contains(*number));
    problems
        .extend(unknown.map(|(number, path)| format!("{} names {number}, which is not in the list", path.display())));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn numbers_are_found_in_text_and_names() {
    let found = numbers("VX3, (GN16) L2k L2kk MTU1500 XVX3 VX; CONFORMANCE BUM2: vx_VX4");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["BUM2", "GN16", "L2k", "VX3"]);
}
