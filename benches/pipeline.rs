//! What the pipeline costs: the production `pipeline::process` on frames in memory, in nanoseconds a frame.
//!
//! `cargo bench -p causeway-gateway --bench pipeline [-- FILTER]`. Every case runs in interleaved windows; the table shows
//! the median and the spread over them. Figures are of this machine and this moment: compare rows of one run.

mod support;

use gateway::sim::HeapPool;
use support::case::{Case, Load};
use support::clock;
use support::job::JOBS;

const WINDOWS: usize = 15;

fn main() {
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let mut cases = Vec::new();
    for job in JOBS {
        for macs in [1, 1_000, 100_000, 1_000_000] {
            let name = format!("{}, {macs} MACs", job.words);
            if name.contains(&filter) || job.name.contains(&filter) {
                let load = Load { macs, segments: 1, sizes: vec![64] };
                cases.push((name, Case::new(job, &load, HeapPool::new(1 << 14)), Vec::new()));
            }
        }
    }
    let hertz = clock::hertz() as f64;
    for window in 0..=WINDOWS {
        for (_, case, samples) in &mut cases {
            let (frames, cycles) = case.run(500);
            if window > 0 {
                samples.push(cycles as f64 / frames as f64 * 1e9 / hertz);
            }
        }
    }
    println!("{:<48} {:>10} {:>10} {:>10}", "case (64-byte frames)", "median ns", "min", "max");
    for (name, _, mut samples) in cases {
        samples.sort_by(f64::total_cmp);
        println!("{name:<48} {:>10.1} {:>10.1} {:>10.1}", samples[WINDOWS / 2], samples[0], samples[WINDOWS - 1]);
    }
}
