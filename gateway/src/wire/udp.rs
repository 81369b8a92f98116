//! UDP (RFC 768).

/// Bytes of the header.
pub const HEADER: usize = 8;

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Bytes of header and payload, as it says.
    pub len: usize,
    /// Checksum, 0 for none.
    pub checksum: u16,
}

impl Udp {
    /// Reads a header; `None` when it is cut.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g, h] = bytes.first_chunk()?;
        Some(Self {
            source: u16::from_be_bytes([a, b]),
            destination: u16::from_be_bytes([c, d]),
            len: usize::from(u16::from_be_bytes([e, f])),
            checksum: u16::from_be_bytes([g, h]),
        })
    }
}
