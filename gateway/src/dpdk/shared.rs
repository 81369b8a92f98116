//! Packet memory that other DPDK processes use too, for `dpdk-dumpcap` and `dpdk-pdump`: pages are files of a hugetlbfs
//! then, and DPDK removes them when the next process with the same prefix starts, which may be never.

use std::fs;
use std::path::{Path, PathBuf};

use dpdk_sys as sys;

use super::error::Error;

/// The page files of a process, removed when this is dropped.
pub(super) struct Pages {
    prefix: String,
}

impl Pages {
    /// Pages of DPDK's file prefix.
    ///
    /// # Errors
    ///
    /// No hugetlbfs is mounted.
    pub(super) fn of(prefix: &str) -> Result<Self, Error> {
        match mounts().next() {
            Some(_) => Ok(Self { prefix: prefix.to_owned() }),
            None => Err(Error::NoHugetlbfs),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        remove(&self.prefix);
    }
}

/// Removes the page files that a process with this prefix left.
pub(super) fn remove(prefix: &str) {
    let files = mounts().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    for file in files.filter(|file| file.file_name().to_str().is_some_and(|name| is_page(name, prefix))) {
        let _ = fs::remove_file(file.path());
    }
}

/// True for a name that DPDK gives to pages: `PREFIXmap_7`.
fn is_page(name: &str, prefix: &str) -> bool {
    let number = name.strip_prefix(prefix).and_then(|name| name.strip_prefix("map_"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Where hugetlbfs is mounted.
fn mounts() -> impl Iterator<Item = PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places: Vec<PathBuf> = (mounts.lines())
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
            (kind == "hugetlbfs").then(|| Path::new(place).to_owned())
        })
        .collect();
    places.into_iter()
}

/// Lets other processes ask for copies of what ports receive and send. True when DPDK can do that.
pub(super) fn offer_captures() -> bool {
    // SAFETY: EAL runs, which the caller has just started; the call makes a thread that answers requests.
    unsafe { sys::rte_pdump_init() == 0 }
}

/// Ends what [`offer_captures`] began.
pub(super) fn end_captures() {
    // SAFETY: EAL still runs; without a beginning this does nothing.
    unsafe { sys::rte_pdump_uninit() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_prefix_are_meant() {
        assert!(is_page("causeway-7map_0", "causeway-7") && is_page("gwmap_12", "gw"));
        for other in ["causeway-77map_0", "gwmap_", "gwmap_x", "gw", "agwmap_1", "rtemap_1"] {
            assert!(!is_page(other, "gw") && !is_page(other, "causeway-7"), "{other}");
        }
    }
}
