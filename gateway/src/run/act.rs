//! What control does when asked on the socket.

use gateway::control::Control;
use gateway::telemetry::Act;
use serde_json::{Value, json};

use super::answer::filter;

/// Does it and says what came of it.
pub fn act(control: &mut Control, act: &Act) -> Result<Value, String> {
    match act {
        Act::FdbFlush(asked) => {
            let forgotten = control.flush(&filter(control, asked)?).map_err(|unknown| unknown.to_string())?;
            Ok(json!({"forgotten": forgotten}))
        }
    }
}
