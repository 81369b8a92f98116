//! The few system calls that the standard library lacks: entering a network namespace, raw packet sockets, signals.

use std::fs::File;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

/// True when this process may make namespaces and devices.
pub fn is_root() -> bool {
    // SAFETY: geteuid(2) has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Sends `signal` to a process that the caller started and has not waited for, so that the id is still its own.
pub fn signal(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).expect("process ids fit");
    // SAFETY: kill(2) touches no memory; the caller owns the process.
    unsafe { libc::kill(pid, signal) };
}

/// Stops one thread of a process, as a driver that hangs would, until dropped: on the thread that asked for it.
pub struct Stopped(libc::pid_t);

impl Stopped {
    /// `None` where this machine does not let us.
    pub fn thread(id: u32) -> Option<Self> {
        let id = libc::pid_t::try_from(id).expect("thread ids fit");
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: ptrace(2) with these requests touches no memory of ours; the thread belongs to a child of the test's.
        let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, id, none, none) };
        if seized != 0 {
            return None;
        }
        let stopped = Self(id);
        // SAFETY: as above; the wait is for the stop that was asked for, with no place for its status.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, id, none, none), 0, "{}", io::Error::last_os_error());
            assert_eq!(libc::waitpid(id, std::ptr::null_mut(), libc::__WALL), id, "{}", io::Error::last_os_error());
        }
        Some(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: as above. The thread runs on.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, none, none) };
    }
}

/// Runs `job` on a thread of its own inside the network namespace `name`; sockets opened there stay there.
pub fn in_namespace<T: Send>(name: &str, job: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let file = File::open(format!("/run/netns/{name}")).expect("the namespace exists");
            // SAFETY: `file` is an open descriptor; setns(2) changes only this thread, which ends with `job`.
            let entered = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(entered, 0, "setns {name}: {}", io::Error::last_os_error());
            job()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// One device as a raw socket sees it: whole frames, tags included, only what comes in.
pub struct RawSocket(OwnedFd);

const ETH_P_ALL_BE: u16 = (libc::ETH_P_ALL as u16).to_be();

impl RawSocket {
    /// Binds to `device` in the namespace of the calling thread.
    pub fn bind(device: &str) -> io::Result<Self> {
        let name = std::ffi::CString::new(device)?;
        // SAFETY: `name` is a C string that outlives the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: socket(2) touches no memory. Protocol 0: nothing is received before bind, so nothing of other devices.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is a descriptor that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        for option in [libc::PACKET_AUXDATA, libc::PACKET_IGNORE_OUTGOING] {
            set_option(&fd, libc::SOL_PACKET, option, 1)?;
        }
        // A burst of jumbo frames must not overrun the socket while the test is busy elsewhere.
        set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 8 << 20)?;
        // SAFETY: all-zero bytes are a valid sockaddr_ll (plain integers).
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ETH_P_ALL_BE;
        address.sll_ifindex = index as i32;
        // SAFETY: the pointer and the length describe `address`, a sockaddr_ll, which outlives the call.
        let bound = unsafe {
            libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as libc::socklen_t)
        };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(fd)) }
    }

    /// Sends one frame, with its tags where they are.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length describe `frame`.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent == frame.len() as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// The next frame, or `None` once `deadline` has passed.
    pub fn receive(&self, deadline: Instant) -> Option<Vec<u8>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, as said; it outlives the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, left.min(Duration::from_secs(60)).as_millis() as i32) };
        if ready > 0 { self.read() } else { None }
    }

    /// Reads one frame and puts the tag that the kernel moved into metadata back where it was on the wire.
    fn read(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0_u8; 65_536];
        let mut control = [0_u64; 16];
        let mut piece = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
        // SAFETY: all-zero bytes are a valid msghdr (null pointers, zero lengths).
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut piece;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: `message` describes `frame` and `control`, both alive and not otherwise borrowed during the call.
        let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        frame.truncate(usize::try_from(length).ok()?);
        // SAFETY: the CMSG macros walk the control buffer that recvmsg(2) filled within its length.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while !header.is_null() {
                if (*header).cmsg_level == libc::SOL_PACKET && (*header).cmsg_type == libc::PACKET_AUXDATA {
                    let data = libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>().read_unaligned();
                    restore_tag(&mut frame, &data);
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        Some(frame)
    }
}

fn restore_tag(frame: &mut Vec<u8>, data: &libc::tpacket_auxdata) {
    if data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 || frame.len() < 12 {
        return;
    }
    let known = data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let tpid = if known { data.tp_vlan_tpid } else { 0x8100 };
    let [a, b] = tpid.to_be_bytes();
    let [c, d] = data.tp_vlan_tci.to_be_bytes();
    frame.splice(12..12, [a, b, c, d]);
}

fn set_option(fd: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: pointer and length describe `value`, an int, as these options want it.
    let set = unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t)
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
