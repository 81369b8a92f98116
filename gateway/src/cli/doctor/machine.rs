//! Reads what Linux tells about the machine. What is not there is `None` or empty: kernels differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::run::host::{field, list};

/// /proc and /sys, of this machine or of a copy.
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// Those below `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a file is.
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// True when there is such a file or directory.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// A file's text, trimmed.
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file with one number (or another value).
    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// A file with numbers like `0-3,8`.
    pub fn list(&self, path: &str) -> Vec<u16> {
        self.text(path).map(|text| list(&text)).unwrap_or_default()
    }

    /// The names in a directory, sorted.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The last part of what a link points to.
    pub fn linked(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// A field of /proc/self/status.
    pub fn own(&self, name: &str) -> Option<String> {
        field(&self.text("/proc/self/status")?, name).map(str::to_owned)
    }

    /// The NUMA node of a core.
    pub fn node_of_core(&self, core: u16) -> Option<u16> {
        let names = self.names(&format!("/sys/devices/system/cpu/cpu{core}"));
        names.iter().find_map(|name| name.strip_prefix("node")?.parse().ok())
    }

    /// The processes of this name.
    pub fn processes(&self, name: &str) -> Vec<String> {
        let named = |id: &String| {
            id.bytes().all(|byte| byte.is_ascii_digit())
                && self.text(&format!("/proc/{id}/comm")).is_some_and(|comm| comm == name)
        };
        self.names("/proc").into_iter().filter(named).collect()
    }
}

/// Numbers as Linux writes them: `2-5,8`.
pub fn ranges(numbers: &[u16]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for number in sorted {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => parts.push((number, number)),
        }
    }
    let part = |&(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

/// The same as the subject of a sentence: `core 1 is`, `cores 2-5 are`.
pub fn cores_are(cores: &[u16]) -> String {
    match cores {
        [core] => format!("core {core} is"),
        cores => format!("cores {} are", ranges(cores)),
    }
}

/// And anywhere else: `core 1`, `cores 2-5`.
pub fn cores(cores: &[u16]) -> String {
    cores_are(cores).trim_end_matches(" is").trim_end_matches(" are").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_linux_reads_them() {
        assert_eq!(ranges(&[5, 2, 3, 4, 8]), "2-5,8");
        assert_eq!(ranges(&[7]), "7");
        assert_eq!(ranges(&[]), "");
        assert_eq!(list(&ranges(&[1, 2, 9])), [1, 2, 9]);
    }
}
