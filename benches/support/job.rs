//! The jobs that are measured: where frames come in, and what becomes of them.

use config::types::Encap;

/// What a frame goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a VLAN into a tunnel.
    Encap,
    /// From a port without tags into a tunnel.
    Untagged,
    /// From a tunnel into a VLAN.
    Decap,
    /// From a VLAN of one port into that of another.
    Local,
    /// From a VLAN to an unknown address: into so many tunnels.
    Flood(usize),
    /// As [`Self::Encap`], and every frame is from a station that nobody has seen.
    Storm,
}

/// A job with its name on the command line, in files and in tables.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// On the command line and in files.
    pub name: &'static str,
    /// For people.
    pub words: &'static str,
    /// What a frame goes through.
    pub way: Way,
    /// Of the tunnels.
    pub encap: Encap,
    /// The underlay is IPv6.
    pub v6: bool,
    /// Tunnel packets carry UDP checksums. They cost by the byte, whatever the design.
    pub sums: bool,
    /// Two options in each Geneve header.
    pub options: bool,
}

const PLAIN: Job =
    Job { name: "", words: "", way: Way::Encap, encap: Encap::Vxlan, v6: false, sums: false, options: false };
const BACK: Job = Job { way: Way::Decap, ..PLAIN };
const GENEVE: Job = Job { encap: Encap::Geneve, ..PLAIN };
const GENEVE_BACK: Job = Job { encap: Encap::Geneve, ..BACK };

/// All of them.
pub const JOBS: [Job; 15] = [
    Job { name: "vlan-vxlan", words: "VLAN → VXLAN", ..PLAIN },
    Job { name: "vxlan-vlan", words: "VXLAN → VLAN", ..BACK },
    Job { name: "untagged-vxlan", words: "untagged → VXLAN", way: Way::Untagged, ..PLAIN },
    Job { name: "vlan-geneve", words: "VLAN → Geneve", ..GENEVE },
    Job { name: "geneve-vlan", words: "Geneve → VLAN", ..GENEVE_BACK },
    Job { name: "vlan-geneve-options", words: "VLAN → Geneve, 2 options", options: true, ..GENEVE },
    Job { name: "geneve-options-vlan", words: "Geneve, 2 options → VLAN", options: true, ..GENEVE_BACK },
    Job { name: "vlan-vxlan6", words: "VLAN → VXLAN/IPv6", v6: true, ..PLAIN },
    Job { name: "vxlan6-vlan", words: "VXLAN/IPv6 → VLAN", v6: true, ..BACK },
    Job { name: "vlan-vxlan6-sums", words: "VLAN → VXLAN/IPv6, UDP checksums", v6: true, sums: true, ..PLAIN },
    Job { name: "vxlan6-sums-vlan", words: "VXLAN/IPv6, UDP checksums → VLAN", v6: true, sums: true, ..BACK },
    Job { name: "vlan-vlan", words: "VLAN → VLAN", way: Way::Local, ..PLAIN },
    Job { name: "flood-8", words: "flood to 8 VTEPs", way: Way::Flood(8), ..PLAIN },
    Job { name: "flood-1024", words: "flood to 1,024 VTEPs", way: Way::Flood(1024), ..PLAIN },
    Job { name: "learning", words: "VLAN → VXLAN, learning each source", way: Way::Storm, ..PLAIN },
];

impl Job {
    /// The job of a name.
    pub fn named(name: &str) -> Option<Self> {
        JOBS.into_iter().find(|job| job.name == name)
    }

    /// Frames that leave for each that comes in.
    pub fn copies(&self) -> usize {
        if let Way::Flood(vteps) = self.way { vteps } else { 1 }
    }
}
