//! What growth and storms cost a core that forwards: changes of the FDB, new stations, floods to many VTEPs. Whole turns of
//! the production `Worker`; a frame that is lost ends the bench.
//!
//! `scripts/bench-pipeline growth` builds and runs it. Start-up at full size is measured by benches/startup.rs.

mod support;

use serde_json::Value;
use support::case::Load;
use support::flags::Flags;
use support::floods::Floods;
use support::job::Job;
use support::rounds::{FLAGS, Rounds, Row, Subject, ratio};
use support::turns::{KNOWN, STORM, Storm, Turns};

const USAGE: &str = "\
usage: growth [flags]

Two tables. The first: VLAN to VXLAN and back while nothing else happens, while control changes 10,000 FDB entries a second,
and while 10,000 stations a second send their first frame and others are forgotten; per frame, and as a ratio. The second:
how long a turn takes in which a burst of known frames has to get past floods to 1,024 VTEPs, by the number of copies that
a turn may make (workers: {flood_copies: N}).

  --macs N         stations on each end [1k,100k]
  --copies N       flood copies of a turn [32,256,1024]
";

fn main() {
    let flags = Flags::read(&format!("{USAGE}{FLAGS}"));
    let mut rounds = Rounds::new("growth", &flags);
    storms(&mut rounds, &flags.numbers("macs").unwrap_or(vec![1_000, 100_000]));
    println!();
    floods(&mut rounds, &flags.numbers("copies").unwrap_or(vec![32, 256, 1024]));
    rounds.finish();
}

const STORMS: [(Storm, &str); 3] = [
    (Storm::None, "nothing else"),
    (Storm::Updates, "10,000 FDB updates a second"),
    (Storm::Learning, "10,000 new stations a second"),
];

fn storms(rounds: &mut Rounds, macs: &[usize]) {
    assert_eq!(STORM, 10_000, "the words above say so");
    let mut rows = Vec::new();
    for job in ["vlan-vxlan", "vxlan-vlan"].map(|name| Job::named(name).expect("it is one of the list")) {
        for &macs in macs {
            let load = Load { macs, segments: 1, sizes: vec![64], comers: KNOWN };
            for (storm, words) in STORMS {
                let labels: Vec<(&'static str, Value)> =
                    vec![("job", job.words.into()), ("MACs", macs.into()), ("meanwhile", words.into())];
                let subject: Box<dyn Subject> = Box::new(Turns::new(job, &load, storm));
                rows.push(Row { labels, subject: Ok(subject) });
            }
        }
    }
    let names: Vec<String> = rows.iter().map(|row| format!("{}, {} MACs", text(row, 0), text(row, 1))).collect();
    let costs = rounds.run("frame", rows);
    println!("\nThroughput against that with nothing else, no frame lost; the median of the rounds' ratios:");
    for (three, name) in costs.chunks(STORMS.len()).zip(names.iter().step_by(STORMS.len())) {
        for (cost, (_, words)) in three.iter().zip(STORMS).skip(1) {
            if let Some(share) = ratio(&three[0], cost) {
                println!("{name}, {words}: {:.1} %", share * 100.0);
            }
        }
    }
}

fn text(row: &Row, label: usize) -> String {
    row.labels[label].1.to_string().trim_matches('"').to_owned()
}

fn floods(rounds: &mut Rounds, copies: &[usize]) {
    let rows = copies.iter().map(|&copies| {
        let limit = u32::try_from(copies).unwrap_or(u32::MAX);
        let subject: Box<dyn Subject> = Box::new(Floods::new(limit));
        Row { labels: vec![("copies a turn, at most", copies.into())], subject: Ok(subject) }
    });
    rounds.run("turn", rows.collect());
}
