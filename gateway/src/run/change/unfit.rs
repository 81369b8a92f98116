//! Why the gateway's own file is not in force: for the log, for who asked for it, and for `causeway show health`.

use std::path::Path;

use config::Problems;
use gateway::control::view::ProblemView;

use super::report::Report;
use crate::run::{plural, refusal};

/// Why a file was not taken. Nothing of it is in force.
pub enum NotTaken {
    /// It is wrong.
    Wrong(Problems),
    /// It is right, and a restart is needed for it.
    Restart(Box<Report>),
    /// The gateway, or the kernel, refuses it as things are.
    Refused(String),
}

impl NotTaken {
    /// In one line.
    pub fn why(&self, file: &Path) -> String {
        match self {
            Self::Wrong(problems) => refusal(file, problems),
            Self::Restart(report) => {
                format!(
                    "nothing was applied, because these need a restart: {}",
                    report.parts(&file.display().to_string())
                )
            }
            Self::Refused(why) => why.clone(),
        }
    }

    /// What to do.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Wrong(_) => "correct the file and reload: the gateway would not start with it",
            Self::Restart(_) => "restart the gateway, or leave these as they run and reload",
            Self::Refused(_) => "see what 'causeway plan' says of the file, and reload",
        }
    }

    /// As one of the things that are not as they should be.
    pub fn problem(&self, file: &Path) -> ProblemView {
        let name = file.display().to_string();
        let problem = match self {
            Self::Wrong(problems) => {
                let errors = problems.errors();
                format!("it is not in force: it has {errors} error{}", plural(errors))
            }
            Self::Refused(why) => format!("it is not in force: {why}"),
            Self::Restart(report) => {
                format!("a restart is pending, and until then nothing of it is in force: {}", report.parts(&name))
            }
        };
        ProblemView { subject: "configuration".into(), name, problem, cure: self.cure().into() }
    }
}
