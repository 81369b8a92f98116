//! Captures: frames out of a file for `explain`, and the pcapng of `trace`.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use gateway::control::view::ShotView;
use gateway::decode;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgReader, PcapNgWriter, RawBlock};
use pcap_file::{DataLink, Endianness, PcapError};

use super::Refusal;

/// First bytes of a pcapng file.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Frame `number`, from 1, of a capture; `-` is standard input.
pub fn read(file: &Path, number: u64) -> Result<Vec<u8>, Refusal> {
    let shown = file.display();
    let input: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(file).map_err(|error| format!("cannot open {shown} ({error})"))?),
    };
    let unreadable = |error: PcapError| format!("cannot read {shown} ({error}); it must be a pcap or pcapng capture");
    let frame = frames(BufReader::new(input), number).map_err(unreadable)?;
    frame.map_err(|count| match count {
        0 => format!("{shown} holds no Ethernet frame"),
        1 => format!("{shown} holds 1 frame; there is no number {number}"),
        _ => format!("{shown} holds {count} frames; there is no number {number}"),
    })
}

/// The frame, or how many there are.
fn frames(mut input: impl Read, number: u64) -> Result<Result<Vec<u8>, u64>, PcapError> {
    let mut magic = [0; 4];
    input.read_exact(&mut magic).map_err(PcapError::IoError)?;
    let input = magic.chain(input);
    let mut count = 0;
    if magic != SECTION {
        let mut reader = PcapReader::new(input)?;
        while let Some(packet) = reader.next_packet() {
            count += 1;
            let packet = packet?;
            if count == number {
                return Ok(Ok(packet.data.into_owned()));
            }
        }
        return Ok(Err(count));
    }
    let mut reader = PcapNgReader::new(input)?;
    while let Some(block) = reader.next_raw_block() {
        let RawBlock { type_, body, .. } = block?;
        let body = body.into_owned();
        let Some(data) = packet(type_, &body, reader.section().endianness) else { continue };
        count += 1;
        if count == number {
            return Ok(Ok(data.to_vec()));
        }
    }
    Ok(Err(count))
}

/// The captured bytes of an enhanced or a simple packet block. Read by hand: what follows them are options, which end with a
/// mark or without one, and the library wants one.
fn packet(kind: u32, body: &[u8], order: Endianness) -> Option<&[u8]> {
    const ENHANCED: u32 = 6;
    const SIMPLE: u32 = 3;
    let (length, data) = match kind {
        ENHANCED => (body.get(12..16)?, body.get(20..)?),
        SIMPLE => (body.get(..4)?, body.get(4..)?),
        _ => return None,
    };
    let length = <[u8; 4]>::try_from(length).ok()?;
    let length = match order {
        Endianness::Big => u32::from_be_bytes(length),
        Endianness::Little => u32::from_le_bytes(length),
    };
    // A simple block says how long the packet was; it may have been cut.
    Some(data.get(..length as usize).unwrap_or(data))
}

/// A capture being written: an interface for each port.
pub struct Capture<W: Write> {
    writer: PcapNgWriter<Whole<W>>,
    ports: Vec<String>,
}

/// A writer that passes on whole blocks: whoever reads along never waits for the rest of one.
struct Whole<W: Write>(io::BufWriter<W>);

