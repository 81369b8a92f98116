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
use pcap_file::pcapng::{Block, PcapNgBlock, PcapNgReader, PcapNgWriter};
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
    while let Some(block) = reader.next_block() {
        let data = match block? {
            Block::EnhancedPacket(packet) => packet.data,
            Block::SimplePacket(packet) => packet.data,
            _ => continue,
        };
        count += 1;
        if count == number {
            return Ok(Ok(data.into_owned()));
        }
    }
    Ok(Err(count))
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
    fn what_is_no_capture_is_refused() {
        assert!(frames(&b"hello, I am no capture"[..], 1).is_err());
        assert!(frames(&b""[..], 1).is_err());
    }
}
