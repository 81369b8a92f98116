//! The state file: `causeway-state 1 LENGTH CRC32`, a line of JSON, and 14 bytes for each MAC.
//!
//! A file is written beside the old one, forced to disk and put in its place in one step, so there is always a whole one.
//! One that is damaged, of another version or of another gateway is refused with a sentence.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use gateway::control::memory::{Known, Statistics};
use gateway::counters::{Flow, PortCounters, Tally};
use gateway::verdict::DropReason;
use serde::{Deserialize, Serialize};

/// The first word, and the version that this gateway writes and reads.
const MAGIC: &str = "causeway-state 1";
/// Bytes of a MAC: the address, its segment's and its place's index.
const RECORD: usize = 6 + 4 + 4;
/// Longest file that is read: some sixty million MACs.
const LONGEST: u64 = 1 << 30;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whose it is.
    pub gateway: String,
    /// Seconds after which a MAC of each segment is forgotten, by the segment's name.
    pub ageing: HashMap<String, u64>,
    /// MACs.
    pub known: Known,
    /// Statistics.
    pub statistics: Statistics,
}

/// The line of JSON.
#[derive(Serialize, Deserialize)]
struct Header {
    gateway: String,
    macs: usize,
    segments: Vec<String>,
    ageing: HashMap<String, u64>,
    places: Vec<String>,
    ports: HashMap<String, Port>,
    segment_flows: HashMap<String, [u64; 4]>,
    place_flows: HashMap<String, [u64; 4]>,
}

/// Statistics of a port: frames and bytes of each way; drops by label, because reasons come and go.
#[derive(Serialize, Deserialize)]
struct Port {
    rx: [u64; 2],
    tx: [u64; 2],
    to_host: [u64; 2],
    from_host: [u64; 2],
    answered: u64,
    told: u64,
    drops: HashMap<String, u64>,
}

