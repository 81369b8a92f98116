//! What the pipeline costs: the production `pipeline::process` on frames in memory, in nanoseconds a frame.
//!
//! `cargo bench --bench pipeline [-- FILTER]`. Every case runs in interleaved windows; the table shows the median and the
//! spread over them. Figures are of this machine and this moment: compare rows of one run.

mod support;

use support::Case;

fn main() {
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let mut cases = Vec::new();
    for (name, shape) in support::SHAPES {
        for macs in [1, 1_000, 100_000, 1_000_000] {
            let name = format!("{name}, {macs} MACs");
            if name.contains(&filter) {
                cases.push(Case::new(name, shape, macs));
            }
        }
    }
    support::run(&mut cases);
}
