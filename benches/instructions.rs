//! Instructions a frame: a small fixed workload for an instruction counter, which counts only what happens in
//! `counted` of `support/case.rs`. Without arguments it names the jobs; with the name of one it does that and prints how
//! many frames left. `scripts/instructions` does the rest.

mod support;

use support::case::{Case, Load, heap};
use support::job::{JOBS, Job};

/// Too long under an instruction counter, and told by their smaller kin.
const LEFT_OUT: [&str; 1] = ["flood-1024"];
/// Frames that go to a random one of some segments, so that few in a row go the same way: a name with this at its end.
const MANY: (&str, usize) = ("-16-segments", 16);
const BATCHES: usize = 64;

fn main() {
    let Some(name) = std::env::args().skip(1).find(|word| !word.starts_with('-')) else {
        let counted = JOBS.iter().filter(|job| !LEFT_OUT.contains(&job.name));
        counted.for_each(|job| println!("{}", job.name));
        return ["vlan-vxlan", "vxlan-vlan"].iter().for_each(|job| println!("{job}{}", MANY.0));
    };
    let (base, segments) = name.strip_suffix(MANY.0).map_or((&*name, 1), |base| (base, MANY.1));
    let Some(job) = Job::named(base) else {
        eprintln!("Error: there is no job '{name}'");
        std::process::exit(2);
    };
    let load = Load { macs: 1_000, segments, sizes: vec![64], comers: 0 };
    let mut case = Case::new(job, &load, heap());
    println!("{}", (0..BATCHES).map(|_| case.batch().0).sum::<usize>());
}
