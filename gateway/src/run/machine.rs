//! What is known of the devices and the CPU besides what control knows, for who exports numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway::control::measures::{DeviceLosses, Measures};
use gateway::control::view::QueueView;
use gateway::costs::Meter;

use super::answer::Links;

/// The CPU's time stamp counter.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Reads it.
    pub cycles: fn() -> u64,
    /// Its cycles in a second.
    pub hertz: u64,
}

/// The queues of a worker.
#[derive(Clone, Default)]
pub struct Queues {
    /// That it polls.
    pub rx: Vec<QueueView>,
    /// That it transmits on.
    pub tx: Vec<QueueView>,
}

/// The devices and the CPU.
pub struct Machine {
    /// What a port's device lost; `None` where nobody knows.
    pub losses: Box<dyn Fn(usize) -> Option<DeviceLosses>>,
    /// Packet buffers in use.
    pub buffers_in_use: Box<dyn Fn() -> Option<u64>>,
    /// By worker.
    pub queues: Vec<Queues>,
    /// The CPU's.
    pub clock: Option<Clock>,
    /// When the gateway started, in seconds since 1970.
    pub started: f64,
}

impl Machine {
    /// Now, for the field of that name.
    pub fn now() -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
    }

    /// A stop watch for a worker.
    pub fn meter(clock: Option<Clock>) -> Meter {
        clock.map_or_else(Meter::default, |clock| Meter::new(clock.cycles, clock.hertz))
    }

    /// Fills in what control does not know.
    pub fn complete(&self, measures: &mut Measures, links: &Links) {
        let gateway = &mut measures.gateway;
        gateway.version = super::VERSION.into();
        gateway.started = self.started;
        gateway.buffers_in_use = (self.buffers_in_use)();
        gateway.hertz = self.clock.map(|clock| clock.hertz);
        for (index, port) in measures.ports.iter_mut().enumerate() {
            port.link = links.state(index);
            port.device_losses = (self.losses)(index);
        }
    }
}