/// Writes a state in the place of the one before; its directory is made where it is missing.
pub fn write(path: &Path, state: &State) -> io::Result<()> {
    let body = encode(state)?;
    let fresh = path.with_extension("new");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let written = File::create(&fresh).and_then(|mut file| {
        writeln!(file, "{MAGIC} {} {:08x}", body.len(), crc32fast::hash(&body))?;
        file.write_all(&body)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&fresh, path));
    if placed.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    placed?;
    // The name as well as the bytes; a folder that cannot be forced to disk (some network file systems) is no failure.
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Reads a state; `None` when there is none.
///
/// # Errors
///
/// Why it cannot be used.
pub fn read(path: &Path) -> Result<Option<State>, String> {
    let length = match fs::metadata(path) {
        // A device or a pipe might never end.
        Ok(data) if !data.is_file() => return Err("it is no file".into()),
        Ok(data) => data.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("it cannot be read ({error})")),
    };
    if length > LONGEST {
        return Err(format!("it has {length} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| format!("it cannot be read ({error})"))?;
    decode(&bytes).map(Some)
}

fn encode(state: &State) -> io::Result<Vec<u8>> {
    let State { gateway, ageing, known, statistics } = state;
    let flows = |flows: &HashMap<String, Flow>| {
        let numbers = |flow: &Flow| [flow.rx.frames, flow.rx.bytes, flow.tx.frames, flow.tx.bytes];
        flows.iter().map(|(name, flow)| (name.clone(), numbers(flow))).collect()
    };
    let header = Header {
        gateway: gateway.clone(),
        macs: known.macs.len(),
        segments: known.segments.clone(),
        ageing: ageing.clone(),
        places: known.places.clone(),
        ports: statistics.ports.iter().map(|(name, port)| (name.clone(), Port::of(port))).collect(),
        segment_flows: flows(&statistics.segments),
        place_flows: flows(&statistics.places),
    };
    let mut body = serde_json::to_vec(&header)?;
    body.push(b'\n');
    body.reserve(known.macs.len() * RECORD);
    for (mac, segment, place) in &known.macs {
        body.extend_from_slice(mac);
        body.extend_from_slice(&segment.to_le_bytes());
        body.extend_from_slice(&place.to_le_bytes());
    }
    Ok(body)
}

fn decode(bytes: &[u8]) -> Result<State, String> {
    let damaged = || "it is damaged".to_owned();
    let (line, body) = split(bytes).ok_or_else(damaged)?;
    let line = std::str::from_utf8(line).map_err(|_| damaged())?;
    let Some(rest) = line.strip_prefix(MAGIC) else {
        let other = line.starts_with("causeway-state ");
        return Err(if other { "another version of causeway has written it".into() } else { damaged() });
    };
    let (length, checksum) = rest.trim().split_once(' ').ok_or_else(damaged)?;
    let right = length.parse() == Ok(body.len()) && u32::from_str_radix(checksum, 16) == Ok(crc32fast::hash(body));
    if !right {
        return Err(damaged());
    }
    let (header, records) = split(body).ok_or_else(damaged)?;
    let header: Header = serde_json::from_slice(header).map_err(|_| damaged())?;
    if records.len() != header.macs * RECORD {
        return Err(damaged());
    }
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let macs = records.chunks_exact(RECORD).map(|record| {
        let mac = [record[0], record[1], record[2], record[3], record[4], record[5]];
        (mac, number(&record[6..10]), number(&record[10..14]))
    });
    let flows = |flows: HashMap<String, [u64; 4]>| {
        let tally = |frames, bytes| Tally { frames, bytes };
        let flow = |[a, b, c, d]: [u64; 4]| Flow { rx: tally(a, b), tx: tally(c, d) };
        flows.into_iter().map(|(name, numbers)| (name, flow(numbers))).collect()
    };
    Ok(State {
        gateway: header.gateway,
        ageing: header.ageing,
        known: Known { macs: macs.collect(), segments: header.segments, places: header.places },
        statistics: Statistics {
            ports: header.ports.into_iter().map(|(name, port)| (name, port.counters())).collect(),
            segments: flows(header.segment_flows),
            places: flows(header.place_flows),
        },
    })
}

/// The first line, without its end, and the rest.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

impl Port {
    fn of(port: &PortCounters) -> Self {
        let pair = |tally: Tally| [tally.frames, tally.bytes];
        let drops = DropReason::ALL.iter().map(|&reason| (reason.label().to_owned(), port.drops[reason as usize]));
        Self {
            rx: pair(port.rx),
            tx: pair(port.tx),
            to_host: pair(port.to_host),
            from_host: pair(port.from_host),
            answered: port.answered,
            told: port.told,
            drops: drops.filter(|(_, count)| *count > 0).collect(),
        }
    }

    fn counters(self) -> PortCounters {
        let tally = |[frames, bytes]: [u64; 2]| Tally { frames, bytes };
        let mut port = PortCounters {
            rx: tally(self.rx),
            tx: tally(self.tx),
            to_host: tally(self.to_host),
            from_host: tally(self.from_host),
            answered: self.answered,
            told: self.told,
            ..PortCounters::default()
        };
        for &reason in DropReason::ALL {
            port.drops[reason as usize] = self.drops.get(reason.label()).copied().unwrap_or(0);
        }
        port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut port = PortCounters { rx: Tally { frames: 7, bytes: 700 }, ..PortCounters::default() };
        port.drops[3] = 9;
        let flow = Flow { rx: Tally { frames: 1, bytes: 2 }, tx: Tally { frames: 3, bytes: 4 } };
        State {
            gateway: "up0 srv1".into(),
            ageing: [("vxlan 100".to_owned(), 300)].into(),
            known: Known {
                segments: vec!["vxlan 100".into()],
                places: vec!["srv1 10 vxlan 100".into(), "vxlan 10.0.0.12".into()],
                macs: vec![([2, 0, 0, 0, 0, 1], 0, 0), ([2, 0, 0, 0, 0, 10], 0, 1)],
            },
            statistics: Statistics {
                ports: [("srv1".to_owned(), port)].into(),
                segments: [("vxlan 100".to_owned(), flow)].into(),
                places: HashMap::new(),
            },
        }
    }

    fn place(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("causeway-{}-state-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_stays() {
        let folder = place("whole");
        let path = folder.join("gw.state");
        assert_eq!(read(&path), Ok(None));
        for _ in 0..2 {
            write(&path, &state()).expect("it can be written");
            assert_eq!(read(&path), Ok(Some(state())));
        }
        assert_eq!(fs::read_dir(&folder).expect("ours").count(), 1);
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn a_byte_more_less_or_other_is_damage() {
        let folder = place("damaged");
        let path = folder.join("gw.state");
        write(&path, &state()).expect("it can be written");
        let good = fs::read(&path).expect("the file");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            // (The checksum may be in capitals.)
            assert!(decode(&bad).is_err() || decode(&bad) == Ok(state()), "byte {at}");
            assert!(decode(&bad).is_err() || bad[at].is_ascii_uppercase(), "byte {at}");
            assert!(decode(&good[..at]).is_err(), "cut at {at}");
        }
        assert!(decode(&[&good[..], b"x"].concat()).is_err());
        assert!(decode(b"").is_err());
        let newer = String::from_utf8_lossy(&good).replacen("state 1", "state 2", 1).into_bytes();
        assert!(decode(&newer).expect_err("newer").contains("another version"));
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn a_folder_that_cannot_be_written_keeps_the_old_file() {
        let path = std::path::Path::new("/proc/causeway/gw.state");
        assert!(write(path, &state()).is_err());
        let folder = place("full");
        let path = folder.join("gw.state");
        // A name in the way stands for a disk that does not take the new file.
        write(&path, &state()).expect("it can be written");
        fs::create_dir(folder.join("gw.new")).expect("ours");
        assert!(write(&path, &State::default()).is_err());
        assert_eq!(read(&path), Ok(Some(state())));
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn what_is_no_file_is_not_read_and_gives_way() {
        let folder = place("odd");
        let path = folder.join("gw.state");
        std::os::unix::fs::symlink("/dev/zero", &path).expect("ours");
        assert_eq!(read(&path), Err("it is no file".into()));
        write(&path, &state()).expect("it can be written");
        assert_eq!(read(&path), Ok(Some(state())));
        fs::remove_dir_all(folder).expect("ours");
    }
}
