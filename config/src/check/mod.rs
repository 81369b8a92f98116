//! From the tree to the model. Each part is first read by itself ([`system`], [`vtep`], [`port`], [`segment`]), with
//! the places of what others refer to; then the references are resolved ([`resolve`]), and at last, when all is right,
//! what is legal but odd is said ([`advice`]): before that, what looks odd may be what a mistake has left.

mod access;
mod advice;
mod control;
mod evpn;
mod metrics;
mod neighbours;
mod port;
mod remote;
mod resolve;
mod segment;
mod system;
mod tag;
mod vtep;

use crate::document::At;
use crate::reader::Reader;
use crate::types::Model;

/// Every section, read.
struct Draft {
    workers: crate::types::Workers,
    memory: system::MemoryDraft,
    vtep: vtep::VtepDraft,
    api: crate::types::Api,
    reload: crate::types::Reload,
    state: crate::types::State,
    fdb_size: u32,
    ports: Vec<port::PortDraft>,
    segments: Vec<segment::SegmentDraft>,
    access_lists: Vec<access::ListDraft>,
    control: control::ControlDraft,
    metrics: crate::types::Metrics,
}

/// The model. It only counts when the reader has noted no error.
pub(crate) fn model(reader: &Reader, root: At) -> Option<Model> {
    let fields = reader.fields(root)?;
    if let Some(at) = fields.need("version", "begin the file with 'version: 1'")
        && let Some(version) = reader.int(at, "a version", 0..=u64::from(u32::MAX))
        && version != 1
    {
        reader.error(at, format!("version {version} is not known to this gateway"), "use 'version: 1'");
    }
    let draft = Draft {
        workers: system::workers(reader, fields.get("workers")),
        memory: system::memory(reader, fields.get("memory")),
        vtep: vtep::read(reader, fields.get("vtep")),
        api: system::api(reader, fields.get("api")),
        reload: system::reload(reader, fields.get("reload")),
        state: system::state(reader, fields.get("state")),
        fdb_size: system::fdb_size(reader, fields.get("fdb")),
        ports: port::read_all(reader, &fields),
        segments: segment::read_all(reader, &fields),
        access_lists: access::read_all(reader, &fields),
        control: control::read(reader, fields.get("control")),
        metrics: metrics::read(reader, fields.get("metrics")),
    };
    fields.done();
    let model = resolve::model(reader, &draft);
    if !reader.has_errors() {
        advice::warn(reader, &draft, &model);
    }
    Some(model)
}

/// A value and where it stands.
type Placed<T> = (T, At);
