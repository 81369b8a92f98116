//! The follower against a server in a test's hands.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::{Value, json};

use crossbeam::channel::never;

use super::*;
use crate::source::ovsdb::testing;

/// A server in a test's hands.
struct Fake(UnixStream, Vec<u8>);

impl Fake {
    fn hears(&mut self) -> Value {
        loop {
            let mut stream = serde_json::Deserializer::from_slice(&self.1).into_iter::<Value>();
            if let Some(Ok(message)) = stream.next() {
                let read = stream.byte_offset();
                self.1.drain(..read);
                return message;
            }
            let mut more = [0; 4096];
            let length = self.0.read(&mut more).expect("the follower speaks");
            assert!(length > 0, "the follower left");
            self.1.extend_from_slice(&more[..length]);
        }
    }

    fn says(&mut self, message: &Value) {
        self.0.write_all(message.to_string().as_bytes()).expect("the follower listens");
    }

    fn answers(&mut self, question: &Value, result: Value) {
        self.says(&json!({ "id": question["id"], "result": result, "error": null }));
    }
}

fn start(name: &str) -> (Follower, Fake, Receiver<Change>) {
    let path = std::env::temp_dir().join(format!("causeway-{name}-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a socket");
    let (tell, changes) = crossbeam::channel::unbounded();
    let options = Options {
        facts: testing::facts(),
        stale: None,
        statistics: None,
        description: String::new(),
        management: Vec::new(),
        managers: None,
    };
    let settings = Settings { database: OvsdbDatabase::Unix(path.clone()), options };
    let outside = Outside { tell: Box::new(move |change| drop(tell.send(change))), ports: Box::new(never) };
    let follower = Follower::start(settings, outside).expect("a thread");
    let (stream, _) = listener.accept().expect("the follower comes");
    std::fs::remove_file(&path).expect("our file");
    let mut server = Fake(stream, Vec::new());
    let question = server.hears();
    assert_eq!(question["method"], "get_schema");
    server.answers(&question, testing::schema());
    let question = server.hears();
    assert_eq!(question["method"], "monitor");
    server.answers(&question, json!({}));
    (follower, server, changes)
}

/// (Encapsulation, address, key) of a locator is unique: who loses the race looks again and tries again.
#[test]
fn a_transaction_that_breaks_a_rule_is_tried_again() {
    let (follower, mut server, _changes) = start("retry");
    let broken = json!([{}, {"error": "constraint violation", "details": "twice"}]);
    let first = server.hears();
    assert!(first["params"].to_string().contains("Physical_Switch"), "{first}");
    server.answers(&first, broken);
    let second = server.hears();
    assert_eq!(first["params"], second["params"]);
    assert_eq!(follower.view().published.refused, 1);
    assert!(follower.view().error.expect("it is told").contains("constraint violation: twice"));
}

/// Three changes in a row, the last of which undoes the first: control hears of what is left of them, once.
#[test]
fn a_database_is_looked_at_when_it_has_come_to_rest() {
    let (_follower, mut server, changes) = start("rest");
    let first = server.hears();
    server.answers(&first, json!([{}]));
    let key = |key: Value| json!({"new": {"name": "ls", "tunnel_key": key}});
    let name = |name: &str| testing::row(name).to_string();
    let uuid = |name: &str| testing::row(name).json();
    let everything = json!({
        "Physical_Switch": {name("gw1"): {"new": {"name": "gw1", "tunnel_ips": "192.0.2.1", "ports": uuid("p1")}}},
        "Physical_Port": {name("p1"): {"new": {"name": "srv1", "vlan_bindings": ["map", [[100, uuid("ls")]]]}}},
        "Logical_Switch": {name("ls"): key(json!(1))},
    });
    let update = |rows: &Value| json!({"method": "update", "params": [null, rows], "id": null});
    let all: String = [
        everything,
        json!({"Logical_Switch": {name("ls"): key(json!(0))}}),
        json!({"Logical_Switch": {name("ls"): key(json!(7))}}),
    ]
    .iter()
    .map(|rows| update(rows).to_string())
    .collect();
    server.0.write_all(all.as_bytes()).expect("the follower listens");
    let change = changes.recv_timeout(Duration::from_secs(10)).expect("a change");
    let segments = change.segments.expect("segments");
    assert_eq!(segments.iter().map(|segment| segment.number.vni.value()).collect::<Vec<_>>(), [7]);
}
