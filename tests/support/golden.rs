//! Golden files: what they say, and running them. `tests/golden/README.md` has the format.

use std::collections::BTreeMap;
use std::fmt::Write;

use gateway::frame::{Checked, RxMeta};

use super::site::{Setup, Site};
use super::{hex, notation};

/// A golden file.
#[derive(Clone, Debug, Default)]
pub struct Golden {
    /// What it shows; further lines say why.
    pub sentence: String,
    pub notes: Vec<String>,
    /// Numbers of CONFORMANCE.
    pub covers: Vec<String>,
    pub config: String,
    pub steps: Vec<Step>,
    pub drops: BTreeMap<String, u64>,
}

/// A frame in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub way: Way,
    /// A port, or a port and `host`.
    pub place: String,
    /// What the NIC says of it: `hash=…`, `udp=good` and the like.
    pub said: Vec<String>,
    /// The readable line.
    pub notation: String,
    pub frame: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

impl Golden {
    /// Reads a file; the error says the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut golden = Self::default();
        let mut in_config = false;
        for (number, line) in text.lines().enumerate() {
            let at = |what: &str| format!("line {}: {what}: {line}", number + 1);
            if line.is_empty() {
                in_config = false;
            } else if let Some(rest) = line.strip_prefix("  ") {
                if in_config {
                    golden.config += &format!("{rest}\n");
                } else {
                    let step = golden.steps.last_mut().ok_or_else(|| at("no frame is open"))?;
                    if hex::read_line(rest, &mut step.frame).is_none() {
                        if !step.frame.is_empty() || !step.notation.is_empty() {
                            return Err(at("not a line of a hexdump"));
                        }
                        step.notation = rest.trim().to_owned();
                    }
                }
            } else if let Some(rest) = line.strip_prefix("covers ") {
                golden.covers = rest.split_whitespace().map(str::to_owned).collect();
            } else if line == "config" {
                in_config = true;
            } else if let Some(rest) = line.strip_prefix("drops ") {
                golden.drops = drops(rest).ok_or_else(|| at("write reason=count"))?;
            } else if let Some(rest) = line.strip_prefix("> ") {
                golden.steps.push(Step::new(Way::In, rest));
            } else if let Some(rest) = line.strip_prefix("< ") {
                golden.steps.push(Step::new(Way::Out, rest));
            } else if golden.covers.is_empty() && golden.sentence.is_empty() {
                golden.sentence = line.to_owned();
            } else if golden.covers.is_empty() {
                golden.notes.push(line.to_owned());
            } else {
                return Err(at("not understood"));
            }
        }
        if golden.sentence.is_empty() || golden.covers.is_empty() || golden.config.is_empty() {
            return Err("a golden has a sentence, 'covers' and 'config'".to_owned());
        }
        Ok(golden)
    }

    /// The file again, each readable line as [`notation::describe`] says it.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.sentence);
        self.notes.iter().for_each(|note| text += &format!("{note}\n"));
        _ = write!(text, "covers {}\n\nconfig\n", self.covers.join(" "));
        self.config.lines().for_each(|line| text += &format!("  {line}\n"));
        for step in &self.steps {
            let sign = if step.way == Way::In { '>' } else { '<' };
            let said: String = step.said.iter().map(|word| format!(" {word}")).collect();
            _ = write!(text, "\n{sign} {}{said}\n  {}\n", step.place, notation::describe(&step.frame));
            hex::dump(&step.frame).iter().for_each(|line| text += &format!("  {line}\n"));
        }
        let drops: Vec<String> = self.drops.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
        _ = writeln!(text, "\ndrops {}", if drops.is_empty() { "none".to_owned() } else { drops.join(" ") });
        text
    }

    /// Runs it in one way; returns the golden as it came out. Frames that come out are listed behind the one that caused
    /// them, in the order in which the file names their ports.
    pub fn run(&self, manner: Manner) -> Self {
        let mut site = Site::with(&self.config, &Setup { offloads: manner.offloads, ..Setup::default() });
        let mut came = Self { steps: Vec::new(), drops: BTreeMap::new(), ..self.clone() };
        let mut steps = self.steps.iter().peekable();
        while let Some(step) = steps.next() {
            if step.way == Way::Out {
                continue;
            }
            manner.receive(&mut site, step);
            site.run();
            came.steps.push(step.clone());
            let mut sent = site.all_sent();
            let mut expected = Vec::new();
            while let Some(step) = steps.next_if(|step| step.way == Way::Out) {
                if !expected.contains(&step.place) {
                    expected.push(step.place.clone());
                }
            }
            expected.extend(sent.keys().filter(|place| !expected.contains(place)).cloned().collect::<Vec<_>>());
            for place in expected {
                let frames = sent.remove(&place).unwrap_or_default();
                came.steps.extend(frames.into_iter().map(|frame| Step { frame, ..Step::new(Way::Out, &place) }));
            }
        }
        came.drops = site.drops().into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
        site.assert_balanced();
        came
    }

    /// What differs from what came out, for people; `None` when nothing does.
    pub fn difference(&self, came: &Self) -> Option<String> {
        let mut text = String::new();
        let line = |step: &Step| {
            let sign = if step.way == Way::In { '>' } else { '<' };
            format!("{sign} {}  {}", step.place, notation::describe(&step.frame))
        };
        for at in 0..self.steps.len().max(came.steps.len()) {
            match (self.steps.get(at), came.steps.get(at)) {
                (Some(want), Some(have))
                    if (want.way, &want.place, &want.frame) == (have.way, &have.place, &have.frame) =>
                {
                    _ = writeln!(text, "    {}", line(want));
                }
                (Some(want), Some(have)) if want.place == have.place && want.way == have.way => {
                    _ = write!(text, "  - {}\n  + {}\n", line(want), line(have));
                    text += &hex::difference(&want.frame, &have.frame);
                }
                (want, have) => {
                    want.iter().for_each(|step| text += &format!("  - {}\n", line(step)));
                    have.iter().for_each(|step| text += &format!("  + {}\n", line(step)));
                    break;
                }
            }
        }
        let frames = |golden: &Self| {
            golden.steps.iter().map(|step| (step.place.clone(), step.frame.clone())).collect::<Vec<_>>()
        };
        if frames(self) == frames(came) && self.drops == came.drops {
            return None;
        }
        if self.drops != came.drops {
            _ = write!(text, "  - drops {:?}\n  + drops {:?}\n", self.drops, came.drops);
        }
        Some(text)
    }
}

