//! `causeway bench`: how many frames a gateway passes, and how long they take, measured from outside.

mod figures;
mod lab;
mod plan;
mod rig;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum, ValueHint};
use config::types::Encap;
use gateway::load::{Mould, Side};

use self::figures::Figures;
use self::rig::Cell;
use super::Refusal;
use super::show::print;
use crate::run::signals::{Watch, Wish};

/// Bytes of a frame that the wire adds to what software sees.
const FCS: usize = 4;

/// What to measure, and where.
#[derive(Debug, Args)]
pub struct Bench {
    /// Ways of the frames, parted by commas [default: vlan-vxlan,vxlan-vlan; with --config both ways of its VNI]
    #[arg(long = "job", value_name = "JOB", value_delimiter = ',')]
    jobs: Vec<Job>,
    /// Frame sizes in bytes with FCS (the tenant's frame, its tag counted), parted by commas, or 'imix': 64, 594 and
    /// 1518 bytes as 7:4:1
    #[arg(long = "size", value_name = "SIZE", value_delimiter = ',', default_value = "64")]
    sizes: Vec<Size>,
    /// MACs on each side, parted by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    macs: Vec<u32>,
    /// Seconds that each trial sends
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    duration: f64,
    /// Loss that is still taken for none, in percent [default: 0; on virtual devices 0.1, because their cores are
    /// rarely theirs alone]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    loss: Option<f64>,
    /// The search ends when the rate is known to so many percent
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = percent)]
    resolution: f64,
    /// Do not search: measure loss and latency at this rate, in millions of frames a second
    #[arg(long, value_name = "MPPS", value_parser = rate)]
    rate: Option<f64>,
    /// Cores of the generator and of the gateway's worker [default: the first and the last]
    #[arg(long, value_name = "GENERATOR,WORKER", value_delimiter = ',', num_args = 1..=2)]
    cores: Vec<u16>,
    /// Configuration of the gateway under test, which runs elsewhere and is cabled to the two devices
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["servers", "fabric"])]
    config: Option<PathBuf>,
    /// Device that is cabled to the gateway's port with VLANs: a PCI address or a virtual device
    #[arg(long, value_name = "DEVICE", requires = "config")]
    servers: Option<String>,
    /// Device that is cabled to the gateway's underlay
    #[arg(long, value_name = "DEVICE", requires = "config")]
    fabric: Option<String>,
    /// The VNI to send in, by its number or name [default: the first that has a VLAN and a VTEP]
    #[arg(long, value_name = "VNI", requires = "config")]
    vni: Option<String>,
    /// Print JSON for scripts instead of a table
    #[arg(long)]
    json: bool,
}

/// Help with examples.
pub const HELP: &str = "\
Examples:
  causeway bench                                 a gateway of its own on virtual devices (memif), nothing else needed
  causeway bench --job vlan-geneve --size 64,imix --macs 1000,100000
  causeway bench --rate 0.5 --duration 10        loss and latency at half a million frames a second
  causeway bench -c gateway.yaml --servers 0000:5e:00.0 --fabric 0000:3b:00.0
                                                 a gateway on another box, cabled to these two NICs

A generator sends test frames into one side and counts and times what comes out of the other. It learns each rate by
halving until no frame is lost (RFC 2544), then measures latency at 50 % and at 90 % of it: of a frame, and of a burst
of 32 from sending it to the return of its last frame. Rates are what the generator sent; Gbit/s count the frame with
its FCS as it goes into the gateway.

With -c it plays a server and the first VTEP of the VNI's flood list, answers ARP and neighbour discovery for that
VTEP, and lets the gateway learn its MACs; it needs two ports of its own. Send it at no network in service.
It needs root. On virtual devices figures show what software costs, not what NICs and cables do.";

/// A way through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Job {
    /// From a VLAN into a VXLAN tunnel
    VlanVxlan,
    /// Out of a VXLAN tunnel into a VLAN
    VxlanVlan,
    /// From a VLAN into a Geneve tunnel
    VlanGeneve,
    /// Out of a Geneve tunnel into a VLAN
    GeneveVlan,
}

impl Job {
    /// Its tunnel.
    fn encap(self) -> Encap {
        match self {
            Self::VlanVxlan | Self::VxlanVlan => Encap::Vxlan,
            Self::VlanGeneve | Self::GeneveVlan => Encap::Geneve,
        }
    }

