//! What root may do and the gateway need not: capabilities that are given up (capabilities(7)).
//!
//! Capabilities belong to a thread, and a thread starts with those of the one that made it. So the process first keeps
//! what a start takes ([`for_start`]), before it has a second thread; and each thread that is to last keeps what its
//! work takes. Workers, the carriers of the twins and the threads of the socket handle what strangers send, and keep
//! nothing. Found by running the gateway with less: `tests/netns/service.rs` holds it to this list and to the unit's.

use crate::complain;
use config::types::Model;
pub use rustix::thread::CapabilitySet as Rights;

/// Nothing at all.
pub const NONE: Rights = Rights::empty();

/// What opening devices, twins and the socket takes.
///
/// - `NET_ADMIN`: TAPs, addresses, routes, promiscuous mode. `NET_RAW`: packet sockets (`net_af_packet`).
/// - `SYS_ADMIN`: entering network namespaces; DPDK's look at physical addresses, where there is no IOMMU.
/// - `IPC_LOCK`: memory that devices write to stays where it is. `SYS_RAWIO`: virtio's old ports, VFIO without an IOMMU.
/// - `CHOWN`: the group of the socket.
pub fn for_start(model: &Model) -> Rights {
    let mut rights = Rights::NET_ADMIN | Rights::NET_RAW | Rights::SYS_ADMIN | Rights::IPC_LOCK | Rights::SYS_RAWIO;
    rights.set(Rights::CHOWN, model.api.group.is_some());
    rights
}

/// What the thread of control keeps: neighbours, groups and addresses of the twins change while frames flow, and where
/// the twins live in a namespace it must be entered for that.
pub fn for_running(model: &Model) -> Rights {
    let mut rights = Rights::NET_ADMIN;
    let namespace =
        model.vtep.namespace.is_some() || model.control.evpn.as_ref().is_some_and(|evpn| evpn.namespace.is_some());
    rights.set(Rights::SYS_ADMIN, namespace);
    rights
}

/// From now on the calling thread, and the threads and programs that it starts, have at most these rights. Where that
/// fails the log says so, and the thread goes on with more.
pub fn keep(rights: Rights) {
    if let Err(error) = limit(rights) {
        complain!(warn, STAYS, STAYS_CURE; error = error);
    }
}

/// What is said when rights stay, and what to do then.
pub const STAYS: &str = "rights that are not needed could not be given up, and stay";
/// See [`STAYS`].
pub const STAYS_CURE: &str = "let whoever starts the gateway allow capset and prctl";

/// The same for who does not log.
///
/// # Errors
///
/// What the kernel says; the thread has the rights that it had.
pub fn limit(rights: Rights) -> rustix::io::Result<()> {
    let given_up = rustix::thread::capabilities(None).and_then(|mut held| {
        held.effective &= rights;
        held.permitted &= rights;
        held.inheritable &= rights;
        rustix::thread::set_capabilities(None, held)
    });
    // No program that it starts gets them back, be it setuid root.
    let for_good = rustix::thread::set_no_new_privs(true);
    given_up.and(for_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own, which other tests do not share.
    #[test]
    fn what_is_not_kept_is_gone_for_good() {
        let kept = std::thread::spawn(|| {
            keep(Rights::NET_ADMIN);
            let held = rustix::thread::capabilities(None).expect("a thread may look at itself");
            let child = std::thread::spawn(|| rustix::thread::capabilities(None).expect("as may this one"));
            (held, child.join().expect("no panic"), rustix::thread::no_new_privs())
        });
        let (held, childs, for_good) = kept.join().expect("no panic");
        for held in [held, childs] {
            assert!(Rights::NET_ADMIN.contains(held.effective | held.permitted | held.inheritable), "{held:?}");
        }
        assert_eq!(for_good, Ok(true));
    }
}
