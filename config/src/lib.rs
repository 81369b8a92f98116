//! Causeway's configuration: one YAML file, checked into a [`types::Model`] that cannot be wrong.
//!
//! ```
//! let loaded = config::parse("gw.yaml", "
//! version: 1
//! ports:
//!   - name: up0
//!     device: \"0000:3b:00.0\"
//!     underlay: {addresses: 10.0.0.11/24, gateway: 10.0.0.1}
//!   - name: srv1
//!     device: \"0000:3b:00.1\"
//!     vlans: [{vlan: 10, vni: 10010}]
//! vnis:
//!   - {vni: 10010, flood: {vteps: [10.0.0.12]}}
//! ").expect("the file is right");
//! assert_eq!(loaded.model.ports[1].attachments[0].segment, 0);
//! assert!(loaded.warnings.is_empty());
//! ```

#![deny(unsafe_code)]

mod access;
mod check;
mod controllers;
mod defaults;
mod differences;
mod document;
pub mod file;
mod metrics;
mod neighbours;
mod notes;
mod places;
mod problem;
mod reader;
mod reference;
mod render;
mod scalar;
mod schema;
mod suggest;
pub mod types;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use differences::{Difference, differences};
pub use places::Places;
pub use problem::{Problem, Problems, Severity};
pub use reference::reference;
pub use render::{file as to_file, render};
pub use schema::schema;
pub use suggest::nearest;

/// A file that broke no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What it means.
    pub model: types::Model,
    /// What is legal but odd, in the order of the file; of very many the first, and one that stands for the others.
    pub warnings: Vec<Problem>,
    /// Where its parts stand.
    pub places: Places,
}

/// Longest file that is read: two million static MACs and more.
const LONGEST: u64 = 256 << 20;

/// Reads and checks a file.
pub fn load(path: impl AsRef<Path>) -> Result<Loaded, Problems> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let refuse = |rule: String, cure: &str| Problems(vec![Problem::of_file(&name, rule, cure)]);
    // It may be a pipe or a device, which might never end.
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| refuse(format!("the file cannot be read: {error}"), "check the path and its permissions"))?;
    if bytes.len() as u64 > LONGEST {
        return Err(refuse(format!("the file has more than {} MiB", LONGEST >> 20), "check the path"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        refuse(format!("line {line} is not UTF-8 text"), "save the file as UTF-8")
    })?;
    read(&name, text)
}

/// Checks the text of a file; `file_name` is only for messages.
pub fn parse(file_name: &str, text: &str) -> Result<Loaded, Problems> {
    read(file_name, text.to_owned())
}

fn read(file_name: &str, text: String) -> Result<Loaded, Problems> {
    let (document, notes) = document::Document::parse(file_name, text);
    let Some(root) = document.root else {
        let empty =
            || vec![Problem::of_file(file_name, "the file is empty", "begin with 'version: 1' and list 'ports'")];
        let problems = notes.into_problems(file_name);
        return Err(Problems(if problems.is_empty() { empty() } else { problems }));
    };
    let reader = reader::Reader::new(document, notes);
    let model = check::model(&reader, root);
    let places = Places::of(&reader.document, root);
    let problems = reader.into_problems(file_name);
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match model {
        Some(model) if !errors => Ok(Loaded { model, warnings: problems, places }),
        _ => Err(Problems(problems)),
    }
}
