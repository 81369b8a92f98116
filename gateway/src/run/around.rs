//! What is to be said of the gateway as a whole: which one it is, and whether all is as it should be.

use std::path::PathBuf;
use std::time::Instant;

use gateway::control::Control;
use gateway::control::view::{HealthView, ProblemView, VersionView};
use gateway::source::carrier::Beneath;

use super::answer::Links;
use super::controllers::Controllers;

/// `0.1.0 (dpdk 22.11.11)`; the build script writes it.
const STAMP: &str = match option_env!("CAUSEWAY_VERSION") {
    Some(stamp) => stamp,
    None => env!("CARGO_PKG_VERSION"),
};

/// What surrounds control.
pub struct Around {
    /// The configuration file.
    pub file: PathBuf,
    /// When the gateway began.
    pub start: Instant,
    /// Cores whose workers do not move.
    pub stuck: Vec<u16>,
    /// Why the file, as it was last read, is not what is in force.
    pub file_problem: Option<Box<ProblemView>>,
    /// What ailed the parts around control when last looked at.
    pub problems: Vec<ProblemView>,
}

impl Around {
    /// `show version`.
    pub fn version(&self, control: &Control) -> VersionView {
        let (version, dpdk) = parts(STAMP);
        VersionView {
            version: version.into(),
            dpdk: dpdk.map(str::to_owned),
            pid: std::process::id(),
            uptime: self.start.elapsed().as_secs(),
            config: self.file.display().to_string(),
            cores: control.model().workers.cores.clone(),
        }
    }
}

/// The version of Causeway and that of DPDK.
fn parts(stamp: &str) -> (&str, Option<&str>) {
    match stamp.split_once(" (dpdk ") {
        Some((version, dpdk)) => (version, Some(dpdk.trim_end_matches(')'))),
        None => (stamp, None),
    }
}

/// `show health`.
pub fn health(control: &Control, links: &Links, controllers: &Controllers, around: &Around) -> HealthView {
    let mut problems = Vec::new();
    let mut problem = |subject: &str, name: &str, problem: String, cure: &str| {
        problems.push(ProblemView { subject: subject.into(), name: name.into(), problem, cure: cure.into() });
    };
    for core in &around.stuck {
        let cure = "see what else runs on its core, and the gateway's log; restart the gateway";
        problem("worker", &core.to_string(), "it does not move".into(), cure);
    }
    for (index, port) in control.model().ports.iter().enumerate() {
        let (what, cure) = match (links.beneath)(index) {
            Some(Beneath::Gone) => ("the interface beneath it is gone", "put it back, and restart the gateway"),
            Some(Beneath::Another) => (
                "the interface beneath it was removed; one that came later has its name",
                "restart the gateway: its driver holds the old one",
            ),
            _ if links.state(index).is_some_and(|link| !link.up) => {
                ("it is down", "check cable, transceiver and the other end")
            }
            _ => continue,
        };
        problem("link", &port.name, what.into(), cure);
    }
    for controller in controllers.view(control, control.clock()) {
        if controller.state == "lost" || controller.state == "connecting" {
            let what = controller.error.unwrap_or_else(|| "it is not connected".into());
            problem("controller", &controller.name, what, "see 'causeway show controllers'");
        }
    }
    problems.extend(around.problems.iter().cloned());
    problems.extend(around.file_problem.as_deref().cloned());
    problems.extend(control.problems());
    HealthView::of(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_read() {
        assert_eq!(parts("0.1.0 (dpdk 22.11.11)"), ("0.1.0", Some("22.11.11")));
        assert_eq!(parts("0.1.0"), ("0.1.0", None));
    }
}
