//! Completion of names, as the shells see it: the scripts of the real binary ask a gateway.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gateway::telemetry::{Access, Request, Server};

const BINARY: &str = env!("CARGO_BIN_EXE_causeway");

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A gateway with two ports and a MAC, and its socket.
fn gateway(name: &str) -> (Server, PathBuf) {
    let socket = std::env::temp_dir().join(format!("causeway-names-{}-{name}.sock", std::process::id()));
    let answer = |request: Request| -> Result<serde_json::Value, String> {
        let request = serde_json::json!(request);
        match request["show"].as_str() {
            Some("ports") => Ok(serde_json::json!([{"name": "srv1"}, {"name": "srv2"}, {"name": "up0"}])),
            // Of a million MACs only those are asked for that begin as the word does.
            Some("fdb") if request["begins"] == "02:00:" => Ok(serde_json::json!([{"mac": "02:00:00:00:00:05"}])),
            _ => Err("nothing else is asked for".into()),
        }
    };
    let server = Server::open(&socket, &Access::default(), answer).expect("a socket");
    (server, socket)
}

#[test]
fn bash_completes_the_names_of_the_running_gateway() {
    let (_server, socket) = gateway("bash");
    let bash = |words: &str| {
        let line = format!("{BINARY} {words}");
        let script = format!(
            "eval \"$({BINARY} completions bash)\"; COMP_LINE={line:?}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _causeway_or_names {BINARY} \"${{COMP_WORDS[COMP_CWORD]}}\"; \
             printf '%s ' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &script]).env("CAUSEWAY_SOCKET", &socket).output();
        let output = output.expect("bash starts");
        (printed(&output), said(&output))
    };
    let replies = |names: &str| (format!("{names} "), String::new());
    assert_eq!(bash("show fdb --port "), replies("srv1 srv2 up0"));
    assert_eq!(bash("show fdb --port=s"), replies("srv1 srv2"));
    assert_eq!(bash("show fdb --mac 02:00:"), replies("00:00:00:05"), "what is behind the last colon");
    assert_eq!(bash("show fd"), replies("fdb"), "all else is clap's");
}

#[test]
fn fish_completes_the_names_of_the_running_gateway() {
    let (_server, socket) = gateway("fish");
    let folder = Path::new(BINARY).parent().expect("a folder").display();
    let script = format!(
        "set -x PATH {folder} $PATH; causeway completions fish | source; complete -C 'causeway show fdb --port s'"
    );
    match Command::new("fish").args(["-c", &script]).env("CAUSEWAY_SOCKET", &socket).output() {
        Ok(output) => assert_eq!(printed(&output), "srv1\nsrv2\n", "{}", said(&output)),
        Err(_) => eprintln!("skipped: names in fish: fish is not installed"),
    }
}
