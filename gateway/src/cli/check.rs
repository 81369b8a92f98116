//! `causeway check`: everything that is wrong with a file, the way a compiler says it.

use std::path::Path;
use std::process::ExitCode;

use super::show::print;

/// Prints the problems of `file`; status 1 when there is an error.
pub fn check(file: &Path, json: bool) -> ExitCode {
    let (problems, right) = match config::load(file) {
        Ok(loaded) => (loaded.warnings, true),
        Err(problems) => (problems.iter().cloned().collect(), false),
    };
    let printed = if json {
        print(&format!("{:#}\n", serde_json::json!(problems)))
    } else {
        for problem in &problems {
            eprintln!("{problem}");
        }
        match right {
            true => print(&format!("{} is right\n", file.display())),
            false => Ok(()),
        }
    };
    if right && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
