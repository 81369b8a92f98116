//! What the pipeline costs: the production `pipeline::process` and `worker::turn` on frames in memory, in nanoseconds and
//! cycles of the time stamp counter for each frame that leaves, and the four stages apart.
//!
//! `scripts/bench-pipeline` builds and runs it. Compare rows of one run: figures are of this machine and this moment.

mod support;

use serde_json::Value;
use support::case::{Case, Load, heap};
use support::flags::{Flags, refuse};
use support::job::{JOBS, Job, Way};
use support::rounds::{FLAGS, Rounds, Row, Subject, memory_available};
use support::turns::{Storm, Turns};

const USAGE: &str = "\
usage: pipeline [flags]

Without flags: every job with 1k MACs on each end, and VXLAN both ways with more MACs, segments and sizes, in DPDK's
buffers, and in whole turns of a core; about a minute. With one of the first six flags: every combination of what they
say; what is not said is 1k MACs, 1 segment, 64 bytes, heap and process.

  --job JOB        see --list; several are parted by commas, here and below
  --macs N         stations on each end: 1, 1k, 10M ...
  --segments N     1 to 16384
  --size SIZE      bytes of the tenant's frame with FCS, 64 to 1518, or imix (64, 594 and 1518 as 7:4:1)
  --buffers KIND   heap, mbuf (needs a build with the feature dpdk)
  --level LEVEL    process (the four stages), turn (a core's whole turn: reception, sending; heap only)
  --full           everything; several minutes and several GB
  --list           the jobs
";
/// The two that every growth is shown with.
const BOTH_WAYS: [&str; 2] = ["vlan-vxlan", "vxlan-vlan"];
const IMIX: [usize; 12] = [64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64];

/// A row to be.
#[derive(Clone, PartialEq)]
struct Cell {
    job: &'static str,
    macs: usize,
    segments: usize,
    size: String,
    buffers: &'static str,
    level: &'static str,
}

fn main() {
    let flags = Flags::read(&format!("{USAGE}{FLAGS}"));
    if flags.has("list") {
        return JOBS.iter().for_each(|job| println!("{:<22} {}", job.name, job.words));
    }
    let mut rounds = Rounds::new("pipeline", &flags);
    let cells = plan(&flags);
    let mut builder = Builder::default();
    let rows = cells.iter().map(|cell| builder.row(cell)).collect();
    rounds.run("frame", rows);
    rounds.finish();
}

/// The cells that are asked for.
fn plan(flags: &Flags) -> Vec<Cell> {
    let all: Vec<&'static str> = JOBS.iter().map(|job| job.name).collect();
    let usual = Cell { job: "", macs: 1_000, segments: 1, size: "64".into(), buffers: "heap", level: "process" };
    let chosen = ["job", "macs", "segments", "size", "buffers", "level"].iter().any(|name| flags.has(name));
    let jobs = chosen_names(flags, "job", &all, &all);
    let mut cells = Vec::new();
    if chosen {
        let macs = flags.numbers("macs").unwrap_or(vec![usual.macs]);
        let segments = flags.numbers("segments").unwrap_or(vec![1]);
        let sizes = flags.words("size").map_or(vec![usual.size.clone()], <[String]>::to_vec);
        let buffers = chosen_names(flags, "buffers", &["heap", "mbuf"], &["heap"]);
        let levels = chosen_names(flags, "level", &["process", "turn"], &["process"]);
        for job in jobs {
            for &macs in &macs {
                for &segments in &segments {
                    for size in &sizes {
                        for &buffers in &buffers {
                            for &level in &levels {
                                cells.push(Cell { job, macs, segments, size: size.clone(), buffers, level });
                            }
                        }
                    }
                }
            }
        }
        return cells;
    }
    let full = flags.has("full");
    let wide: Vec<&'static str> = if full { all.clone() } else { BOTH_WAYS.to_vec() };
    cells.extend(all.iter().map(|job| Cell { job, ..usual.clone() }));
    for job in wide {
        let usual = Cell { job, ..usual.clone() };
        cells.extend([1, 100_000, 1_000_000].map(|macs| Cell { macs, ..usual.clone() }));
        if full && BOTH_WAYS.contains(&job) {
            cells.push(Cell { macs: 10_000_000, ..usual.clone() });
        }
        cells.push(Cell { macs: 100_000, segments: 16_384, ..usual.clone() });
        cells.push(Cell { size: "imix".into(), ..usual.clone() });
        cells.push(Cell { buffers: "mbuf", ..usual.clone() });
        cells.push(Cell { level: "turn", ..usual });
    }
    cells
}

fn chosen_names(flags: &Flags, name: &str, known: &[&'static str], otherwise: &[&'static str]) -> Vec<&'static str> {
    match flags.names(name, known) {
        Some(words) => known.iter().copied().filter(|name| words.iter().any(|word| word == name)).collect(),
        None => otherwise.to_vec(),
    }
}

/// Makes the cases, and opens DPDK for the first that needs it.
#[derive(Default)]
struct Builder {
    #[cfg(feature = "dpdk")]
    mbufs: Option<Result<support::mbufs::Mbufs, String>>,
}

impl Builder {
    fn row(&mut self, cell: &Cell) -> Row {
        let job = Job::named(cell.job).expect("it is one of the list");
        let labels: Vec<(&'static str, Value)> = vec![
            ("job", job.words.into()),
            ("MACs", cell.macs.into()),
            ("segments", cell.segments.into()),
            ("size", cell.size.to_uppercase().into()),
            ("buffers", cell.buffers.into()),
            ("level", cell.level.into()),
        ];
        Row { labels, subject: self.subject(job, cell) }
    }

    fn subject(&mut self, job: Job, cell: &Cell) -> Result<Box<dyn Subject>, String> {
        let load = Load { macs: cell.macs, segments: cell.segments, sizes: sizes(&cell.size), comers: 0 };
        if cell.segments > if job.way == Way::Untagged { 1 } else { 16_384 } {
            return Err("there are 16,384 segments at most, and one on a port without tags".into());
        }
        let (needed, free) = (load.bytes(), memory_available());
        if needed + (256 << 20) > free {
            return Err(format!("it takes {} MB of memory and {} MB are free", needed >> 20, free >> 20));
        }
        match (cell.buffers, cell.level) {
            ("heap", "process") => Ok(Box::new(Case::new(job, &load, heap()))),
            ("heap", _) => Ok(Box::new(Turns::new(job, &load, Storm::None))),
            (_, "process") => self.with_mbufs(job, &load),
            _ => Err("whole turns with DPDK's buffers are measured by scripts/bench, with DPDK's devices".into()),
        }
    }

    #[cfg(feature = "dpdk")]
    fn with_mbufs(&mut self, job: Job, load: &Load) -> Result<Box<dyn Subject>, String> {
        let mbufs = self.mbufs.get_or_insert_with(support::mbufs::open).as_ref().map_err(String::clone)?;
        Ok(Box::new(Case::new(job, load, mbufs.driver.clone())))
    }

    #[cfg(not(feature = "dpdk"))]
    fn with_mbufs(&mut self, _: Job, _: &Load) -> Result<Box<dyn Subject>, String> {
        Err("this bench was built without DPDK; build it with '--features dpdk' (apt-get install libdpdk-dev)".into())
    }
}

/// Bytes of the tenant's frames with FCS.
fn sizes(word: &str) -> Vec<usize> {
    match word.parse() {
        Ok(size @ 64..=1518) => vec![size],
        _ if word == "imix" => IMIX.to_vec(),
        _ => refuse(&format!("--size takes 64 to 1518, or imix, not '{word}'")),
    }
}
