//! Modules use only what stands to their left in the line that gateway/ARCHITECTURE.md draws; what is logged says what to do,
//! and workers log nothing.

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

/// Whatever prints or logs.
const VOICES: [&str; 10] =
    ["complain!", "inform!", "error!(", "warn!(", "info!(", "debug!(", "trace!(", "log!(", "println!", "rights::keep"];

/// The voices that a text uses.
fn voices<'a>(text: &str, allowed: &'a [&'a str]) -> Vec<&'a str> {
    let alone = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    allowed.iter().copied().filter(|voice| text.match_indices(voice).any(|(at, _)| alone(at))).collect()
}

/// A problem is told through `complain!`, which asks for a cure and for context; see `say.rs`.
#[test]
fn every_problem_in_the_log_has_a_cure_and_context() {
    let mut wrong = Vec::new();
    let mut complaints = 0;
    for file in files(Path::new(SOURCES)) {
        let text = code(&fs::read_to_string(&file).expect("a source file"));
        complaints += text.matches("complain!").count();
        let inside = file.strip_prefix(SOURCES).expect("below the sources").to_str().expect("UTF-8");
        // What makes complaints, and what passes on the words of DPDK.
        let plain: &[&str] = match inside {
            "say.rs" => &[],
            "dpdk/log.rs" => &["error!(", "warn!(", "info!("],
            _ => &["error!(", "warn!(", "info!(", "log!("],
        };
        let plain = voices(&text, plain);
        if !plain.is_empty() {
            wrong.push(format!("{inside}: {plain:?}; use complain! or inform!"));
        }
        if text.split("complain!").skip(1).any(|call| call.split(';').next().is_some_and(|head| head.contains("\"\"")))
        {
            wrong.push(format!("{inside}: a complaint without words or without a cure"));
        }
    }
    assert!(complaints > 40, "{complaints}: is the macro called otherwise by now?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The path of a packet neither logs nor prints; what goes wrong there is counted, or told to control.
#[test]
fn workers_log_nothing() {
    let line = line();
    let end = line.iter().position(|name| name == "worker").expect("the worker is in the line");
    let silent = |inside: &str, module: &String| match inside {
        // How things are told, and the rights of the threads that may tell.
        "say.rs" | "rights.rs" => false,
        "run/worker.rs" | "dpdk/driver.rs" | "dpdk/mbuf.rs" | "dpdk/pool.rs" | "dpdk/clock.rs" => true,
        _ => line[..=end].contains(module),
    };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files(Path::new(SOURCES)) {
        let inside = file.strip_prefix(SOURCES).expect("below the sources").to_str().expect("UTF-8");
        if !silent(inside, &module(&file)) {
            continue;
        }
        seen += 1;
        let found = voices(&code(&fs::read_to_string(&file).expect("a source file")), &VOICES);
        if !found.is_empty() {
            wrong.push(format!("{inside}: {found:?}"));
        }
    }
    assert!(seen > 30, "{seen} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_uses_sees_groups_and_nested_paths() {
    let code = "use crate::{frame::{Frame, Pool}, link::Ring};\nlet x = crate::wire::sum();\nuse super::tables::Fdb;";
    assert_eq!(uses(code, false), ["frame", "link", "wire"].map(String::from).into());
    assert_eq!(uses(code, true), ["frame", "link", "tables", "wire"].map(String::from).into());
}
