//! What reading and summing bytes costs: the production functions of `gateway::wire`, in nanoseconds and cycles a call.
//!
//! `scripts/bench-pipeline wire` builds and runs it. Laying the finished outer header is part of the stage 'forward', which
//! the bench of the pipeline shows.

mod support;

use std::hint::black_box;

use gateway::tables::template::Outline;
use gateway::tables::{Template, template};
use gateway::wire::peek::peek;
use gateway::wire::{checksum, ethernet, flow, geneve, ip, udp, vxlan};
use support::clock::cycles;
use support::flags::Flags;
use support::job::Job;
use support::rounds::{FLAGS, Rounds, Row, Sample, Subject, batches};
use support::site::{End, Site};

const USAGE: &str = "\
usage: wire [flags]

  --only NAME      those whose name holds one of these words
";
/// Different frames, so that no branch is learned by heart.
const FRAMES: usize = 64;
/// Times that each is looked at in a batch.
const TIMES: usize = 8;

/// A function on a frame.
struct Bench {
    frames: Vec<Vec<u8>>,
    work: fn(&[u8]) -> u64,
}

impl Subject for Bench {
    fn window(&mut self, length: u64) -> Sample {
        let Self { frames, work } = self;
        batches(length, || {
            let began = cycles();
            let mut sum = 0u64;
            for _ in 0..TIMES {
                for frame in frames.iter() {
                    sum = sum.wrapping_add(work(black_box(frame)));
                }
            }
            black_box(sum);
            (TIMES * FRAMES, cycles() - began)
        })
    }
}

/// Frames of a job, as they come in.
fn frames(job: &str, size: usize) -> Vec<Vec<u8>> {
    let job = Job::named(job).expect("it is one of the list");
    let (mut site, _) = Site::new(job, 1, &[size]);
    (0..FRAMES as u32).map(|number| site.frame(End::Near, number, number, 0).to_vec()).collect()
}

/// Where the outer IP header begins, and the UDP header behind one of IPv4.
const L3: usize = 14;
const L4: usize = L3 + 20;

type Work = (&'static str, &'static str, usize, fn(&[u8]) -> u64);

/// Each with the job whose frames it reads, and the size of the tenant's frame.
fn works() -> Vec<Work> {
    vec![
        ("Ethernet addresses", "vlan-vxlan", 64, |frame| {
            frame.first_chunk().map_or(0, |header| {
                let (to, from) = ethernet::addresses(header);
                to ^ from
            })
        }),
        ("IPv4 header", "vxlan-vlan", 64, |frame| u64::from(ip::V4::parse(&frame[L3..], frame.len() - L3).is_some())),
        ("IPv6 header", "vxlan6-vlan", 64, |frame| u64::from(ip::V6::parse(&frame[L3..], frame.len() - L3).is_some())),
        ("UDP header", "vxlan-vlan", 64, |frame| u64::from(udp::Udp::parse(&frame[L4..]).is_some())),
        ("VXLAN header", "vxlan-vlan", 64, |frame| vxlan::vni(&frame[L4 + 8..]).map_or(0, u64::from)),
        ("Geneve header", "geneve-vlan", 64, |frame| u64::from(geneve::parse(&frame[L4 + 8..]).is_ok())),
        ("Geneve header, 2 options", "geneve-options-vlan", 64, |frame| {
            u64::from(geneve::parse(&frame[L4 + 8..]).is_ok())
        }),
        ("all headers for people", "vxlan-vlan", 64, |frame| u64::from(peek(frame, 4789, 6081).is_some())),
        ("flow hash, IPv4", "vlan-vxlan", 64, |frame| u64::from(flow::flow(frame, 18, ethernet::IPV4))),
        ("flow hash, IPv4 without options", "vlan-vxlan", 64, |frame| {
            frame[18..].first_chunk().map_or(0, |packet| u64::from(flow::v4_plain(packet)))
        }),
        ("checksum, IPv4 header", "vxlan-vlan", 64, |frame| {
            frame[L3..].first_chunk::<20>().map_or(0, |header| u64::from(checksum::sum_of(header)))
        }),
        ("checksum, 60 bytes", "vlan-vxlan", 64, |frame| u64::from(checksum::finish(checksum::sum(frame)))),
        ("checksum, 1,514 bytes", "vlan-vxlan", 1518, |frame| u64::from(checksum::finish(checksum::sum(frame)))),
        ("checksum, one word adjusted", "vlan-vxlan", 64, |frame| {
            u64::from(checksum::adjust(u16::from(frame[0]), 1, u16::from(frame[5])))
        }),
        ("a finished outer header made", "vlan-vxlan", 64, |frame| {
            let mut mac = [0; 6];
            mac.copy_from_slice(&frame[..6]);
            u64::from(Template::new(&outline(mac)).ip_seed)
        }),
    ]
}

fn outline(mac: [u8; 6]) -> Outline {
    template::Outline {
        destination_mac: mac,
        source_mac: mac,
        vlan: 0,
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        encap: config::types::Encap::Vxlan,
        udp_port: 4789,
        port: gateway::frame::PortId(0),
        mtu: 1600,
    }
}

fn main() {
    let flags = Flags::read(&format!("{USAGE}{FLAGS}"));
    let mut rounds = Rounds::new("wire", &flags);
    let wanted = |name: &str| flags.words("only").is_none_or(|words| words.iter().any(|word| name.contains(word)));
    let rows: Vec<Row> = works()
        .into_iter()
        .filter(|(name, ..)| wanted(name))
        .map(|(name, job, size, work)| Row {
            labels: vec![("what", name.into())],
            subject: Ok(Box::new(Bench { frames: frames(job, size), work })),
        })
        .collect();
    if rows.is_empty() {
        support::flags::refuse("--only leaves nothing");
    }
    rounds.run("call", rows);
    rounds.finish();
}
