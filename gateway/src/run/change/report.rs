//! What a change would do, for people and for scripts.

use config::types::Model;
use config::{Difference, Places, Problem, differences};
use gateway::control::fixed_parts;
use serde::Serialize;

/// A plan.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Everything that is different, in the order of the file.
    pub changes: Vec<Row>,
    /// What only a restart can change. When there is anything, nothing of the file is applied.
    pub needs_restart: Vec<Fixed>,
    /// What is odd about the file; nothing that keeps it from being applied.
    pub warnings: Vec<Problem>,
    /// What is odd about it here and now.
    pub live_warnings: Vec<String>,
}

/// One difference.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What and where.
    #[serde(flatten)]
    difference: Difference,
    /// The same as a line of text.
    words: String,
    /// It can change while frames flow.
    live: bool,
    /// The line of the file that asks for it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// Something that cannot change while the gateway runs.
#[derive(Debug, Serialize)]
pub struct Fixed {
    /// Its place in the file.
    path: String,
    /// The line of the file that asks for it; `None` when the file leaves it out.
    line: Option<usize>,
}

impl Report {
    /// How a new configuration (and where its parts stand in its file) differs from what runs; `start` is what it was
    /// started with.
    pub fn of(
        running: &Model,
        start: &Model,
        (new, places): (&Model, &Places),
        warnings: Vec<Problem>,
        live_warnings: Vec<String>,
    ) -> Self {
        let parts = fixed_parts(start, new);
        let row = |difference: Difference| {
            let live = !parts.iter().any(|part| difference.touches(part));
            let line = (!difference.path.starts_with("vnis")).then(|| places.line(&difference.path)).flatten();
            Row { words: difference.to_string(), live, line, difference }
        };
        let changes = differences(running, new).into_iter().map(row).collect();
        // What the file leaves to the defaults follows from its ports: whoever wants the ports asks for it.
        let follows = |part: &str| part.starts_with("memory.buffer") && !places.has(part);
        let is_consequence = |part: &str| follows(part) && parts.iter().any(|cause| cause.starts_with("ports"));
        let named = parts.iter().filter(|part| !is_consequence(part));
        let needs_restart = named.map(|part| Fixed { path: part.clone(), line: places.line(part) }).collect();
        Self { changes, needs_restart, warnings, live_warnings }
    }

    /// Why it is not applied, if so.
    pub fn refusal(&self, file: &str) -> Option<String> {
        if self.needs_restart.is_empty() {
            return None;
        }
        Some(format!(
            "nothing was applied, because these need a restart: {}; restart the gateway with this file, or leave them \
             as they run",
            self.parts(file)
        ))
    }

    /// What needs a restart, each part with its line.
    pub fn parts(&self, file: &str) -> String {
        let part = |fixed: &Fixed| match fixed.line {
            Some(line) => format!("{} ({file}:{line})", fixed.path),
            None => format!("{} (which {file} leaves out)", fixed.path),
        };
        self.needs_restart.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = "version: 1\nworkers:\n  cores: [1]\nvtep: {source: 10.0.0.11}\nports:\n  - name: up0\n    \
                          device: net_null0\n    mtu: 1600\n    underlay: {addresses: 10.0.0.11/24}\n  - name: srv1\n    \
                          device: net_null1\n    vlans: [{vlan: 10, vni: 1}]\nvnis: [{vni: 1, flood: {vteps: [10.0.0.12]}}]\n";

    fn report(new: &str) -> Report {
        let load = |text: &str| config::parse("gw.yaml", text).unwrap_or_else(|problems| panic!("{problems}"));
        let (office, new) = (load(OFFICE).model, load(new));
        Report::of(&office, &office, (&new.model, &new.places), new.warnings, Vec::new())
    }

    #[test]
    fn what_needs_a_restart_is_named_with_its_line() {
        let same = report(OFFICE);
        assert!(same.changes.is_empty() && same.refusal("gw.yaml").is_none());
        let new = OFFICE.replace("cores: [1]", "cores: [1, 2]").replace("net_null1", "net_null7").replace("12]", "13]");
        let report = report(&new);
        let refusal = report.refusal("gw.yaml").expect("two of them");
        assert!(refusal.contains("workers.cores (gw.yaml:3), ports[srv1].device (gw.yaml:11)"), "{refusal}");
        let lives: Vec<_> = report.changes.iter().map(|row| (row.words.as_str(), row.live, row.line)).collect();
        assert_eq!(
            lives,
            [
                ("~ workers.cores: add 2", false, Some(3)),
                ("~ ports[srv1].device: net_null1 -> net_null7", false, Some(11)),
                ("~ vnis[1].flood.vteps: add 10.0.0.13; remove 10.0.0.12", true, None),
            ]
        );
    }

    #[test]
    fn addresses_of_the_underlay_and_a_smaller_mtu_change_live() {
        let new = OFFICE.replace(
            "mtu: 1600\n    underlay: {addresses: 10.0.0.11/24",
            "mtu: 1500\n    underlay: {addresses: 10.0.0.21/24",
        );
        let new = new.replace("source: 10.0.0.11", "source: 10.0.0.21");
        let report = report(&new);
        assert!(report.refusal("gw.yaml").is_none() && report.changes.len() >= 3, "{report:?}");
        assert!(report.changes.iter().all(|row| row.live), "{report:?}");
    }

    #[test]
    fn a_port_more_or_less_needs_a_restart() {
        let more = OFFICE.replace("vnis:", "  - {name: srv2, device: net_null2}\nvnis:");
        let refusal = report(&more).refusal("gw.yaml").expect("a port");
        assert!(refusal.contains("ports[srv2] (gw.yaml:13)"), "{refusal}");
        let row = report(&more).changes.pop().expect("a row");
        assert_eq!((row.words.as_str(), row.live), ("+ ports[srv2]", false));
    }

    #[test]
    fn memory_is_named_when_the_file_asks_for_it_and_not_when_it_follows_from_a_port() {
        let bigger = OFFICE.replace("net_null1", "net_null1\n    descriptors: {rx: 8192, tx: 8192}");
        let refusal = report(&bigger).refusal("gw.yaml").expect("a port");
        assert!(refusal.contains("restart: ports[srv1].descriptors (gw.yaml:12); restart"), "{refusal}");
        let row = report(&bigger).changes.remove(0);
        assert!(row.words.starts_with("~ memory.buffers: ") && !row.live, "{row:?}");
        let asked = format!("{bigger}memory:\n  huge_pages: auto\n  buffers: 65535\n");
        let refusal = report(&asked).refusal("gw.yaml").expect("both");
        assert!(refusal.contains("memory.buffers (gw.yaml:17)"), "{refusal}");
    }
}
