//! Worker threads: pinned, registered with DPDK, polling until told to stop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::types::Idle;
use core_affinity::CoreId;
use gateway::driver::Driver;
use gateway::rights;
use gateway::worker::{Turn, Worker};

use super::pulse::Pulse;

/// Turns for which one reading of the clock serves. A turn takes microseconds; ageing and policing ask for milliseconds.
const TURNS_PER_READING: u32 = 16;
/// Empty turns before a worker that may sleep begins to.
const PATIENCE: u32 = 256;
/// The first sleep; each one after it is twice as long, up to the configured length.
const NAP: Duration = Duration::from_micros(10);

/// How a worker thread is set up.
pub struct Place {
    /// The kernel's CPU number.
    pub core: u16,
    /// What it does without work.
    pub idle: Idle,
    /// The moment from which time counts, the same for all threads.
    pub start: Instant,
    /// Its sign of life.
    pub pulse: Pulse,
}

/// What a worker thread tells.
pub enum Notice {
    /// It polls.
    Ready,
    /// It keeps rights that it should not have, because of this.
    Rights(std::io::Error),
    /// It has ended, for this reason, though nobody asked it to.
    Failed(String),
}

/// Starts a worker thread. On it `enter` gives what the thread holds while it works, and then `make` the worker, so that
/// the worker's memory is that of its core.
pub fn start<D: Driver + 'static, G>(
    place: Place,
    enter: impl FnOnce() -> Result<G, String> + Send + 'static,
    make: impl FnOnce() -> Worker<D> + Send + 'static,
    tell: impl Fn(Notice) + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let Place { core, idle, start, pulse } = place;
    let work = move || {
        let fail = |why: &str| tell(Notice::Failed(format!("core {core}: {why}")));
        if !core_affinity::set_for_current(CoreId { id: core.into() }) {
            return fail("the thread could not be pinned; change workers.cores");
        }
        // What it handles comes from strangers, and takes no rights.
        if let Err(error) = rights::limit(rights::NONE) {
            tell(Notice::Rights(error.into()));
        }
        let _held = match enter() {
            Ok(held) => held,
            Err(refusal) => return fail(&refusal),
        };
        // The worker goes before what the thread holds: its frames find their way back to their pool.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let mut worker = make();
            tell(Notice::Ready);
            poll(&mut worker, idle, start, &pulse);
        }));
        if let Err(panic) = polled {
            fail(&format!("the worker panicked ({}); please report it", said(&*panic)));
        }
    };
    thread::Builder::new()
        .name(format!("worker-{core}"))
        .spawn(work)
        .map_err(|error| format!("cannot start the worker of core {core} ({error})"))
}

