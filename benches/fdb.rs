//! What the FDB costs: the production `tables::Fdb`, in nanoseconds and cycles for each key.
//!
//! `scripts/bench-pipeline fdb` builds and runs it. Keys come in batches of 64 in random order, as from a batch of frames.

mod support;

use gateway::tables::{EndpointId, Fdb, FdbEntry, FdbKey, Origin, SegmentId};
use support::clock::cycles;
use support::flags::Flags;
use support::rounds::{FLAGS, Rounds, Row, Sample, Subject, batches, memory_available};

const USAGE: &str = "\
usage: fdb [flags]

Without flags: every operation with 1k, 100k and 1M MACs at a load of 50 %, and finding at other loads; half a minute.

  --operation NAME  find, miss, insert, replace, remove, storm (may be several, parted by commas, as below)
  --macs N          MACs that the table is made for: 1k, 10M ... It has a power of two places, some more
  --load PERCENT    of its places that are taken, 1 to 95
  --full            every operation with 1k to 10M MACs at loads of 25, 50 and 80 %
";
const OPERATIONS: [&str; 6] = ["find", "miss", "insert", "replace", "remove", "storm"];
/// Keys of a batch: frames of a burst.
const BATCH: usize = 64;

/// A table at a certain load, and an operation on it.
struct Bench {
    fdb: Fdb,
    operation: &'static str,
    entries: u64,
    chance: u64,
    keys: [FdbKey; BATCH],
}

/// Every key has its own bits, as vendors and hypervisors give them: a prefix and a running number.
fn key(number: u64) -> FdbKey {
    FdbKey::from_word(SegmentId((number % 7) as u16), 0x0242_0000_0000 | number)
}

fn entry() -> FdbEntry {
    FdbEntry::new(EndpointId(3), 0, Origin::Learned)
}

/// The table that `macs` MACs have room in, filled until `load` percent of its places are taken; and by how many.
fn table(macs: usize, load: usize) -> Result<(Fdb, usize), String> {
    /// Bytes of a place, for an estimate before the memory is taken.
    const PLACE: usize = 16;
    let needed = (macs * 2).next_power_of_two() * PLACE + (256 << 20);
    if needed > memory_available() {
        return Err(format!("it takes {} MB of memory and {} MB are free", needed >> 20, memory_available() >> 20));
    }
    let mut fdb = Fdb::with_room(macs);
    let entries = (fdb.bytes() / PLACE * load / 100).max(BATCH);
    for number in 0..entries as u64 {
        fdb.insert(key(number), entry()).map_err(|_| format!("the table is full at {number} entries"))?;
    }
    Ok((fdb, entries))
}

impl Bench {
    fn random(&mut self) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.chance) * u128::from(self.entries)) >> 64) as u64
    }

    /// Chooses 64 keys, of which none comes twice: known ones, or ones that nobody knows.
    fn choose(&mut self) {
        let known = matches!(self.operation, "find" | "replace" | "remove");
        for lane in 0..BATCH {
            let number = self.random() / BATCH as u64 * BATCH as u64 + lane as u64;
            self.keys[lane] = key(if known { number % self.entries } else { number + (1 << 30) });
        }
    }

    fn batch(&mut self) -> (usize, u64) {
        self.choose();
        let Self { fdb, operation, keys, .. } = self;
        let mut done = 0;
        let began = cycles();
        match *operation {
            // As a stage does it: fetch all, then look.
            "find" | "miss" => {
                keys.iter().for_each(|&key| fdb.prefetch(key));
                keys.iter().for_each(|&key| done += usize::from(fdb.find(key).is_some()));
            }
            "insert" | "replace" => {
                keys.iter().for_each(|&key| done += usize::from(fdb.insert(key, entry()).is_ok()));
            }
            "remove" => keys.iter().for_each(|&key| done += usize::from(fdb.remove(key).is_some())),
            // As learning does it: look, and install what is not there.
            _ => {
                keys.iter().for_each(|&key| fdb.prefetch(key));
                for &key in keys.iter() {
                    if fdb.find(key).is_none() {
                        done += usize::from(fdb.insert(key, entry()).is_ok());
                    }
                }
            }
        }
        let took = cycles() - began;
        let expected = if *operation == "miss" { 0 } else { BATCH };
        assert_eq!(done, expected, "{operation} must do what it is measured for");
        match *operation {
            "insert" | "storm" => keys.iter().for_each(|&key| _ = fdb.remove(key)),
            "remove" => keys.iter().for_each(|&key| fdb.insert(key, entry()).expect("it was there before")),
            _ => {}
        }
        (BATCH, took)
    }
}

impl Subject for Bench {
    fn window(&mut self, length: u64) -> Sample {
        batches(length, || self.batch())
    }
}

fn row(operation: &'static str, macs: usize, load: usize) -> Row {
    let made = table(macs, load);
    let entries = made.as_ref().map_or(0, |(_, entries)| *entries);
    let subject = made.map(|(fdb, entries)| -> Box<dyn Subject> {
        Box::new(Bench { fdb, operation, entries: entries as u64, chance: 1, keys: [key(0); BATCH] })
    });
    let labels = vec![
        ("operation", operation.into()),
        ("room for", macs.into()),
        ("entries", entries.into()),
        ("load %", load.into()),
    ];
    Row { labels, subject }
}

fn main() {
    let flags = Flags::read(&format!("{USAGE}{FLAGS}"));
    let mut rounds = Rounds::new("fdb", &flags);
    let full = flags.has("full");
    let operations: Vec<&'static str> = match flags.names("operation", &OPERATIONS) {
        Some(words) => OPERATIONS.into_iter().filter(|name| words.iter().any(|word| word == name)).collect(),
        None => OPERATIONS.to_vec(),
    };
    let some = [1_000, 100_000, 1_000_000, 10_000_000];
    let macs = flags.numbers("macs").unwrap_or(some[..if full { 4 } else { 3 }].to_vec());
    let loads = flags.numbers("load").unwrap_or(if full { vec![25, 50, 80] } else { vec![50] });
    if loads.iter().any(|&load| load > 95) {
        support::flags::refuse("--load takes 1 to 95");
    }
    if macs.iter().any(|&macs| macs < BATCH) {
        support::flags::refuse("--macs takes 64 and more: keys come in batches of 64");
    }
    let mut rows = Vec::new();
    for &operation in &operations {
        for &macs in &macs {
            loads.iter().for_each(|&load| rows.push(row(operation, macs, load)));
        }
    }
    let chosen = ["operation", "macs", "load", "full"].iter().any(|name| flags.has(name));
    if !chosen {
        for operation in ["find", "miss"] {
            rows.extend([25, 80].map(|load| row(operation, 1_000_000, load)));
        }
    }
    rounds.run("key", rows);
    rounds.finish();
}
