//! Frames between the workers and the Linux twins: a thread that reads for each twin, and one that writes to all.
//!
//! Nothing is lost here without a count. What the workers send while the rings are full they count themselves; what the
//! kernel sends while a worker is behind waits in the TAP's queue, and the kernel counts what overflows (`ip -s link`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::types::Idle;
use gateway::complain;
use gateway::frame::{Frame, Pool, PortId};
use gateway::link::{HostFrame, Ring};
use gateway::rights;
use gateway::source::twin::{Twin, TwinReader, TwinWriter};

use super::worker::Rest;

/// How long the writer sleeps at most while no frame comes: what the first ping or ARP of a while may wait.
const NAP: Duration = Duration::from_millis(1);
/// Naps that the reader takes before it gives a frame up.
const TRIES: u32 = 100;
/// Least time between two lines about frames that were given up.
const QUIET: Duration = Duration::from_secs(60);

/// Threads between twins and workers. They end when this is dropped.
pub struct Carriers {
    stop: Arc<AtomicBool>,
    twins: Vec<Arc<Twin>>,
    threads: Vec<JoinHandle<()>>,
}

impl Carriers {
    /// None yet.
    pub fn new() -> Self {
        Self { stop: Arc::default(), twins: Vec::new(), threads: Vec::new() }
    }

    /// Carries what the kernel sends on `twin` to the ring of a worker that transmits on `port`.
    pub fn read<P>(
        &mut self,
        port: PortId,
        twin: &Arc<Twin>,
        pool: P,
        into: Ring<HostFrame<P::Frame>>,
    ) -> Result<(), String>
    where
        P: Pool + Send + 'static,
    {
        let reader = twin.reader().map_err(|error| format!("cannot read from the twin {} ({error})", twin.name()))?;
        let (name, longest, stop) = (twin.name().to_owned(), twin.largest_frame(), Arc::clone(&self.stop));
        self.twins.push(Arc::clone(twin));
        let carry = move || from_kernel(reader, longest, port, pool, &into, &name, &stop);
        self.spawn(&format!("twin-{}", twin.name()), carry)
    }

    /// Carries what the workers have for the kernel to the twins.
    pub fn write<F: Frame>(
        &mut self,
        twins: Vec<(PortId, TwinWriter)>,
        from: Vec<Ring<HostFrame<F>>>,
    ) -> Result<(), String> {
        let stop = Arc::clone(&self.stop);
        self.spawn("to-twins", move || to_kernel(&twins, &from, &stop))
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), String> {
        let work = || {
            rights::keep(rights::NONE);
            work();
        };
        let thread = thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(|error| format!("cannot start the thread {name} ({error})"))?);
        Ok(())
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.twins.iter().for_each(|twin| twin.stop());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn from_kernel<P: Pool>(
    mut reader: TwinReader,
    longest: usize,
    port: PortId,
    mut pool: P,
    into: &Ring<HostFrame<P::Frame>>,
    name: &str,
    stop: &AtomicBool,
) {
    let mut bytes = vec![0; longest];
    let (mut lost, mut told) = (0_u64, None);
    loop {
        let length = match reader.read(&mut bytes) {
            Ok(Some(length)) => length,
            Ok(None) => return,
            Err(error) => {
                complain!(error, "a twin was removed under us", "restart the gateway to make it anew"; twin = name, error = error);
                return;
            }
        };
        if !send(&bytes[..length], port, &mut pool, into, stop) {
            lost += 1;
            if told.is_none_or(|told: Instant| told.elapsed() > QUIET) {
                told = Some(Instant::now());
                complain!(warn, "frames of a twin found no room", "raise memory.buffers"; twin = name, frames = lost);
            }
        }
    }
}

/// Sends a frame to a worker. Without a buffer or a place in the ring the kernel waits a little; false when that was in
/// vain.
fn send<P: Pool>(
    bytes: &[u8],
    port: PortId,
    pool: &mut P,
    into: &Ring<HostFrame<P::Frame>>,
    stop: &AtomicBool,
) -> bool {
    let mut frame = None;
    for _ in 0..TRIES {
        if let Some(ready) = frame.take().or_else(|| pool.frame(bytes)) {
            match into.send(HostFrame { port, frame: ready }) {
                Ok(()) => return true,
                Err(refused) => frame = Some(refused.frame),
            }
        }
        if stop.load(Ordering::Acquire) {
            return true;
        }
        thread::sleep(NAP);
    }
    false
}

fn to_kernel<F: Frame>(twins: &[(PortId, TwinWriter)], from: &[Ring<HostFrame<F>>], stop: &AtomicBool) {
    let mut rest = Rest::new(Idle::Sleep(NAP));
    let mut bytes = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let mut any = false;
        for ring in from {
            while let Some(HostFrame { port, frame }) = ring.take() {
                any = true;
                let Some((_, twin)) = twins.iter().find(|(other, _)| *other == port) else { continue };
                bytes.clear();
                bytes.extend_from_slice(frame.head());
                frame.for_each_tail(|piece| bytes.extend_from_slice(piece));
                if let Err(error) = twin.write(&bytes) {
                    log::debug!("the kernel did not take a frame of port {}: {error}", port.0);
                }
            }
        }
        match any {
            true => rest.reset(),
            false => drop(rest.rest()),
        }
    }
}
