//! BGP EVPN: FRR speaks it, and this follows FRR.
//!
//! ```text
//!   FRR (bgpd, zebra) ◄──── rtnetlink ────► shadow devices of each VNI ◄──── rtnetlink ────► this thread ◄──► control
//!                                           cwbN bridge, cwvN vxlan, cwpN port
//! ```
//!
//! zebra knows VNIs, VTEPs and MACs by the kernel's bridges and VXLAN devices alone. So every VNI has a shadow; MACs
//! of our ports are put there, and zebra advertises them (type 2 routes) together with the VNI (type 3); what it learns it
//! puts there, and `mirror` makes changes for control of that. No frame ever passes these devices.
//!
//! RFC 7432 section 15 (mobility) comes with it: whoever puts a MAC that the other side has makes zebra raise the
//! sequence number; a sticky MAC is never taken over.

mod codec;
mod mirror;
mod shadow;
mod thread;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::types::{Mac, Vni};
use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use mio::{Poll, Waker};

use crate::complain;
use crate::control::overlay::{Change, Feedback};
use crate::rights::{self, Rights};
use crate::say::REPORT;
use crate::source::error::UnderlayError;
use crate::source::namespace::Namespace;

/// Where FRR is, and who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The network namespace in which zebra runs.
    pub namespace: Namespace,
    /// Our VTEP address. (FRR takes IPv6 ones from the kernel from 10.6 on only.)
    pub local: Ipv4Addr,
    /// UDP port that the kernel binds for the VXLAN devices; never one that tunnels use.
    pub udp_port: u16,
    /// How long VTEPs and MACs stay in force when all are withdrawn at once; zero not at all.
    pub hold: Duration,
}

/// What this says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// FRR knows other things than before.
    Change(Change),
    /// The kernel is read anew after an error, or a VNI could not be set up: in words, with the cure.
    Trouble(String),
}

/// What the thread is to do.
enum Task {
    /// These VNIs, with their names, and no others.
    Vnis(Vec<(Vni, String)>),
    /// MACs of our own ports.
    Locals {
        /// VNIs whose MACs are told from the start.
        afresh: Vec<Vni>,
        /// MACs that came (`true`) or went.
        macs: Vec<(Vni, Mac, bool)>,
    },
    /// End, and take the devices away.
    Stop,
}

/// Follows FRR while it lives; dropping it takes the shadow devices away, and FRR withdraws the VNIs.
pub struct Evpn {
    tasks: Sender<Task>,
    wake: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Evpn {
    /// Starts. FRR may start before, after, and again.
    ///
    /// # Errors
    /// The namespace may not be entered, or the kernel refuses netlink.
    pub fn open(settings: Settings) -> Result<(Self, Receiver<Said>), UnderlayError> {
        let (tasks, todo) = unbounded();
        let (tell, said) = unbounded();
        let poll = Poll::new().map_err(|error| UnderlayError::refused("make an epoll", error))?;
        let wake = Waker::new(poll.registry(), thread::WAKE);
        let wake = Arc::new(wake.map_err(|error| UnderlayError::refused("make an eventfd", error))?);
        let (ready, opened) = bounded(1);
        let thread = std::thread::Builder::new().name("evpn".into()).spawn(move || {
            match thread::Worker::open(settings, poll, tell) {
                Ok(worker) => {
                    // It has entered its namespace; devices and neighbours are all that is left.
                    rights::keep(Rights::NET_ADMIN);
                    let _ = ready.send(Ok(()));
                    worker.work(&todo);
                }
                Err(error) => _ = ready.send(Err(error)),
            }
        });
        let thread = thread.map_err(|error| UnderlayError::refused("start a thread", error))?;
        let evpn = Self { tasks, wake, thread: Some(thread) };
        match opened.recv() {
            Ok(Ok(())) => Ok((evpn, said)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(UnderlayError::refused("follow FRR", std::io::Error::other("its thread ended"))),
        }
    }

    /// These VNIs take part, with the operator's names, and no others.
    pub fn want(&self, vnis: Vec<(Vni, String)>) {
        self.send(Task::Vnis(vnis));
    }

    /// What control says in return: MACs of our own ports.
    pub fn tell(&self, feedback: &Feedback) {
        if feedback.afresh.is_empty() && feedback.locals.is_empty() {
            return;
        }
        let locals = feedback.locals.iter();
        self.send(Task::Locals {
            afresh: feedback.afresh.iter().map(|number| number.vni).collect(),
            macs: locals.map(|(number, mac, place)| (number.vni, *mac, place.is_some())).collect(),
        });
    }

    fn send(&self, task: Task) {
        // The thread ends only when told so, or by a panic that has been reported.
        let _ = self.tasks.send(task);
        if let Err(error) = self.wake.wake() {
            complain!(error, "who follows FRR cannot be woken", REPORT; controller = "evpn", error = error);
        }
    }
}

impl Drop for Evpn {
    fn drop(&mut self) {
        self.send(Task::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported on stderr already.
            let _ = thread.join();
        }
    }
}
