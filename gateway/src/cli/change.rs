//! `causeway plan`, `apply`, `reload`, `confirm` and `rollback`: the configuration of a running gateway.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueHint};
use gateway::telemetry::{Act, Request, ask};
use serde_json::Value;

use super::show::print;
use super::{FILE, Refusal, Socket, refused};

/// `causeway plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Configuration file (YAML)
    #[arg(value_hint = ValueHint::FilePath, default_value = FILE)]
    file: PathBuf,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// End with status 0 when nothing changes, 3 when 'apply' would change something, 4 when a restart is needed
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    socket: Socket,
}

/// `causeway apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// Configuration file (YAML)
    #[arg(value_hint = ValueHint::FilePath, default_value = FILE)]
    file: PathBuf,
    /// Go back by itself after this time, unless 'causeway confirm' comes first: 60s, 5m
    #[arg(long, value_name = "TIME", value_parser = time)]
    confirm: Option<Duration>,
    /// Print what was changed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

/// `causeway reload`.
#[derive(Debug, Args)]
pub struct Reload {
    /// Print what was changed, or what waits for a restart, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

/// `causeway confirm` and `causeway rollback`.
#[derive(Debug, Args)]
pub struct Then {
    #[command(flatten)]
    socket: Socket,
}

/// Help for `plan`.
pub const PLAN_HELP: &str = "\
Examples:
  causeway plan gateway.yaml
  causeway plan gateway.yaml --json | jq '.changes[].path'
  causeway plan gateway.yaml --detailed-exitcode > /dev/null || causeway apply gateway.yaml

Each line names a place in the file: '+' is new, '-' is gone, '~' changes. A line that ends with [restart] can only be
changed by starting the gateway anew; a file with such a line is not applied, not even in part.";

/// Help for `apply`.
pub const APPLY_HELP: &str = "\
Examples:
  causeway apply gateway.yaml
  causeway apply gateway.yaml --confirm 60s && ping -c 3 10.0.0.12 && causeway confirm

All of the file is put in force, or nothing. Frames that the change does not concern flow on, and MACs, counters and
next hops of what stays are kept. The gateway starts with its own file (causeway run -c FILE): to make a change last
over a restart, change that file.";

/// Help for `reload`.
pub const RELOAD_HELP: &str = "\
Examples:
  causeway reload
  causeway reload --json | jq '.needs_restart[].path'

The gateway reads the file that it was started with; 'systemctl reload causeway' does this. All of the file is put in
force, or nothing.

Exit status: 0 the file is in force, 1 it is wrong or was refused, 4 it asks for something that only a restart can change:
that is named, nothing of the file is in force, and 'causeway show health' says so until it is.";

/// Help for `confirm`.
pub const CONFIRM_HELP: &str = "\
Example:
  causeway apply gateway.yaml --confirm 60s && ping -c 3 10.0.0.12 && causeway confirm";

/// Help for `rollback`.
pub const ROLLBACK_HELP: &str = "\
Example:
  causeway rollback

Up to 8 changes since the start can be taken back, one with each call. Files are as they were: to make it last, put the
old text back into the gateway's own file.";

/// Status when something would change.
const CHANGES: u8 = 3;
/// Status when a restart is needed.
const RESTART: u8 = 4;

/// Asks what a file would change.
pub fn plan(plan: Plan) -> ExitCode {
    let Plan { file, json, detailed_exitcode, socket } = plan;
    let asked = read(&file).and_then(|(name, body)| {
        let request = Request { body, ..Request::act(Act::Plan { file: name }) };
        let plan = ask(&socket.path(), &request)?;
        if !json {
            warn(&plan);
        }
        print(&if json { format!("{plan:#}\n") } else { words(&plan) })?;
        Ok(plan)
    });
    match asked {
        Ok(plan) if detailed_exitcode => {
            ExitCode::from(match (count(&plan, "needs_restart"), count(&plan, "changes")) {
                (0, 0) => 0,
                (0, _) => CHANGES,
                _ => RESTART,
            })
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(refusal) => refused(&refusal),
    }
}

/// Puts a file in force.
pub fn apply(apply: Apply) -> Result<(), Refusal> {
    let Apply { file, confirm, json, socket } = apply;
    let (name, body) = read(&file)?;
    let confirm_s = confirm.map(|time| time.as_secs() as u32);
    let request = Request { body, ..Request::act(Act::Apply { file: name, confirm_s }) };
    let done = ask(&socket.path(), &request)?;
    if json {
        return print(&format!("{done:#}\n"));
    }
    let kept = match done["confirm_s"].as_u64() {
        Some(seconds) => format!("; 'causeway confirm' within {seconds} s keeps it, else it is rolled back"),
        None => String::new(),
    };
    warn(&done);
    match count(&done, "changes") {
        0 => print("nothing changes: this is in force already\n"),
        _ => print(&format!("{}applied{kept}\n", rows(&done))),
    }
}

/// Has the gateway read its own file again.
pub fn reload(reload: Reload) -> ExitCode {
    let asked = ask(&reload.socket.path(), &Request::act(Act::Reload)).and_then(|done| {
        if !reload.json {
            odd(&done);
            warn(&done);
        }
        print(&if reload.json { format!("{done:#}\n") } else { reloaded(&done) })?;
        Ok(done)
    });
    match asked {
        Ok(done) => match done["refusal"].as_str() {
            Some(refusal) => {
                refused(refusal);
                ExitCode::from(RESTART)
            }
            None => ExitCode::SUCCESS,
        },
        Err(refusal) => refused(&refusal),
    }
}

/// What came of it, for people.
fn reloaded(done: &Value) -> String {
    let file = done["file"].as_str().unwrap_or_default();
    match (done["refusal"].is_string(), count(done, "changes")) {
        (true, _) => rows(done),
        (false, 0) => format!("nothing changes: {file} is in force already\n"),
        (false, _) => format!("{}reloaded: {file} is in force\n", rows(done)),
    }
}

/// Keeps it.
pub fn confirm(then: Then) -> Result<(), Refusal> {
    ask(&then.socket.path(), &Request::act(Act::Confirm))?;
    print("confirmed: it stays\n")
}

/// Goes back.
pub fn rollback(then: Then) -> Result<(), Refusal> {
    ask(&then.socket.path(), &Request::act(Act::Rollback))?;
    print("rolled back: the configuration before the last change is in force again\n")
}

/// The name and the text of a file that is right. Its problems are printed as 'causeway check' prints them.
fn read(file: &Path) -> Result<(String, String), Refusal> {
    let loaded = config::load(file).map_err(|problems| {
        eprintln!("{problems}");
        "nothing is changed".to_owned()
    })?;
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    Ok((name, text))
}

fn count(plan: &Value, list: &str) -> usize {
    plan[list].as_array().map_or(0, Vec::len)
}

/// A plan for people.
fn words(plan: &Value) -> String {
    let (changes, restarts) = (count(plan, "changes"), count(plan, "needs_restart"));
    let places = if changes == 1 { "1 place".to_owned() } else { format!("{changes} places") };
    let end = match (changes, restarts) {
        (0, _) => "nothing would change".to_owned(),
        (_, 0) => format!("{places} would change; 'causeway apply' does it while frames flow"),
        _ => format!("{places} would change; 'causeway apply' refuses what needs a restart"),
    };
    format!("{}{end}\n", rows(plan))
}

/// A line for each change.
fn rows(plan: &Value) -> String {
    let mut text = String::new();
    for row in plan["changes"].as_array().into_iter().flatten() {
        text += row["words"].as_str().unwrap_or_default();
        text += &match (row["live"] == false, row["line"].as_u64()) {
            (true, Some(line)) => format!("  [line {line}: restart]\n"),
            (true, None) => "  [restart]\n".to_owned(),
            (false, _) => "\n".to_owned(),
        };
    }
    text
}

/// What only the running gateway knows to be odd. (What is odd in the file stands on standard error already, with its
/// place.)
fn warn(plan: &Value) {
    let warnings = plan["live_warnings"].as_array().into_iter().flatten();
    warnings.filter_map(Value::as_str).for_each(|warning| eprintln!("warning: {warning}"));
}

/// What is odd in a file that only the gateway has read.
fn odd(plan: &Value) {
    for warning in plan["warnings"].as_array().into_iter().flatten() {
        let field = |name: &str| warning[name].as_str().unwrap_or_default();
        let (line, column) = (&warning["line"], &warning["column"]);
        let (file, path, rule, cure) = (field("file"), field("path"), field("rule"), field("cure"));
        eprintln!("{file}:{line}:{column}: warning: {path}: {rule}; {cure}");
    }
}

/// `60s`, `5m`, or seconds.
fn time(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(unit)).filter(|&seconds| seconds > 0);
    let time = seconds.filter(|&seconds| seconds <= 86_400).map(|seconds| Duration::from_secs(seconds.into()));
    time.ok_or_else(|| "write seconds or minutes, up to a day, like 60s or 5m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(
            (time("60s"), time("60"), time("5m")),
            (Ok(Duration::from_secs(60)), Ok(Duration::from_secs(60)), Ok(Duration::from_secs(300)))
        );
        assert!(["", "s", "0", "-1", "1h", "99999999m", "86401"].iter().all(|text| time(text).is_err()));
    }

