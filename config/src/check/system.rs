//! Workers, memory and the size of the forwarding table.

use std::time::Duration;

use super::Placed;
use crate::defaults;
use crate::document::At;
use crate::reader::{Reader, excerpt};
use crate::scalar;
use crate::types::{Api, HugePages, Idle, Reload, State, Workers};

/// The highest CPU number that we take for one.
const LAST_CORE: u64 = 1023;
/// Workers that the design carries.
const MOST_WORKERS: usize = 64;

/// Memory as the file has it; what it leaves out depends on the ports.
#[derive(Default)]
pub(super) struct MemoryDraft {
    pub(super) huge_pages: Option<HugePages>,
    pub(super) buffers: Option<u32>,
    pub(super) buffer_size: Option<Placed<u16>>,
    pub(super) file_prefix: Option<String>,
    pub(super) shared: Option<Placed<bool>>,
}

pub(super) fn workers(reader: &Reader, at: Option<At>) -> Workers {
    let mut workers = Workers {
        cores: vec![defaults::CORE],
        idle: Idle::Spin,
        burst: defaults::BURST,
        flood_copies: defaults::FLOOD_COPIES,
    };
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return workers };
    if let Some(at) = fields.get("cores") {
        workers.cores = cores(reader, at);
    }
    if let Some(idle) = fields.get("idle").and_then(|at| idle(reader, at)) {
        workers.idle = idle;
    }
    workers.burst = fields.int("burst", "a burst", 1..=64).unwrap_or(workers.burst);
    workers.flood_copies = fields.int("flood_copies", "a number of copies", 1..=65_536).unwrap_or(workers.flood_copies);
    fields.done();
    workers
}

/// Numbers and ranges like `2-5`, each core once.
fn cores(reader: &Reader, at: At) -> Vec<u16> {
    let mut cores: Vec<u16> = Vec::new();
    for item in reader.one_or_more(at) {
        let Some((first, last)) = core_range(reader, item) else { continue };
        for core in first..=last {
            if cores.contains(&core) {
                reader.error(item, format!("core {core} is given twice"), "name each core once");
                break;
            }
            cores.push(core);
        }
    }
    if cores.is_empty() && reader.one_or_more(at).is_empty() {
        reader.error(at, "no core is given", "name at least one, like [1, 2]");
    }
    if cores.len() > MOST_WORKERS {
        let rule = format!("{} workers are too many", cores.len());
        reader.error(at, rule, format!("use at most {MOST_WORKERS} cores"));
    }
    cores
}

fn core_range(reader: &Reader, at: At) -> Option<(u16, u16)> {
    let text = match reader.document.kind(at) {
        crate::document::Kind::Scalar { text, .. } => text,
        _ => "",
    };
    let Some((first, last)) = text.split_once('-').filter(|(first, _)| !first.is_empty()) else {
        let core = reader.int(at, "a core", 0..=LAST_CORE)?;
        return u16::try_from(core).ok().map(|core| (core, core));
    };
    match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last && u64::from(last) <= LAST_CORE => Some((first, last)),
        _ => reader.refuse(
            at,
            format!("'{}' is not a range of cores", excerpt(text)),
            format!("write the first and the last, like 2-5, up to {LAST_CORE}"),
        ),
    }
}

/// `spin`, `sleep`, or `{sleep: microseconds}`.
fn idle(reader: &Reader, at: At) -> Option<Idle> {
    let sleep = |micros| Idle::Sleep(Duration::from_micros(u64::from(micros)));
    if !reader.is_mapping(at) {
        return reader.word(at, &[("spin", Idle::Spin), ("sleep", sleep(defaults::IDLE_SLEEP))]);
    }
    let fields = reader.fields(at)?;
    fields.need("sleep", "write 'spin', 'sleep' or {sleep: 100} (microseconds)");
    let micros = fields.int::<u32>("sleep", "a sleep in microseconds", 1..=100_000);
    fields.done();
    micros.map(sleep)
}

pub(super) fn memory(reader: &Reader, at: Option<At>) -> MemoryDraft {
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return MemoryDraft::default() };
    let words = [("auto", HugePages::Auto), ("require", HugePages::Require), ("off", HugePages::Off)];
    let memory = MemoryDraft {
        huge_pages: fields.word("huge_pages", &words),
        buffers: fields.int("buffers", "a number of buffers", 1024..=16_777_215),
        buffer_size: fields
            .int("buffer_size", "a buffer size", 512..=16_384)
            .map(|size| (size, fields.place("buffer_size"))),
        file_prefix: fields.read("file_prefix", scalar::file_prefix).map(|(prefix, _)| prefix),
        shared: fields.bool("shared").map(|shared| (shared, fields.place("shared"))),
    };
    fields.done();
    memory
}

pub(super) fn api(reader: &Reader, at: Option<At>) -> Api {
    let mut api = Api::default();
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return api };
    api.group = fields.read("group", scalar::user_group).map(|(group, _)| group);
    api.mode = fields.read("mode", scalar::mode).map_or(api.mode, |(mode, _)| mode);
    fields.done();
    api
}

pub(super) fn reload(reader: &Reader, at: Option<At>) -> Reload {
    let mut reload = Reload::default();
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return reload };
    reload.signal = fields.bool("signal").unwrap_or(reload.signal);
    reload.watch = fields.bool("watch").unwrap_or(reload.watch);
    fields.done();
    reload
}

pub(super) fn state(reader: &Reader, at: Option<At>) -> State {
    let mut state = State::default();
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return state };
    state.directory = fields.read("directory", scalar::folder).map(|(folder, _)| folder);
    if let Some(seconds) = fields.int("every", "a time in seconds", 0..=86_400) {
        state.every = (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    fields.done();
    state
}

pub(super) fn fdb_size(reader: &Reader, at: Option<At>) -> u32 {
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return defaults::FDB_SIZE };
    let size = fields.int("size", "a size of the forwarding table", 1024..=16_777_216);
    fields.done();
    size.unwrap_or(defaults::FDB_SIZE)
}
