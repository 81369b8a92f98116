//! Golden files, each run in every manner: whole and in pieces, tags in the frame or taken off by the NIC, with and
//! without the NIC's help on sending. What leaves is the same to the byte.
//!
//! `UPDATE_GOLDEN=1` rewrites the files with what came out: look at the difference before you keep it.
//! `UPDATE_GOLDEN=notation` rewrites only the readable lines.

mod support;

use std::path::PathBuf;

use support::golden::{Golden, Manner};

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

/// What is wrong with a file, if anything.
fn check(text: &str, golden: &Golden) -> Result<(), String> {
    for (number, manner) in Manner::ALL.into_iter().enumerate() {
        let came = std::panic::catch_unwind(|| golden.run(manner)).map_err(|_| format!("panic with {manner:?}"))?;
        if number == 0 && std::env::var("UPDATE_GOLDEN").is_ok_and(|what| what == "1") {
            return Err(came.text());
        }
        if let Some(difference) = golden.difference(&came) {
            return Err(format!("{}\n{manner:?}\n{difference}", golden.sentence));
        }
    }
    let written = golden.text();
    match written.lines().zip(text.lines()).position(|(want, have)| want != have) {
        None if written.lines().count() == text.lines().count() => Ok(()),
        line => Err(format!(
            "line {}: the file is not as the frames in it say; UPDATE_GOLDEN=notation rewrites the readable lines",
            line.map_or(text.lines().count(), |line| line + 1)
        )),
    }
}

#[test]
fn every_golden_comes_out_as_it_is_written_in_every_manner() {
    let update = std::env::var("UPDATE_GOLDEN").unwrap_or_default();
    let mut failed = Vec::new();
    let files = files();
    assert!(files.len() > 50, "the goldens are there");
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("it can be read");
        let result = match Golden::parse(&text) {
            Ok(golden) if update == "notation" => Err(golden.text()),
            Ok(golden) => check(&text, &golden),
            Err(problem) => Err(problem),
        };
        match result {
            Ok(()) => {}
            Err(text) if !update.is_empty() => std::fs::write(path, text).expect("it can be written"),
            Err(problem) => failed.push(format!("== {name}: {problem}")),
        }
    }
    assert!(failed.is_empty(), "{} of {} goldens:\n{}", failed.len(), files.len(), failed.join("\n"));
}
