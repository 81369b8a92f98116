//! The service manager: systemd's protocol (sd_notify(3)), one datagram a message. Without one nothing is sent.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use gateway::complain;
use gateway::control::Nanos;

/// The service manager, if one started us.
#[derive(Default)]
pub struct Service {
    socket: Option<UnixDatagram>,
    /// Between two messages to the watchdog, in nanoseconds.
    every: Option<Nanos>,
    fed: Nanos,
}

impl Service {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    pub fn of_environment() -> Self {
        let Some(place) = env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
            return Self::default();
        };
        let socket = open(place.as_bytes())
            .inspect_err(|error| {
                let cure = "set NOTIFY_SOCKET right, or not at all";
                complain!(warn, "the service manager cannot be told anything", cure; socket = place.display(), error = error);
            })
            .ok();
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        // Twice as often as asked, as sd_watchdog_enabled(3) advises.
        let every = number("WATCHDOG_USEC").filter(|&usec| usec > 0 && ours).map(|usec| usec * 1000 / 2);
        Self { socket, every, fed: 0 }
    }

    /// It forwards; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// It reads its configuration again; [`Service::ready`] follows.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000));
    }

    /// It stops.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    /// All is well at `now`: as often as the watchdog wants to hear it.
    pub fn feed(&mut self, now: Nanos) {
        if self.every.is_some_and(|every| now.saturating_sub(self.fed) >= every) {
            self.fed = now;
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            log::debug!("the service manager did not take '{}' ({error})", message.escape_debug());
        }
    }
}

/// A path, or a name in Linux's abstract namespace behind an `@`.
fn open(place: &[u8]) -> std::io::Result<UnixDatagram> {
    let address = match place.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(place))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not stop control.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn messages_arrive_at_an_abstract_socket_and_the_watchdog_is_fed_in_time() {
        let name = format!("causeway-{}-service", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("free");
        manager.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let socket = Some(open(format!("@{name}").as_bytes()).expect("somebody listens"));
        let mut service = Service { socket, every: Some(500), fed: 0 };
        let read = || {
            let mut bytes = [0; 256];
            let length = manager.recv(&mut bytes).expect("a message");
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        service.feed(400);
        service.ready("forwarding: 2 ports");
        assert_eq!(read(), "READY=1\nSTATUS=forwarding: 2 ports");
        service.feed(500);
        service.feed(900);
        service.feed(1000);
        service.stopping();
        assert_eq!([read(), read()], ["WATCHDOG=1", "WATCHDOG=1"]);
        assert_eq!(read(), "STOPPING=1\nSTATUS=stopping");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let mut service = Service::default();
        service.ready("forwarding");
        service.feed(1);
    }
}