impl<W: Write> Write for Whole<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Capture<W> {
    /// Begins a capture with these interfaces; frames have at most `snap` bytes.
    pub fn begin(out: W, ports: Vec<String>, snap: u32) -> Result<Self, PcapError> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![SectionHeaderOption::UserApplication("causeway trace".into())],
            ..SectionHeaderBlock::default()
        };
        let mut writer = PcapNgWriter::with_section_header(Whole(io::BufWriter::new(out)), section)?;
        for port in &ports {
            writer.write_block(
                &InterfaceDescriptionBlock {
                    linktype: DataLink::ETHERNET,
                    snaplen: snap,
                    // Nanoseconds.
                    options: vec![
                        InterfaceDescriptionOption::IfName(Cow::Owned(port.clone())),
                        InterfaceDescriptionOption::IfTsResol(9),
                    ],
                }
                .into_block(),
            )?;
        }
        let mut capture = Self { writer, ports };
        capture.flush()?;
        Ok(capture)
    }

    /// Writes a frame with its verdict as the comment.
    pub fn write(&mut self, shot: &ShotView) -> Result<(), PcapError> {
        let Some(interface) = self.ports.iter().position(|port| *port == shot.port) else { return Ok(()) };
        let data = decode::bytes(&shot.hex).unwrap_or_default();
        // Bits 0 and 1: inbound or outbound.
        let direction = if matches!(shot.event.as_str(), "out" | "to-host") { 2 } else { 1 };
        let options = vec![EnhancedPacketOption::Comment(comment(shot).into()), EnhancedPacketOption::Flags(direction)];
        let block = EnhancedPacketBlock {
            interface_id: interface as u32,
            timestamp: Duration::from_nanos(shot.time_ns),
            original_len: shot.length as u32,
            data: data.into(),
            options,
        };
        self.writer.write_block(&block.into_block())?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), PcapError> {
        self.writer.get_mut().flush().map_err(PcapError::IoError)
    }
}

/// What became of a frame, in a line.
pub fn comment(shot: &ShotView) -> String {
    let vni = shot.vni.as_ref().map_or(String::new(), |vni| format!(", VNI {vni}"));
    let from = shot.from.as_ref().map_or(String::new(), |from| format!(", from {from}"));
    format!("{} {}: {}{vni}{from}", shot.event, shot.port, shot.verdict)
}

#[cfg(test)]
mod tests {
    use pcap_file::pcapng::Block;

    use super::*;

    fn shot(event: &str, hex: &str) -> ShotView {
        ShotView {
            time_ns: 1_700_000_000_123_456_789,
            event: event.into(),
            port: "srv1".into(),
            verdict: "dropped: unknown-vlan".into(),
            reason: None,
            vni: Some("10010".into()),
            from: None,
            to: None,
            length: 64,
            hex: hex.into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut file = Vec::new();
        let mut capture = Capture::begin(&mut file, vec!["up0".into(), "srv1".into()], 256).expect("memory");
        capture.write(&shot("drop", "0102030405")).expect("memory");
        capture.write(&shot("out", "0607")).expect("memory");
        drop(capture);
        assert_eq!(frames(&file[..], 1).expect("a capture"), Ok(vec![1, 2, 3, 4, 5]));
        assert_eq!(frames(&file[..], 2).expect("a capture"), Ok(vec![6, 7]));
        assert_eq!(frames(&file[..], 3).expect("a capture"), Err(2));
        let mut reader = PcapNgReader::new(&file[..]).expect("a capture");
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a block") {
                packets.push(packet.into_owned());
            }
        }
        assert_eq!((packets[0].interface_id, packets[0].original_len), (1, 64));
        assert!(
            packets[0]
                .options
                .contains(&EnhancedPacketOption::Comment("drop srv1: dropped: unknown-vlan, VNI 10010".into()))
        );
        assert!(packets[1].options.contains(&EnhancedPacketOption::Flags(2)));
    }

    #[test]
    fn options_need_no_mark_at_their_end() {
        let mut file = Vec::new();
        Capture::begin(&mut file, vec!["srv1".into()], 256).expect("memory");
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        // An enhanced packet block of six bytes and their padding, with one option (its queue) and nothing behind it.
        file.extend(words(&[6, 48, 0, 0, 0, 6, 6]));
        file.extend([1, 2, 3, 4, 5, 6, 0, 0]);
        file.extend(words(&[6 | 4 << 16, 0, 48]));
        // A simple one.
        file.extend(words(&[3, 20, 3]));
        file.extend([7, 8, 9, 0]);
        file.extend(words(&[20]));
        assert_eq!(frames(&file[..], 1).expect("a capture"), Ok(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(frames(&file[..], 2).expect("a capture"), Ok(vec![7, 8, 9]));
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        assert!(frames(&b"hello, I am no capture"[..], 1).is_err());
        assert!(frames(&b""[..], 1).is_err());
    }
}