fn poll<D: Driver>(worker: &mut Worker<D>, idle: Idle, start: Instant, pulse: &Pulse) {
    let mut rest = Rest::new(idle);
    loop {
        let now = start.elapsed().as_nanos() as u64;
        pulse.beat(now);
        for _ in 0..TURNS_PER_READING {
            match worker.turn(now) {
                Turn::Busy => rest.reset(),
                Turn::Idle => {
                    if rest.rest() {
                        break;
                    }
                }
                Turn::Stopped => return,
            }
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

/// Sleeps longer the longer there was nothing to do.
pub struct Rest {
    longest: Duration,
    empty: u32,
    nap: Duration,
}

impl Rest {
    /// As configured.
    pub fn new(idle: Idle) -> Self {
        let longest = match idle {
            Idle::Spin => Duration::ZERO,
            Idle::Sleep(longest) => longest,
        };
        Self { longest, empty: 0, nap: NAP }
    }

    /// There was work.
    pub fn reset(&mut self) {
        self.empty = 0;
        self.nap = NAP;
    }

    /// There was none; true when time has passed.
    pub fn rest(&mut self) -> bool {
        if self.longest.is_zero() {
            std::hint::spin_loop();
            return false;
        }
        self.empty += 1;
        if self.empty < PATIENCE {
            return false;
        }
        self.empty = PATIENCE;
        thread::sleep(self.nap);
        self.nap = (self.nap * 2).min(self.longest);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use gateway::driver::Burst;
    use gateway::frame::PortId;
    use gateway::link::{Link, Update};
    use gateway::sim::{HeapFrame, SimDriver};
    use gateway::tables::Fdb;
    use gateway::worker::Handoff;

    use super::super::pulse::{Change, Pulses};
    use super::*;

    #[test]
    fn rest_grows_up_to_the_limit_and_starts_over_with_work() {
        let limit = Duration::from_micros(50);
        let mut rest = Rest::new(Idle::Sleep(limit));
        assert!((1..PATIENCE).all(|_| !rest.rest()), "it waits first");
        for nap in [10, 20, 40, 50, 50] {
            assert_eq!(rest.nap, Duration::from_micros(nap));
            assert!(rest.rest());
        }
        rest.reset();
        assert!(!rest.rest());
        assert_eq!(rest.nap, NAP);
    }

    #[test]
    fn spinning_never_sleeps() {
        let mut rest = Rest::new(Idle::Spin);
        assert!((0..10 * PATIENCE).all(|_| !rest.rest()));
    }

    /// A worker on the first core that this test may use, and what it tells.
    fn started<G>(
        link: &Link<HeapFrame>,
        enter: impl FnOnce() -> Result<G, String> + Send + 'static,
    ) -> (JoinHandle<()>, Receiver<Notice>) {
        let core = core_affinity::get_core_ids().expect("cores")[0].id as u16;
        let pulse = Pulse::default();
        let place = Place { core, idle: Idle::Sleep(Duration::from_millis(1)), start: Instant::now(), pulse };
        let (tell, told) = channel();
        let link = link.clone();
        let make = move || {
            let handoff = Handoff { to: Vec::new(), from: Vec::new() };
            Worker::new(SimDriver::new(0, 16), Box::default(), Fdb::with_room(8), link, handoff, 32, 32)
        };
        let worker = start(place, enter, make, move |notice| drop(tell.send(notice))).expect("a thread");
        (worker, told)
    }

    #[test]
    fn it_says_when_it_polls_and_ends_when_asked() {
        let link = Link::new();
        let (worker, told) = started(&link, || Ok(()));
        assert!(matches!(told.recv(), Ok(Notice::Ready)));
        link.updates.send(Update::Stop).expect("room");
        worker.join().expect("no panic");
        assert!(told.recv().is_err(), "nothing else to tell");
    }

    /// A device whose driver does not return while the other end of its channel is held, and says when it waits.
    struct Hanging(SimDriver, std::sync::mpsc::Sender<()>, Receiver<()>);

    impl Driver for Hanging {
        type Frame = HeapFrame;
        type Pool = <SimDriver as Driver>::Pool;

        fn rx_queues(&self) -> usize {
            1
        }
        fn rx(&mut self, _: usize, _: usize, _: &mut Burst<HeapFrame>) {
            let _ = self.1.send(());
            let _ = self.2.recv();
        }
        fn has_tx(&self, port: PortId) -> bool {
            self.0.has_tx(port)
        }
        fn tx(&mut self, port: PortId, frames: &mut Vec<HeapFrame>) -> u64 {
            self.0.tx(port, frames)
        }
        fn pool(&mut self) -> &mut Self::Pool {
            self.0.pool()
        }
    }

    #[test]
    fn a_worker_that_hangs_is_found_by_its_pulse_and_so_is_its_return() {
        const LATER: u64 = 3_000_000_000;
        let core = core_affinity::get_core_ids().expect("cores")[0].id as u16;
        let mut pulses = Pulses::new(&[core]);
        let place = Place { core, idle: Idle::Spin, start: Instant::now(), pulse: pulses.of(0) };
        let (link, (hangs, waits), (hold, held)) = (Link::new(), channel(), channel());
        let its_link = link.clone();
        let make = move || {
            let handoff = Handoff { to: Vec::new(), from: Vec::new() };
            let driver = Hanging(SimDriver::new(0, 16), hangs, held);
            Worker::new(driver, Box::default(), Fdb::with_room(8), its_link, handoff, 32, 32)
        };
        let start = Instant::now();
        let worker = super::start(place, || Ok(()), make, |_| ()).expect("a thread");
        waits.recv().expect("it polls its device");
        let now = start.elapsed().as_nanos() as u64;
        assert!(pulses.look(now + LATER / 2, now + LATER / 2).is_empty(), "not yet");
        let told = pulses.look(now + LATER / 4 * 3, now + LATER / 4 * 3);
        assert!(matches!(told[..], [Change::Stuck { .. }]), "{told:?}");
        drop(hold);
        // More turns than for one reading of the clock.
        waits.iter().take(3 * TURNS_PER_READING as usize).for_each(drop);
        let told = pulses.look(now + LATER, now + LATER);
        assert!(matches!(told[..], [Change::Moves { .. }]), "{told:?}");
        link.updates.send(Update::Stop).expect("room");
        worker.join().expect("no panic");
    }

    #[test]
    fn what_it_cannot_have_is_told_with_its_core() {
        let (worker, told) = started::<()>(&Link::new(), || Err("no place in DPDK".into()));
        let Ok(Notice::Failed(why)) = told.recv() else { panic!("it must fail") };
        assert!(why.starts_with("core ") && why.ends_with(": no place in DPDK"), "{why}");
        worker.join().expect("no panic");
    }

    #[test]
    fn a_panic_is_told_and_goes_no_further() {
        struct Held(std::sync::mpsc::Sender<()>);
        impl Drop for Held {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (gone, let_go) = channel();
        let core = core_affinity::get_core_ids().expect("cores")[0].id as u16;
        let place = Place { core, idle: Idle::Spin, start: Instant::now(), pulse: Pulse::default() };
        let (tell, told) = channel();
        let make = || -> Worker<SimDriver> { panic!("out of luck") };
        let worker =
            start(place, move || Ok(Held(gone)), make, move |notice| drop(tell.send(notice))).expect("a thread");
        let Ok(Notice::Failed(why)) = told.recv() else { panic!("it must fail") };
        assert!(why.contains("the worker panicked (out of luck)"), "{why}");
        worker.join().expect("the panic ends with the worker");
        let_go.recv().expect("what the thread held is given back");
    }
}