    #[test]
    fn a_plan_reads_like_a_list() {
        let row = |words: &str, live: bool, line: Option<u64>| serde_json::json!({"words": words, "live": live, "line": line});
        let plan = serde_json::json!({
            "changes": [row("+ vnis[1]", true, None), row("~ workers.cores: add 2", false, Some(3)), row("- memory", false, None)],
            "needs_restart": [{"path": "workers.cores", "line": 3}],
        });
        assert_eq!(
            words(&plan),
            "+ vnis[1]\n~ workers.cores: add 2  [line 3: restart]\n- memory  [restart]\n\
                                  3 places would change; 'causeway apply' refuses what needs a restart\n"
        );
        assert_eq!(words(&serde_json::json!({"changes": []})), "nothing would change\n");
    }

    #[test]
    fn a_reload_says_what_is_in_force_and_what_waits() {
        let row = serde_json::json!({"words": "~ fdb.size: 4096 -> 8192", "live": false, "line": 7});
        let mut done = serde_json::json!({"changes": [row], "file": "gw.yaml", "refusal": "nothing was applied"});
        assert_eq!(reloaded(&done), "~ fdb.size: 4096 -> 8192  [line 7: restart]\n");
        done["refusal"] = Value::Null;
        done["changes"][0]["live"] = true.into();
        assert_eq!(reloaded(&done), "~ fdb.size: 4096 -> 8192\nreloaded: gw.yaml is in force\n");
        done["changes"] = serde_json::json!([]);
        assert_eq!(reloaded(&done), "nothing changes: gw.yaml is in force already\n");
    }
}
