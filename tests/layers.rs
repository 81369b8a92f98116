//! Modules use only what stands to their left in the line that gateway/ARCHITECTURE.md draws.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gateway/src");

/// The line of modules, from the block below the heading "Modules".
fn line() -> Vec<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/gateway/ARCHITECTURE.md")).expect("the page");
    let (_, section) = text.split_once("\n## Modules").expect("a section on modules");
    let (_, block) = section.split_once("```text\n").expect("the line");
    let (block, _) = block.split_once("```").expect("its end");
    block.split(['|', '\n']).map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect()
}

fn files(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false if path.extension().is_some_and(|end| end == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

/// The top-level module of a file.
fn module(file: &Path) -> String {
    let inside = file.strip_prefix(SOURCES).expect("below the sources");
    let first = inside.iter().next().expect("a name").to_str().expect("UTF-8");
    first.trim_end_matches(".rs").to_owned()
}

/// Code without comments and without the tests at the end of a file, which may look to the right.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that code names: `crate::a`, `gateway::a`, `crate::{a, b::{c}}`, and `super::a` at the top.
fn uses(code: &str, at_top: bool) -> BTreeSet<String> {
    let mut roots = vec!["crate::", "gateway::"];
    if at_top {
        roots.push("super::");
    }
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (root, rest) in roots.iter().flat_map(|root| code.match_indices(root).map(move |(at, _)| (root, &code[at..]))) {
        let rest = &rest[root.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut fresh = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if fresh && c.is_alphabetic() => {
                    found.insert(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn modules_use_only_what_stands_to_their_left() {
    let line = line();
    let place = |name: &str| line.iter().position(|other| other == name);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files(Path::new(SOURCES)) {
        let module = module(&file);
        if module == "lib" {
            continue;
        }
        seen.insert(module.clone());
        let Some(mine) = place(&module) else {
            wrong.push(format!("{module} is not in the line"));
            continue;
        };
        let at_top = file.parent() == Some(Path::new(SOURCES));
        for used in uses(&code(&fs::read_to_string(&file).expect("a source file")), at_top) {
            if place(&used).is_some_and(|theirs| theirs > mine) {
                wrong.push(format!("{} uses {used}, which stands to the right of {module}", file.display()));
            }
        }
    }
    wrong.extend(line.iter().filter(|name| !seen.contains(*name)).map(|name| format!("{name} is no module")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_uses_sees_groups_and_nested_paths() {
    let code = "use crate::{frame::{Frame, Pool}, link::Ring};\nlet x = crate::wire::sum();\nuse super::tables::Fdb;";
    assert_eq!(uses(code, false), ["frame", "link", "wire"].map(String::from).into());
    assert_eq!(uses(code, true), ["frame", "link", "tables", "wire"].map(String::from).into());
}
