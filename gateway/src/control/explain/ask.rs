//! A frame to be explained, made from what an operator knows: port, VLAN, MACs.

use config::types::{Mac, Tag, Vid};

use crate::control::Control;
use crate::frame::PortId;
use crate::tables::Origin;
use crate::wire::{checksum, ethernet};

/// What is known of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// `10`, `untagged`, or `300.7`; by default the port's only one.
    pub vlan: Option<String>,
    /// Destination MAC.
    pub destination: Mac,
    /// Source MAC; by default one that is known there.
    pub source: Option<Mac>,
    /// Bytes behind the Ethernet header and its tags.
    pub size: usize,
}

/// The least and the usual payload of a frame.
pub const SMALLEST: usize = 46;
/// MACs that are looked at to find a source.
const LOOKED_AT: usize = 65_536;
/// A source when none is known.
const SOMEBODY: Mac = Mac([0x02, 0, 0, 0, 0, 0xfe]);

impl Control {
    /// The frame that a sample stands for: a UDP packet over IPv4 between documentation addresses.
    ///
    /// # Errors
    ///
    /// One sentence with the cure, when it says too little or too much.
    pub fn sample(&self, port: PortId, sample: &Sample) -> Result<Vec<u8>, String> {
        let name = self.port_name(port).to_owned();
        let attachments = &self.model.ports[port.index()].attachments;
        let asked = match &sample.vlan {
            Some(text) => self.tag(port, text)?,
            None => match attachments.as_slice() {
                [only] => only.tag,
                [] => return Err(format!("port {name} has no VLANs; give a whole packet with --frame or --pcap")),
                _ if attachments.iter().any(|attachment| attachment.tag == Tag::Untagged) => Tag::Untagged,
                some => {
                    let tags: Vec<_> = some.iter().take(8).map(|attachment| attachment.tag.to_string()).collect();
                    return Err(format!("say which VLAN of port {name} with --vlan: {}", tags.join(", ")));
                }
            },
        };
        let place = attachments.iter().position(|attachment| attachment.tag == asked);
        let source = sample.source.unwrap_or_else(|| self.somebody(port, place, sample.destination));
        let mut frame = [sample.destination.0, source.0].concat();
        match asked {
            Tag::Untagged => {}
            Tag::Vlan(vid) => tag(&mut frame, ethernet::CUSTOMER_TAG, vid),
            Tag::QinQ { outer, inner, service } => {
                tag(&mut frame, if service { ethernet::SERVICE_TAG } else { ethernet::CUSTOMER_TAG }, outer);
                tag(&mut frame, ethernet::CUSTOMER_TAG, inner);
            }
        }
        frame.extend(ethernet::IPV4.to_be_bytes());
        frame.extend(packet(sample.size.max(SMALLEST)));
        Ok(frame)
    }

    /// The tag that `text` means on a port.
    fn tag(&self, port: PortId, text: &str) -> Result<Tag, String> {
        let attachments = &self.model.ports[port.index()].attachments;
        if let Some(attachment) = attachments.iter().find(|attachment| attachment.tag.to_string() == text) {
            return Ok(attachment.tag);
        }
        let vid = |text: &str| text.parse().ok().and_then(Vid::new);
        let refusal =
            || format!("'{text}' is no VLAN; say a number from 1 to 4094, 'untagged', or '300.7' for two tags");
        match (text, text.split_once('.')) {
            ("untagged", _) => Ok(Tag::Untagged),
            (_, None) => vid(text).map(Tag::Vlan).ok_or_else(refusal),
            (_, Some((outer, inner))) => {
                let (outer, inner) = (vid(outer).ok_or_else(refusal)?, vid(inner).ok_or_else(refusal)?);
                Ok(Tag::QinQ { outer, inner, service: true })
            }
        }
    }

    /// A MAC that is known at an attachment, but not the destination.
    fn somebody(&self, port: PortId, place: Option<usize>, destination: Mac) -> Mac {
        let Some(&id) = place.and_then(|place| self.plan.attachments[port.index()].get(place)) else { return SOMEBODY };
        if self.fdb.limits().at_endpoint(id) == 0 {
            return SOMEBODY;
        }
        let here = self
            .fdb
            .iter()
            .take(LOOKED_AT)
            .filter(|(key, record)| record.place.endpoint() == id && key.mac() != destination.0);
        let best = here.min_by_key(|(key, record)| (record.origin != Origin::Learned, *key));
        best.map_or(SOMEBODY, |(key, _)| Mac(key.mac()))
    }
}

fn tag(frame: &mut Vec<u8>, tpid: u16, vid: Vid) {
    frame.extend(tpid.to_be_bytes());
    frame.extend(vid.value().to_be_bytes());
}

/// A UDP packet of so many bytes.
fn packet(size: usize) -> Vec<u8> {
    let total = size as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend(total.to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    let sum = checksum::finish(checksum::sum(&bytes));
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend([0xc0, 0, 0, 9]);
    bytes.extend((total - 20).to_be_bytes());
    bytes.resize(size, 0);
    bytes
}
