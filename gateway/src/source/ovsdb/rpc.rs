//! JSON-RPC 1.0 as OVSDB speaks it (RFC 7047 section 4): what comes in, what goes out. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A message of the server. What is inside of it is read later, by whoever knows what it is.
#[derive(Debug)]
pub enum Message<'a> {
    /// It asks whether we live; answer at once with the same id and parameters.
    Echo(&'a RawValue, Option<&'a RawValue>),
    /// Rows changed.
    Update(&'a RawValue),
    /// The answer to one of our requests: its number, and a result or what was wrong.
    Reply(u64, Result<&'a RawValue, String>),
    /// Something that we do not use.
    Other(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Reads a message.
///
/// # Errors
///
/// When it is no JSON, or no message.
pub fn read(bytes: &[u8]) -> Result<Message<'_>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("a message that is not UTF-8 ({error})"))?;
    let Envelope { id, method, params, result, error } =
        serde_json::from_str(text).map_err(|error| format!("a message that is no JSON-RPC ({error})"))?;
    match (method.as_deref(), id) {
        (Some("echo"), Some(id)) => Ok(Message::Echo(id, params)),
        (Some("update"), _) => params.map(Message::Update).ok_or_else(|| "an update without rows".to_owned()),
        (Some(method), _) => Ok(Message::Other(method.to_owned())),
        (None, Some(id)) => {
            let Ok(number) = id.get().parse() else { return Ok(Message::Other(format!("an answer to {}", id.get()))) };
            Ok(Message::Reply(
                number,
                match (error, result) {
                    (Some(error), _) => Err(reason(error)),
                    (None, Some(result)) => Ok(result),
                    (None, None) => Err("an answer without a result".to_owned()),
                },
            ))
        }
        (None, None) => Err("a message without method and id".to_owned()),
    }
}

/// What an error says, in words where it has some.
fn reason(error: &RawValue) -> String {
    match serde_json::from_str(error.get()) {
        Ok(Value::String(text)) => text,
        Ok(Value::Object(fields)) => words(&fields).unwrap_or_else(|| error.get().to_owned()),
        _ => error.get().to_owned(),
    }
}

fn words(fields: &serde_json::Map<String, Value>) -> Option<String> {
    let error = fields.get("error")?.as_str()?;
    match fields.get("details").and_then(Value::as_str) {
        Some(details) => Some(format!("{error}: {details}")),
        None => Some(error.to_owned()),
    }
}

/// A request.
pub fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    json!({ "method": method, "params": params, "id": id }).to_string().into_bytes()
}

/// The answer to an echo.
pub fn echo(id: &RawValue, params: Option<&RawValue>) -> Vec<u8> {
    format!(r#"{{"id":{},"result":{},"error":null}}"#, id.get(), params.map_or("[]", RawValue::get)).into_bytes()
}

/// What became of a transaction's operations: the answer has an element for each, and one more for what went wrong at the
/// end. Errors are among them; the answer itself knows of none.
///
/// # Errors
///
/// The first that is there.
pub fn outcome(result: &RawValue) -> Result<(), String> {
    let elements: Vec<Value> = serde_json::from_str(result.get()).map_err(|error| error.to_string())?;
    let failed = elements.iter().filter_map(Value::as_object).find(|element| element.contains_key("error"));
    match failed {
        None => Ok(()),
        Some(element) => Err(words(element).unwrap_or_else(|| Value::Object(element.clone()).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_answered_with_its_own_id_and_parameters() {
        let Ok(Message::Echo(id, params)) = read(br#"{"id":"echo","method":"echo","params":[ 7 ]}"#) else { panic!() };
        assert_eq!(echo(id, params), br#"{"id":"echo","result":[ 7 ],"error":null}"#);
    }

    #[test]
    fn answers_are_told_from_errors() {
        assert!(matches!(read(br#"{"id":3,"result":{},"error":null}"#), Ok(Message::Reply(3, Ok(_)))));
        let Ok(Message::Reply(4, Err(why))) =
            read(br#"{"id":4,"result":null,"error":{"error":"unknown database","details":"x"}}"#)
        else {
            panic!()
        };
        assert_eq!(why, "unknown database: x");
        for wrong in [&b"{}"[..], b"[]", b"{\"id\":}", b"{\"method\":\"update\"}", b"\xff\xfe{}"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn errors_inside_a_result_are_found() {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).expect("JSON");
        assert_eq!(outcome(&raw(r#"[{"count":1},{"uuid":["uuid","x"]},{}]"#)), Ok(()));
        let late = raw(r#"[{},null,{"error":"constraint violation","details":"twice"}]"#);
        assert_eq!(outcome(&late), Err("constraint violation: twice".into()));
    }
}
