//! The carrier of ports whose driver does not know it: net_af_packet and net_af_xdp say "up" whatever happens to the
//! kernel's interface beneath them, so the kernel is asked.

use std::cell::{Cell, RefCell};

use config::types::Model;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::rtnl::Rtnl;
use crate::complain;

/// Drivers on top of a kernel interface (`iface=`) that do not follow its carrier.
const BLIND: [&str; 2] = ["net_af_packet", "net_af_xdp"];

/// Asks the kernel, in the namespace of the thread that made it.
pub struct Carriers {
    rtnl: Option<RefCell<Rtnl>>,
    /// The interface of each port that needs it.
    interfaces: Vec<Option<Interface>>,
}

/// A kernel interface that a driver is bound to.
struct Interface {
    name: String,
    /// Its index when it was asked for first. One that is made anew under the same name has another, and the driver's socket
    /// has nothing to do with it.
    index: Cell<Option<u32>>,
}

/// What is beneath a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beneath {
    /// The interface of the start, with a carrier or not.
    Same(bool),
    /// No interface of this name.
    Gone,
    /// Another interface of the same name.
    Another,
}

impl Carriers {
    /// For the ports of a model, in their order; their devices are open.
    pub fn new(model: &Model) -> Self {
        let interfaces: Vec<_> = model.ports.iter().map(|port| interface(&port.device).map(Interface::new)).collect();
        let rtnl = interfaces.iter().any(Option::is_some).then(Rtnl::open).and_then(|opened| {
            let complain = |error: &std::io::Error| {
                let cure = "raise the limit of open files, and restart";
                complain!(warn, "the kernel cannot be asked for carriers: links of af_packet ports show as up", cure; error = error);
            };
            opened.inspect_err(complain).ok()
        });
        let carriers = Self { rtnl: rtnl.map(RefCell::new), interfaces };
        for port in 0..model.ports.len() {
            let _ = carriers.beneath(port);
        }
        carriers
    }

    /// Whether a port has a carrier; `None` where its driver knows better.
    pub fn is_up(&self, port: usize) -> Option<bool> {
        self.beneath(port).map(|beneath| beneath == Beneath::Same(true))
    }

    /// What is beneath a port; `None` where its driver knows better.
    pub fn beneath(&self, port: usize) -> Option<Beneath> {
        let interface = self.interfaces.get(port)?.as_ref()?;
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(interface.name.clone()));
        let answer = self.rtnl.as_ref()?.borrow_mut().request(RouteNetlinkMessage::GetLink(question), 0);
        let Ok(answer) = answer else {
            return Some(Beneath::Gone);
        };
        answer.iter().find_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => {
                let first = interface.index.get().unwrap_or(link.header.index);
                interface.index.set(Some(first));
                Some(match first == link.header.index {
                    true => Beneath::Same(link.header.flags.contains(LinkFlags::LowerUp)),
                    false => Beneath::Another,
                })
            }
            _ => None,
        })
    }
}

impl Interface {
    fn new(name: String) -> Self {
        Self { name, index: Cell::new(None) }
    }
}

/// The kernel's interface beneath a device of a driver that does not follow it.
fn interface(device: &str) -> Option<String> {
    let (name, arguments) = device.split_once(',')?;
    let is = |driver: &str| name.strip_prefix(driver).is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_digit()));
    BLIND.iter().find(|driver| is(driver))?;
    arguments.split(',').find_map(|argument| argument.strip_prefix("iface=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_for_devices_whose_driver_does_not_look() {
        assert_eq!(interface("net_af_packet0,qpairs=2,iface=eth1"), Some("eth1".into()));
        assert_eq!(interface("net_af_xdp3,iface=eth1,queue_count=1"), Some("eth1".into()));
        for device in ["net_tap0,iface=eth1", "0000:03:00.0,iface=eth1", "net_af_packetx,iface=a", "net_af_packet0"] {
            assert_eq!(interface(device), None, "{device}");
        }
    }

    #[test]
    fn an_interface_that_is_not_there_has_no_carrier_and_the_loopback_has_one() {
        let asks = |name: &str| Carriers {
            rtnl: Some(RefCell::new(Rtnl::open().expect("netlink"))),
            interfaces: vec![Some(Interface::new(name.into())), None],
        };
        assert_eq!(asks("none-such-0").beneath(0), Some(Beneath::Gone));
        assert_eq!(asks("none-such-0").is_up(0), Some(false));
        assert_eq!(asks("lo").is_up(0), Some(true));
        assert_eq!((asks("lo").is_up(1), asks("lo").is_up(2)), (None, None));
        let loopback = asks("lo");
        loopback.interfaces[0].as_ref().expect("it is asked for").index.set(Some(u32::MAX));
        assert_eq!((loopback.beneath(0), loopback.is_up(0)), (Some(Beneath::Another), Some(false)));
    }
}
