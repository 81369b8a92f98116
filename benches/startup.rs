//! What a full-size configuration costs before the first frame, part by part: reading, compiling, filling a core's tables.
//!
//! `cargo bench -p causeway-gateway --bench startup [-- SEGMENTS VTEPS MACS]`, 16,384, 1,024 and 1,000,000 by default.
//! With `--write FILE` in front it writes the configuration that it would read and ends: `scripts/bench-start` lets the
//! whole binary start with it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use config::types::Mac;
use gateway::control::{Control, Event, PortFacts};
use gateway::link::{Link, Report};
use gateway::sim::{HeapFrame, SimDriver};
use gateway::tables::{Binding, Fdb, FdbEntry, FdbKey, Origin, Tables};
use gateway::worker::{Handoff, Worker};
use rustix::time::{ClockId, clock_gettime};

/// VLANs of a port.
const VLANS: usize = 4094;
/// VTEPs in the flood list of a segment.
const FLOODED: usize = 16;

/// How much there is of what.
struct Size {
    segments: usize,
    vteps: usize,
    macs: usize,
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let file = (words.first().is_some_and(|word| word == "--write")).then(|| {
        words.remove(0);
        words.remove(0)
    });
    let mut numbers = words.iter().map(|word| word.parse::<usize>().expect("a number"));
    let mut next = |default| numbers.next().unwrap_or(default);
    let size = Size { segments: next(16_384), vteps: next(1_024), macs: next(1_000_000) };
    let text = size.yaml();
    match file {
        Some(file) => std::fs::write(file, text).expect("a file that can be written"),
        None => measure(&size, &text),
    }
}

fn measure(size: &Size, text: &str) {
    println!(
        "{} segments, {} VTEPs, {} static MACs: {} MB of YAML",
        size.segments,
        size.vteps,
        size.macs,
        text.len() / 1_000_000
    );
    println!("{:<36} {:>8} {:>8} {:>12} {:>10}", "step", "CPU ms", "ms", "resident MB", "peak MB");
    let loaded = step("read and check the file", || config::parse("full.yaml", text).expect("it is right"));
    let facts = vec![
        PortFacts { mac: Mac([2; 6]), mtu: 9216, tx_ip_checksum: false, tx_vlan: false };
        loaded.model.ports.len()
    ];
    let model = step("copy the model", || loaded.model.clone());
    let control = step("compile, and the authority on MACs", || Control::new(model, facts.clone()));
    let tables = step("a core's tables", || control.tables());
    let fdb = step("a core's FDB", || {
        let mut fdb = Fdb::with_room(loaded.model.fdb_size as usize);
        control.entries().for_each(|(key, entry)| fdb.insert(key, entry).expect("room"));
        fdb
    });
    assert_eq!(fdb.len(), size.macs);
    let mut control = control;
    let mut other = loaded.model.clone();
    other.segments[0].flood_unknown = false;
    step("plan: what is different", || assert_eq!(config::differences(&loaded.model, &other).len(), 1));
    step("reload: the whole configuration", || control.reload(other, 1).expect("it can change"));
    storm(&mut control, &tables, fdb);
}

/// MACs that servers bring all at once: the rulings, the telling, and the core that hears.
fn storm(control: &mut Control, tables: &Tables, fdb: Fdb) {
    const MACS: u64 = 8_000;
    let Binding::Attachment(ingress) = tables.ports[1].customer[1] else { panic!("a VLAN of the first server's port") };
    let entry = FdbEntry::new(ingress.whence.place().endpoint(), ingress.whence.place().generation(), Origin::Fresh);
    let keys = (0..MACS).map(|number| FdbKey::from_word(ingress.segment, 0x0600_0000_0000 + number));
    let link = Link::<HeapFrame>::with_sizes(2 * MACS as usize, 1);
    control.feed(0, &link.updates);
    step("8,000 MACs learned: the rulings", || {
        for key in keys {
            control.handle(Event::Report { core: 0, report: Report::Learned { key, entry } }, 2);
        }
        control.settle(2);
    });
    step("the same: a core is told", || assert!(control.feed(0, &link.updates) >= MACS as usize));
    let handoff = Handoff { to: Vec::new(), from: Vec::new() };
    let driver = SimDriver::new(0, 16);
    let mut worker = Worker::new(driver, Box::new(tables.clone()), fdb, link.clone(), handoff, 32, 32);
    step("the same: the core hears", || {
        while !link.updates.is_empty() {
            worker.turn(3);
            while link.reports.take().is_some() {}
        }
    });
    step("the same: forgotten", || {
        while control.known_macs() > worker.shard().fdb.len() - MACS as usize {
            control.handle(Event::Tick, 4_000_000_000_000);
        }
    });
}

fn step<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, busy) = (Instant::now(), cpu());
    let made = work();
    let (spent, busy) = (start.elapsed().as_millis(), (cpu() - busy).as_millis());
    println!("{what:<36} {busy:>8} {spent:>8} {:>12} {:>10}", memory("VmRSS"), memory("VmHWM"));
    made
}

/// What this thread has had of its core.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A line of /proc/self/status, in megabytes.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1_000
}

impl Size {
    /// Ports enough for a VLAN for each segment; each segment floods to sixteen VTEPs, and its MACs are behind those.
    fn yaml(&self) -> String {
        let mut text = String::from(
            "version: 1\nworkers: {cores: [1], idle: spin}\nmemory: {huge_pages: off}\nvtep: {source: 192.0.2.1}\n\
             fdb: {size: 1048576}\nports:\n  - name: up0\n    device: \"net_null0,no-rx=1\"\n    \
             underlay: {via: {mac: \"02:00:00:00:00:99\"}}\n",
        );
        for port in 1..=self.segments.div_ceil(VLANS) {
            let first = (port - 1) * VLANS;
            write!(text, "  - name: srv{port}\n    device: \"net_null{port},no-rx=1\"\n    vlans:\n").expect("memory");
            for vlan in 1..=VLANS.min(self.segments - first) {
                writeln!(text, "      - {{vlan: {vlan}, vni: {}}}", 10_000 + first + vlan - 1).expect("memory");
            }
        }
        text.push_str("vnis:\n");
        let mut mac = 0;
        for segment in 0..self.segments {
            let flooded = FLOODED.min(self.vteps);
            let vteps: Vec<String> = (0..flooded).map(|at| self.vtep(segment * FLOODED + at)).collect();
            writeln!(text, "  - vni: {}\n    flood: {{vteps: [{}]}}", 10_000 + segment, vteps.join(", "))
                .expect("memory");
            let last = self.macs * (segment + 1) / self.segments;
            if mac < last {
                text.push_str("    static:\n");
            }
            for number in mac..last {
                let [_, b, c, d] = (number as u32).to_be_bytes();
                let vtep = &vteps[number % flooded];
                writeln!(text, "      - {{mac: \"02:00:00:{b:02x}:{c:02x}:{d:02x}\", vtep: {vtep}}}").expect("memory");
            }
            mac = last;
        }
        text
    }

    fn vtep(&self, number: usize) -> String {
        let number = number % self.vteps;
        format!("10.1.{}.{}", number / 250, number % 250 + 1)
    }
}
