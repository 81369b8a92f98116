//! JSON-RPC of OVSDB (RFC 7047), as a controller speaks it.

use std::io::{Read, Write};

use serde_json::{Value, json};

/// A controller's side, over whatever carries it.
pub struct Rpc<R, W> {
    from: R,
    to: W,
    bytes: Vec<u8>,
    next: u64,
}

impl<R: Read, W: Write> Rpc<R, W> {
    /// Begins.
    pub fn new(from: R, to: W) -> Self {
        Self { from, to, bytes: Vec::new(), next: 0 }
    }

    /// What becomes of operations.
    pub fn transact(&mut self, operations: Value) -> Value {
        let params: Vec<Value> =
            [json!("hardware_vtep")].into_iter().chain(operations.as_array().unwrap().iter().cloned()).collect();
        self.next += 1;
        let request = json!({"method": "transact", "params": params, "id": self.next});
        self.say(&request);
        loop {
            let message = self.message();
            if message["method"] == "echo" {
                let reply = json!({"id": message["id"], "result": message["params"], "error": null});
                self.say(&reply);
            } else if message["id"] == self.next {
                return message["result"].clone();
            }
        }
    }

    fn say(&mut self, message: &Value) {
        self.to.write_all(message.to_string().as_bytes()).expect("the server reads");
        self.to.flush().expect("the server reads");
    }

    fn message(&mut self) -> Value {
        loop {
            let mut stream = serde_json::Deserializer::from_slice(&self.bytes).into_iter::<Value>();
            if let Some(Ok(message)) = stream.next() {
                let read = stream.byte_offset();
                self.bytes.drain(..read);
                return message;
            }
            let mut more = [0; 4096];
            let length = self.from.read(&mut more).expect("the server speaks");
            assert!(length > 0, "the server closed the connection");
            self.bytes.extend_from_slice(&more[..length]);
        }
    }
}
