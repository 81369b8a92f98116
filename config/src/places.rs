//! Where the parts of a file stand in it, for messages about a configuration that has been read already.

use std::collections::BTreeMap;

use crate::document::{At, Document, Kind};

/// Lines of the parts of a file, without what is in `vnis`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<String, usize>);

impl Places {
    pub(crate) fn of(document: &Document, root: At) -> Self {
        let mut places = Self::default();
        places.walk(document, root, "");
        places
    }

    fn walk(&mut self, document: &Document, at: At, path: &str) {
        match document.kind(at) {
            Kind::Mapping => {
                for entry in document.entries(at) {
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{}", entry.key);
                    self.0.insert(path.clone(), entry.mark.line());
                    if path != "vnis" {
                        self.walk(document, entry.value, &path);
                    }
                }
            }
            Kind::Sequence => {
                for item in document.items(at) {
                    let Some(name) = name(document, item) else { continue };
                    let path = format!("{path}[{name}]");
                    self.0.insert(path.clone(), document.line(item));
                    self.walk(document, item, &path);
                }
            }
            Kind::Scalar { .. } => {}
        }
    }

    /// True when the file itself has this part.
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The line of a part, such as `ports[srv1].mtu`, or of the nearest thing around it that the file has.
    pub fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(&line) = self.0.get(path) {
                return Some(line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// The value of an item's key `name`.
fn name(document: &Document, item: At) -> Option<&str> {
    let at = document.entries(item).find(|entry| entry.key == "name")?.value;
    match document.kind(at) {
        Kind::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_are_found_by_name_or_by_what_is_around_them() {
        let text = "version: 1\nworkers:\n  cores: [1]\nvtep: {source: 10.0.0.11}\nports:\n  - name: srv1\n    \
                    device: net_null0\n    mtu: 9000\n    vlans: [{vlan: 10, vni: 1}]\nvnis: [{vni: 1}]\n";
        let places = crate::parse("test.yaml", text).unwrap_or_else(|problems| panic!("{problems}")).places;
        let line = |path: &str| places.line(path);
        assert_eq!(
            (line("workers.cores"), line("workers.burst"), line("ports[srv1].mtu")),
            (Some(3), Some(2), Some(8))
        );
        assert_eq!(
            (line("ports[srv1].descriptors"), line("ports[srv9]"), line("vnis[1].name")),
            (Some(6), Some(5), Some(10))
        );
        assert_eq!(line("memory"), None);
        assert!(places.has("ports[srv1].mtu") && !places.has("ports[srv1].descriptors"));
    }
}
