//! Who watches frames pass (`causeway trace`): taps for every core, and what is said of their copies.

use std::sync::Arc;

use super::Control;
use super::view::ShotView;
use crate::decode;
use crate::link::Update;
use crate::tables::SegmentId;
use crate::tap::{Fate, Filter, Reel, Shot, Stage, TAPS, Tap};

/// Memory for the copies of one watcher, in bytes; the number of buffers follows from their size.
const MEMORY: usize = 4 << 20;

/// Somebody who watches.
#[derive(Debug)]
pub struct Watcher {
    /// Tells watchers apart.
    pub id: u64,
    /// Where the copies come.
    pub reel: Arc<Reel>,
}

impl Control {
    /// Puts a tap on every core: at most `snap` bytes of each frame that fits, at most `rate` frames a second (0: all).
    ///
    /// # Errors
    ///
    /// One sentence with the cure when too many watch.
    pub fn watch(&mut self, filter: Filter, snap: usize, rate: u32) -> Result<Watcher, String> {
        if self.watchers.len() >= TAPS {
            return Err(format!("{TAPS} traces run already; end one of them"));
        }
        let reel = Arc::new(Reel::new((MEMORY / snap.max(1)).clamp(64, 4096), snap, rate));
        self.watched += 1;
        let id = self.watched;
        self.watchers.push(id);
        for core in &mut self.cores {
            core.taps.push_back(Update::Tap(Box::new(Tap::new(id, filter, snap, Arc::clone(&reel)))));
        }
        Ok(Watcher { id, reel })
    }

    /// True once every core copies for a watcher.
    pub fn is_watched(&self, watcher: &Watcher) -> bool {
        watcher.reel.taps() >= self.cores.len()
    }

    /// Takes the taps of a watcher off again.
    pub fn unwatch(&mut self, watcher: &Watcher) {
        let before = self.watchers.len();
        self.watchers.retain(|&id| id != watcher.id);
        if self.watchers.len() < before {
            self.cores.iter_mut().for_each(|core| core.taps.push_back(Update::Untap(watcher.id)));
        }
    }

    /// The number of the segment of this name.
    pub fn segment_named(&self, name: &str) -> Option<SegmentId> {
        let index = self.model.segments.iter().position(|segment| segment.name == name)?;
        self.plan.segments.get(index).copied()
    }

    /// What is said of a copy. `epoch` is the moment from which its time counts, in nanoseconds since 1970.
    pub fn view_shot(&self, shot: &Shot, epoch: u64) -> ShotView {
        let concern = shot.concern;
        let place = |id| self.spot(id).map(|spot| spot.place);
        let (from, to) = (place(concern.from), place(concern.to));
        let (event, reason) = match shot.stage {
            Stage::In(_) => ("in", None),
            Stage::Out => ("out", None),
            Stage::ToHost => ("to-host", None),
            Stage::FromHost => ("from-host", None),
            Stage::Drop(reason) => ("drop", Some(reason)),
        };
        let verdict = match shot.stage {
            Stage::In(Fate::Forwarded) => format!("forwarded to {}", to.as_deref().unwrap_or("?")),
            Stage::In(Fate::Flooded { copies, lost: 0 }) => format!("flooded, copies: {copies}"),
            Stage::In(Fate::Flooded { copies, lost }) => format!("flooded, copies: {copies}, dropped: {lost}"),
            Stage::In(Fate::Host) => "given to the Linux twin".into(),
            Stage::In(Fate::Answered) => "answered by the gateway".into(),
            Stage::In(Fate::Waits) => "waits for its turn".into(),
            Stage::Out => "sent".into(),
            Stage::ToHost => "to the Linux twin".into(),
            Stage::FromHost => "from the Linux twin".into(),
            Stage::Drop(reason) => match &to {
                Some(to) => format!("dropped on the way to {to}: {}", reason.label()),
                None => format!("dropped: {}", reason.label()),
            },
        };
        ShotView {
            time_ns: epoch + shot.at,
            event: event.into(),
            port: self.port_name(concern.port).to_owned(),
            verdict,
            reason: reason.map(|reason| reason.label().into()),
            vni: concern.segment.and_then(|id| self.segment(id)).map(|segment| segment.name.clone()),
            from,
            to,
            length: shot.len.into(),
            hex: decode::hex(&shot.bytes),
        }
    }
}
