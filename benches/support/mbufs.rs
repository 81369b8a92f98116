//! DPDK's buffers in ordinary pages, as the gateway opens them.

use std::cell::RefCell;
use std::rc::Rc;

use gateway::dpdk::{self, Dpdk, DpdkDriver};

/// DPDK, and the driver whose pool the cases share.
pub struct Mbufs {
    pub driver: Rc<RefCell<DpdkDriver>>,
    _opened: Dpdk,
}

/// Starts DPDK.
pub fn open() -> Result<Mbufs, String> {
    let core = std::thread::available_parallelism().map_or(1, usize::from) - 1;
    let yaml = format!(
        "version: 1\nworkers: {{cores: [{core}]}}\nmemory: {{huge_pages: off, buffers: 16383}}\nports:\n\
         \x20 - {{name: a, device: net_null0, vlans: [{{vlan: 1, vni: 1}}]}}\n\
         \x20 - {{name: b, device: net_null1, vlans: [{{vlan: 1, vni: 1}}]}}\nvnis: [{{vni: 1}}]\n"
    );
    let model = config::parse("bench.yaml", &yaml).map_err(|problems| problems.to_string())?.model;
    let mut opened = dpdk::open(&model).map_err(|error| error.to_string())?;
    let driver = opened.drivers.pop().ok_or("DPDK gave no driver")?;
    Ok(Mbufs { driver: Rc::new(RefCell::new(driver)), _opened: opened })
}