fn drops(text: &str) -> Option<BTreeMap<String, u64>> {
    if text == "none" {
        return Some(BTreeMap::new());
    }
    text.split_whitespace()
        .map(|pair| pair.split_once('=').and_then(|(k, v)| Some((k.to_owned(), v.parse().ok()?))))
        .collect()
}

impl Step {
    fn new(way: Way, head: &str) -> Self {
        let (said, place): (Vec<&str>, Vec<&str>) = head.split_whitespace().partition(|word| word.contains('='));
        let said = said.into_iter().map(str::to_owned).collect();
        Self { way, place: place.join(" "), said, notation: String::new(), frame: Vec::new() }
    }

    fn meta(&self) -> RxMeta {
        let mut meta = RxMeta::default();
        for word in &self.said {
            let checked = |what: &str| match what {
                "good" => Checked::Good,
                "bad" => Checked::Bad,
                _ => panic!("'{word}': write good or bad"),
            };
            match word.split_once('=') {
                Some(("hash", hash)) => meta.hash = Some(u32::from_str_radix(hash, 16).expect("hash in hex")),
                Some(("ip", what)) => meta.ip = checked(what),
                Some(("udp", what)) => meta.udp = checked(what),
                _ => panic!("'{word}' is not understood"),
            }
        }
        meta
    }
}

/// One way to run a golden: what comes out must be the same in each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Frames come in pieces of this size behind their headers.
    pub pieces: Option<usize>,
    /// The NIC takes the outer tag off into metadata.
    pub strips_tags: bool,
    /// The NIC fills in IPv4 checksums and inserts tags.
    pub offloads: bool,
}

impl Manner {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self { pieces: None, strips_tags: false, offloads: false },
        Self { pieces: Some(7), strips_tags: false, offloads: false },
        Self { pieces: Some(64), strips_tags: false, offloads: true },
        Self { pieces: None, strips_tags: true, offloads: false },
        Self { pieces: None, strips_tags: false, offloads: true },
        Self { pieces: Some(31), strips_tags: true, offloads: true },
    ];

    fn receive(self, site: &mut Site, step: &Step) {
        if let Some(port) = step.place.strip_suffix(" host") {
            return site.receive_from_host(port, &step.frame);
        }
        let (mut meta, mut bytes) = (step.meta(), step.frame.clone());
        if self.strips_tags && bytes.len() >= 18 && bytes[12..14] == [0x81, 0x00] {
            meta.stripped = Some(u16::from_be_bytes([bytes[14], bytes[15]]));
            bytes.drain(12..16);
        }
        // A NIC that splits frames keeps at least the headers that it knows in the first piece.
        let head = notation::headers(&bytes).max(64);
        site.receive_shaped(&step.place, &bytes, meta, |frame| match self.pieces {
            Some(piece) => frame.split(head, piece),
            None => frame,
        });
    }
}
