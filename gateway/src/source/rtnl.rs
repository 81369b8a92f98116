//! A blocking rtnetlink connection: a request and its answers, or a dump.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// The kernel fills at most 32 KiB at a time in a dump; a notification is smaller.
const DATAGRAM: usize = 64 << 10;

/// A dump that something interrupted is asked for again this often before it is taken as it is.
const DUMP_TRIES: usize = 4;

/// A connection to rtnetlink in the namespace of the thread that opened it.
pub(super) struct Rtnl {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Rtnl {
    /// Opens it in the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Asks for a change (or for one object) and returns the objects in the answer.
    pub(super) fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        Ok(self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags)?.0)
    }

    /// Asks for all objects of a kind.
    pub(super) fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut found = Vec::new();
        for _ in 0..DUMP_TRIES {
            let interrupted;
            (found, interrupted) = self.exchange(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            if !interrupted {
                break;
            }
        }
        Ok(found)
    }

    /// Sends a request and reads until its end; true when a dump was interrupted by a change.
    fn exchange(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<(Vec<RouteNetlinkMessage>, bool)> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let (mut found, mut interrupted) = (Vec::new(), false);
        loop {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            for message in messages(&self.buffer) {
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(object) => found.push(object),
                    NetlinkPayload::Done(_) => return Ok((found, interrupted)),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok((found, interrupted)),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }
}

/// The messages of a datagram. What the codec does not understand is left out: it is about something that is not ours.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = NetlinkMessage<RouteNetlinkMessage>> {
    split(datagram).filter_map(|bytes| match NetlinkMessage::deserialize(bytes) {
        Ok(message) => Some(message),
        Err(error) => {
            log::debug!("netlink message left out: {error}");
            None
        }
    })
}

/// The bytes of each message of a datagram: a length in native order in front, each padded to four bytes (RFC 3549
/// section 2.2). Stops at a length that cannot be.
pub(super) fn split(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    const HEADER: usize = 16;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        if length < HEADER {
            return None;
        }
        let message = rest.get(..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32, kind: u16) -> Vec<u8> {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(16, 0);
        bytes
    }

    #[test]
    fn a_datagram_splits_at_padded_lengths() {
        let mut datagram = message(17, 1);
        datagram.extend([9, 0, 0, 0]);
        datagram.extend(message(16, 1));
        let lengths: Vec<_> = split(&datagram).map(<[u8]>::len).collect();
        assert_eq!(lengths, [17, 16]);
    }

    #[test]
    fn lengths_that_cannot_be_end_the_datagram() {
        assert_eq!(split(&message(15, 1)).count(), 0);
        assert_eq!(split(&message(99, 1)).count(), 0);
        assert_eq!(split(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn a_message_that_is_not_understood_is_left_out() {
        let mut datagram = message(16, 9999);
        datagram.extend(message(16, 24));
        assert_eq!(messages(&datagram).count(), 0);
    }
}
