//! The workers of a gateway: each on a thread of its own, which makes what it will read and tells the desk how it fares.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use config::types::Model;
use crossbeam::channel::Sender;
use gateway::driver::Driver;
use gateway::link::Link;
use gateway::rights;
use gateway::tables::{Fdb, FdbEntry, FdbKey, Tables};
use gateway::worker::{Worker, handoffs};

use super::desk::Message;
use super::machine::{Clock, Machine};
use super::pulse::Pulses;
use super::worker::{self, Notice, Place};

/// Places in a ring between two cores.
const HANDOFF: usize = 1024;

/// What all workers begin with.
pub struct Crew<'a> {
    /// The configuration.
    pub model: &'a Model,
    /// The first tables, of which each worker takes a copy.
    pub tables: &'a Arc<Tables>,
    /// The first MACs, which each worker puts into its own table.
    pub entries: &'a Arc<[(FdbKey, FdbEntry)]>,
    /// The moment from which time counts.
    pub start: Instant,
    /// The CPU's cycles, where somebody measures them.
    pub cycles: Option<Clock>,
    /// Their signs of life.
    pub pulses: &'a Pulses,
    /// To the desk.
    pub tell: &'a Sender<Message>,
}

impl Crew<'_> {
    /// Starts a worker for each driver. Gives those that have started, and why the last other one has not; `has_tx` says of
    /// each whether it transmits on which port, and `enter` is what it does on its thread before all else.
    pub fn start<D: Driver + 'static, G>(
        &self,
        drivers: Vec<D>,
        has_tx: &[Vec<bool>],
        rings: &[Link<D::Frame>],
        enter: impl Fn() -> Result<G, String> + Clone + Send + 'static,
    ) -> (Vec<JoinHandle<()>>, Option<String>) {
        let (mut workers, mut failed) = (Vec::new(), None);
        let cores = &self.model.workers.cores;
        let parts = drivers.into_iter().zip(handoffs(has_tx, HANDOFF)).zip(cores).zip(rings);
        for (number, (((driver, handoff), &core), link)) in parts.enumerate() {
            let (tables, entries, link) = (Arc::clone(self.tables), Arc::clone(self.entries), link.clone());
            let (cycles, tell) = (self.cycles, self.tell.clone());
            let (room, burst) = (self.model.fdb_size as usize, usize::from(self.model.workers.burst));
            let copies = self.model.workers.flood_copies;
            // On the core's own thread: its tables, its FDB and its counters lie on the core's NUMA node.
            let make = move || {
                let tables = Box::new(Tables::clone(&tables));
                let mut fdb = Fdb::with_room(room);
                let lost = entries.iter().filter(|&&(key, entry)| fdb.insert(key, entry).is_err()).count();
                drop(entries);
                if lost > 0 {
                    let _ = tell.send(Message::Trouble {
                        core,
                        what: "static MACs found no room",
                        cure: "raise fdb.size",
                        error: format!("{lost} of them"),
                    });
                }
                Worker::new(driver, tables, fdb, link, handoff, burst, copies).with_meter(Machine::meter(cycles))
            };
            let place = Place { core, idle: self.model.workers.idle, start: self.start, pulse: self.pulses.of(number) };
            match worker::start(place, enter.clone(), make, notify(core, self.tell.clone())) {
                Ok(worker) => workers.push(worker),
                Err(why) => failed = Some(why),
            }
        }
        (workers, failed)
    }
}

/// Tells the desk what a worker tells.
fn notify(core: u16, tell: Sender<Message>) -> impl Fn(Notice) + Send + 'static {
    move |notice| {
        let _ = tell.send(match notice {
            Notice::Ready => Message::Ready,
            Notice::Rights(error) => {
                Message::Trouble { core, what: rights::STAYS, cure: rights::STAYS_CURE, error: error.to_string() }
            }
            Notice::Failed(why) => Message::Failed(why),
        });
    }
}
