//! How the running gateway is changed, and what it remembers when it is started again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults;

/// What makes the running gateway read its file again. (`causeway reload` always does, and so does `systemctl
/// reload`; `causeway apply` takes a file of its own.)
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reload {
    /// The signal SIGHUP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub signal: Option<bool>,
    /// A change of the file: it is looked at once a second, and taken when it has stayed the same for a second. A file
    /// that is wrong is reported once and changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub watch: Option<bool>,
}

/// MACs and statistics outlive the process: after a restart or a crash nothing floods that was known before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Folder of the state file, which is named after the socket (`causeway.state`). By default the one that the
    /// service manager gives (`$STATE_DIRECTORY`, with our unit `/var/lib/causeway`); without one nothing is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Seconds between two writings of the file, 0 never. What is learned later than that floods again after a crash;
    /// an orderly stop writes everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86_400), extend("default" = defaults::STATE_EVERY))]
    pub every: Option<u32>,
}