    /// Where its frames go in.
    fn from(self) -> Side {
        match self {
            Self::VlanVxlan | Self::VlanGeneve => Side::Servers,
            Self::VxlanVlan | Self::GeneveVlan => Side::Fabric,
        }
    }

    /// As on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::VlanVxlan => "vlan-vxlan",
            Self::VxlanVlan => "vxlan-vlan",
            Self::VlanGeneve => "vlan-geneve",
            Self::GeneveVlan => "geneve-vlan",
        }
    }
}

/// A frame size, or a mix of sizes; bytes with FCS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// One.
    Of(usize),
    /// The simple IMIX.
    Imix,
}

impl Size {
    /// Bytes without FCS, in the order in which they are sent.
    fn list(&self) -> Vec<usize> {
        match self {
            Self::Of(bytes) => vec![bytes - FCS],
            Self::Imix => [64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 64, 594].map(|bytes| bytes - FCS).into(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Of(bytes) => bytes.to_string(),
            Self::Imix => "imix".into(),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SHORTEST: usize = Mould::SHORTEST + FCS;
        match text.parse() {
            _ if text.eq_ignore_ascii_case("imix") => Ok(Self::Imix),
            Ok(bytes @ SHORTEST..=1518) => Ok(Self::Of(bytes)),
            _ => Err(format!("a size is a number of bytes from {SHORTEST} to 1518, or imix")),
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    positive(text, 3600.0).ok_or_else(|| "a duration is a number of seconds, more than 0 and at most 3600".into())
}

fn rate(text: &str) -> Result<f64, String> {
    positive(text, 1000.0).ok_or_else(|| "a rate is in millions of frames a second: 0.5 is 500,000".into())
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value @ 0.0..=50.0) => Ok(value),
        _ => Err("a part in percent is a number from 0 to 50".into()),
    }
}

fn positive(text: &str, most: f64) -> Option<f64> {
    text.parse().ok().filter(|&value: &f64| value > 0.0 && value <= most)
}

/// Measures and prints.
pub fn bench(bench: &Bench) -> Result<(), Refusal> {
    let stop = Arc::new(AtomicBool::new(false));
    let _signals = {
        let stop = Arc::clone(&stop);
        Watch::start(move |wish| stop.store(wish == Wish::Stop, Ordering::Relaxed))?
    };
    let mut figures = Figures::new(bench.json);
    let measured = match &bench.config {
        Some(file) => plan::elsewhere(bench, file, &mut figures, &stop),
        None => lab::here(bench, &mut figures, &stop),
    };
    // What was measured before something went wrong is worth having.
    print(&figures.text())?;
    measured
}

impl Bench {
    /// All that is to be measured for some jobs, in order.
    fn cells(&self, jobs: &[Job], loss: f64) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &job in jobs {
            for size in &self.sizes {
                for &macs in &self.macs {
                    cells.push(Cell {
                        job,
                        size: size.clone(),
                        macs,
                        duration: self.duration,
                        loss: self.loss.unwrap_or(loss) / 100.0,
                        resolution: self.resolution / 100.0,
                        rate: self.rate.map(|mpps| mpps * 1e6),
                    });
                }
            }
        }
        cells
    }

    /// The cores of the generator and of a worker of ours.
    fn both_cores(&self) -> Result<(u16, u16), Refusal> {
        let all = core_affinity::get_core_ids().unwrap_or_default();
        let known = |core: u16| all.iter().any(|id| id.id == usize::from(core));
        if let Some(core) = self.cores.iter().find(|&&core| !known(core)) {
            return Err(format!("core {core} is not open to this process; give others with --cores"));
        }
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            return Err("the cores of this machine cannot be listed; give them with --cores".into());
        };
        let generator = self.cores.first().copied().unwrap_or(first.id as u16);
        let worker = self.cores.get(1).copied().unwrap_or(last.id as u16);
        Ok((generator, worker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_named() {
        for text in ["64", "1518", "imix"] {
            assert_eq!(text.parse::<Size>().expect("a size").name(), text);
        }
        for text in ["63", "1519", "mix", "-1", ""] {
            text.parse::<Size>().expect_err(text);
        }
        let imix = Size::Imix.list();
        assert_eq!([60, 590, 1514].map(|bytes| imix.iter().filter(|&&len| len == bytes).count()), [7, 4, 1]);
    }

    #[test]
    fn jobs_are_named_as_they_are_read() {
        for &job in Job::value_variants() {
            assert_eq!(Job::from_str(job.name(), false), Ok(job));
        }
    }
}
