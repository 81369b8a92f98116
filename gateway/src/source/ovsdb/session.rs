//! A conversation with the server, from the first question to the last: bytes of whole messages in, bytes out. Pure.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::publish::Group;
use super::replica::{DATABASE, Replica};
use super::rpc::{self, Message};
use super::transaction::Transaction;

/// What a question was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Schema,
    Monitor,
    Echo,
    Transaction(Group),
}

/// What a message brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing that matters.
    Nothing,
    /// The whole database is in the replica.
    Read,
    /// Rows changed.
    Changed,
    /// What became of a transaction.
    Done(Group, Result<(), String>),
}

/// A conversation.
#[derive(Debug)]
pub struct Session {
    /// The database, as far as it is known.
    pub replica: Replica,
    ready: bool,
    asked: HashMap<u64, Question>,
    next: u64,
    out: Vec<u8>,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// Begins with the question for the schema.
    pub fn new() -> Self {
        let mut session =
            Self { replica: Replica::default(), ready: false, asked: HashMap::new(), next: 0, out: Vec::new() };
        session.ask(Question::Schema, "get_schema", &json!([DATABASE]));
        session
    }

    /// True when the replica is whole.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// What is to be sent.
    pub fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Asks whether the server lives.
    pub fn probe(&mut self) {
        self.ask(Question::Echo, "echo", &json!([]));
    }

    /// Sends a transaction; [`News::Done`] tells what became of it.
    pub fn transact(&mut self, group: Group, transaction: &Transaction) {
        self.ask(Question::Transaction(group), "transact", &transaction.params(group.name()));
    }

    fn ask(&mut self, question: Question, method: &str, params: &Value) {
        self.asked.insert(self.next, question);
        self.out.extend(rpc::request(self.next, method, params));
        self.next += 1;
    }

    /// Takes in a message.
    ///
    /// # Errors
    ///
    /// When there is no going on with this server.
    pub fn receive(&mut self, message: &[u8]) -> Result<News, String> {
        match rpc::read(message)? {
            Message::Echo(id, params) => {
                self.out.extend(rpc::echo(id, params));
                Ok(News::Nothing)
            }
            // Before the answer to our question there is nothing that updates could be about.
            Message::Update(params) if self.ready => {
                let (_, changes): (serde::de::IgnoredAny, &serde_json::value::RawValue) =
                    serde_json::from_str(params.get())
                        .map_err(|error| format!("an update that cannot be read ({error})"))?;
                self.replica.apply(changes)?;
                Ok(News::Changed)
            }
            Message::Update(_) | Message::Other(_) => Ok(News::Nothing),
            Message::Reply(id, answer) => {
                let Some(question) = self.asked.remove(&id) else { return Ok(News::Nothing) };
                self.answer(question, answer)
            }
        }
    }

    fn answer(
        &mut self,
        question: Question,
        answer: Result<&serde_json::value::RawValue, String>,
    ) -> Result<News, String> {
        match (question, answer) {
            (Question::Echo, _) => Ok(News::Nothing),
            (Question::Schema, Ok(schema)) => {
                let wanted = Replica::wanted(schema)?;
                self.ask(Question::Monitor, "monitor", &json!([DATABASE, null, wanted]));
                Ok(News::Nothing)
            }
            (Question::Schema, Err(why)) => Err(format!(
                "it has no database {DATABASE} ({why}): give ovsdb-server one made of the stock vtep.ovsschema"
            )),
            (Question::Monitor, Ok(rows)) => {
                self.replica.apply(rows)?;
                self.ready = true;
                Ok(News::Read)
            }
            (Question::Monitor, Err(why)) => Err(format!("it does not let us follow its tables ({why})")),
            (Question::Transaction(group), Ok(result)) => Ok(News::Done(group, rpc::outcome(result))),
            (Question::Transaction(group), Err(why)) => Ok(News::Done(group, Err(why))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(session: &mut Session) -> String {
        String::from_utf8(session.take_out()).expect("UTF-8")
    }

    fn ready() -> Session {
        let mut session = Session::new();
        let first = text(&mut session);
        assert!(first.contains(r#""method":"get_schema","params":["hardware_vtep"]"#), "{first}");
        let schema = format!(r#"{{"id":0,"result":{},"error":null}}"#, crate::source::ovsdb::testing::schema());
        assert_eq!(session.receive(schema.as_bytes()), Ok(News::Nothing));
        assert!(
            text(&mut session)
                .contains(r#""Ucast_Macs_Remote":[{"columns":["MAC","logical_switch","locator","ipaddr"]}]"#)
        );
        assert_eq!(session.receive(br#"{"id":1,"result":{},"error":null}"#), Ok(News::Read));
        session
    }

    #[test]
    fn it_asks_for_the_schema_then_for_the_rows_and_answers_echoes_meanwhile() {
        let mut session = ready();
        assert_eq!(session.receive(br#"{"id":"echo","method":"echo","params":[]}"#), Ok(News::Nothing));
        assert_eq!(text(&mut session), r#"{"id":"echo","result":[],"error":null}"#);
        assert_eq!(session.receive(br#"{"id":null,"method":"update","params":[null,{}]}"#), Ok(News::Changed));
        assert_eq!(
            session.receive(br#"{"id":99,"result":{},"error":null}"#),
            Ok(News::Nothing),
            "to nobody's question"
        );
    }

    #[test]
    fn a_server_without_the_database_is_told_apart() {
        let mut session = Session::new();
        let why = session.receive(br#"{"id":0,"result":null,"error":"unknown database"}"#).expect_err("no database");
        assert!(why.contains("hardware_vtep (unknown database)") && why.contains("vtep.ovsschema"), "{why}");
    }

    #[test]
    fn the_outcome_of_a_transaction_is_inside_the_answer() {
        let mut session = ready();
        let mut transaction = Transaction::default();
        transaction.insert("Logical_Switch", json!({"name": "x"}));
        session.transact(Group::Faults, &transaction);
        let sent = text(&mut session);
        assert!(sent.contains(r#""op":"insert""#) && sent.contains("causeway: fault status"), "{sent}");
        let reply = br#"{"id":2,"error":null,"result":[{},{},{"error":"constraint violation","details":"twice"}]}"#;
        assert_eq!(session.receive(reply), Ok(News::Done(Group::Faults, Err("constraint violation: twice".into()))));
    }
}
