//! The forwarding table of one core: (segment, MAC) to endpoint.
//!
//! Cache-line buckets of four entries; a key lives in one of two buckets (cuckoo hashing), so a lookup touches one line,
//! seldom two. Key and value are one word each: compared in one instruction, read and written whole. The size is fixed
//! when the table is made; nothing here allocates afterwards.

use std::num::NonZeroU64;

use super::endpoint::{EndpointId, Place};
use super::segment::SegmentId;
use crate::pages::Pages;
use crate::prefetch::prefetch;

/// Segment (upper 16 bits) and MAC (lower 48 bits, first byte on the wire highest).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FdbKey(u64);

impl FdbKey {
    /// The key of a MAC in a segment.
    #[inline]
    pub const fn new(segment: SegmentId, mac: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = mac;
        Self((segment.0 as u64) << 48 | u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// From the MAC as a number (upper 16 bits zero).
    #[inline]
    pub const fn from_word(segment: SegmentId, mac: u64) -> Self {
        Self((segment.0 as u64) << 48 | mac)
    }

    /// The segment.
    #[inline]
    pub const fn segment(self) -> SegmentId {
        SegmentId((self.0 >> 48) as u16)
    }

    /// The MAC as a number, below the segment.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The MAC.
    pub const fn mac(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }
}

impl std::fmt::Debug for FdbKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.segment().0, config::types::Mac(self.mac()))
    }
}

/// Who says so; a higher one is never overwritten by a lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Origin {
    /// Learned by this core just now; control has not ruled yet.
    Fresh = 0,
    /// Learned, and ruled by control.
    Learned = 1,
    /// From a controller (EVPN, OVSDB).
    Controller = 2,
    /// From the operator.
    Static = 3,
}

/// Where a MAC is, in one word: endpoint 24 bits, generation 8, origin 2, age mark 4; bit 63 tells it from nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FdbEntry(NonZeroU64);

impl FdbEntry {
    /// An entry with age mark 0.
    #[inline]
    pub fn new(endpoint: EndpointId, generation: u8, origin: Origin) -> Self {
        Self::at(Place::new(endpoint, generation), origin)
    }

    /// The same of a place.
    #[inline(always)]
    pub fn at(place: Place, origin: Origin) -> Self {
        Self::from_word(u64::from(place.word()) | (origin as u64) << 32)
    }

    /// From all bits but the one that tells it from nothing.
    #[inline(always)]
    fn from_word(word: u64) -> Self {
        const VALID: NonZeroU64 = NonZeroU64::new(1 << 63).unwrap();
        Self(VALID | word)
    }

    /// The endpoint.
    #[inline]
    pub const fn endpoint(self) -> EndpointId {
        self.place().endpoint()
    }

    /// The generation that the endpoint had.
    #[inline]
    pub const fn generation(self) -> u8 {
        self.place().generation()
    }

    /// Endpoint and generation together, to compare with another entry's.
    #[inline(always)]
    pub const fn place(self) -> Place {
        Place::from_word(self.0.get() as u32)
    }

    /// Who says so.
    #[inline]
    pub const fn origin(self) -> Origin {
        match self.0.get() >> 32 & 3 {
            0 => Origin::Fresh,
            1 => Origin::Learned,
            2 => Origin::Controller,
            _ => Origin::Static,
        }
    }

    /// True for entries that a frame may move: fresh and learned ones.
    #[inline]
    pub const fn is_learned(self) -> bool {
        self.0.get() >> 33 & 1 == 0
    }

    /// The age epoch (0 to 15) in which the entry was last used as a source.
    #[inline]
    pub const fn mark(self) -> u8 {
        (self.0.get() >> 34 & 15) as u8
    }

    /// True for an entry of this place that was used in this age epoch (0 to 15).
    #[inline(always)]
    pub fn is_at(self, place: Place, mark: u8) -> bool {
        let wanted = u64::from(place.word()) | u64::from(mark) << 34;
        (self.0.get() ^ wanted) & (0xffff_ffff | 15 << 34) == 0
    }

    /// The same with another age mark (0 to 15).
    #[inline]
    pub fn marked(self, mark: u8) -> Self {
        Self::from_word(self.0.get() & !(15 << 34) | u64::from(mark & 15) << 34)
    }
}

impl std::fmt::Debug for FdbEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "endpoint {}.{} {:?} mark {}", self.endpoint().0, self.generation(), self.origin(), self.mark())
    }
}

const WAYS: usize = 4;

/// The key of a vacant way: a broadcast address, which is never an entry.
const VACANT: u64 = u64::MAX;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    keys: [u64; WAYS],
    /// 0 where the way is vacant.
    entries: [u64; WAYS],
}

impl Bucket {
    const EMPTY: Self = Self { keys: [VACANT; WAYS], entries: [0; WAYS] };

    /// The entry of a key, 0 without one. Which way it is cannot be foretold: without the hint the compiler makes a branch
    /// of each comparison, as it takes the entries for costly to load, and one wrong guess costs more than all of this.
    #[inline(always)]
    fn entry(&self, key: FdbKey) -> u64 {
        let mut found = 0;
        for (&held, &entry) in self.keys.iter().zip(&self.entries) {
            found = std::hint::select_unpredictable(held == key.0, entry, found);
        }
        found
    }

    fn way(&self, key: FdbKey) -> Option<usize> {
        self.keys.iter().position(|&held| held == key.0)
    }
}

/// There was no room for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The forwarding table of one core.
pub struct Fdb {
    /// A power of two of them.
    buckets: Pages<Bucket>,
    len: usize,
}

/// Taken places of a table, in percent, that has as many MACs as it was made for. At 50 one key in 25 is in its second home,
/// at 80 one in five: their lines come late, and which they are no branch predictor knows.
const LOAD: usize = 50;

/// How many entries an insertion may push on to their other bucket.
const PUSHES: usize = 64;

impl Fdb {
    /// A table with room for `macs` MACs at a load of at most `LOAD`: 32 bytes a MAC where their number is a power of two,
    /// else up to twice that; in huge pages where it is large. They are on the node of the thread that makes it.
    pub fn with_room(macs: usize) -> Self {
        let buckets = (macs.max(1) * 100 / LOAD).div_ceil(WAYS).next_power_of_two();
        Self { buckets: Pages::of(Bucket::EMPTY, buckets), len: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }

    /// A number in which every bit of the key has a say in every other: both halves of one wide product, folded.
    #[inline(always)]
    fn hash(key: FdbKey) -> u64 {
        let wide = u128::from(key.0) * 0x9e37_79b9_7f4a_7c15_u128;
        wide as u64 ^ (wide >> 64) as u64
    }

    /// The home of those that found no room in the first, which a hash chooses itself. An odd distance: it differs when
    /// there are two buckets or more.
    #[inline(always)]
    fn second(hash: u64) -> usize {
        hash as usize ^ ((hash >> 32) as usize | 1)
    }

    fn homes(&self, key: FdbKey) -> (usize, usize) {
        let (hash, mask) = (Self::hash(key), self.buckets.len() - 1);
        (hash as usize & mask, Self::second(hash) & mask)
    }

    /// Fetches the line that a lookup of `key` reads first.
    #[inline(always)]
    pub fn prefetch(&self, key: FdbKey) {
        prefetch(self.buckets.chosen_by(Self::hash(key) as usize));
    }

    fn place(&self, key: FdbKey) -> Option<(usize, usize)> {
        let (first, second) = self.homes(key);
        if let Some(way) = self.buckets[first].way(key) {
            return Some((first, way));
        }
        self.buckets[second].way(key).map(|way| (second, way))
    }

    /// The entry of `key`.
    #[inline(always)]
    pub fn find(&self, key: FdbKey) -> Option<FdbEntry> {
        let hash = Self::hash(key);
        let mut found = self.buckets.chosen_by(hash as usize).entry(key);
        if found == 0 {
            found = self.buckets.chosen_by(Self::second(hash)).entry(key);
        }
        NonZeroU64::new(found).map(FdbEntry)
    }

    /// Changes the entry of `key`, if there is one.
    pub fn set(&mut self, key: FdbKey, entry: FdbEntry) -> bool {
        let Some((bucket, way)) = self.place(key) else { return false };
        self.buckets[bucket].entries[way] = entry.0.get();
        true
    }

    /// Adds or changes an entry.
    ///
    /// # Errors
    ///
    /// [`Full`] when both homes are and nothing could be pushed on; the table is as before.
    pub fn insert(&mut self, key: FdbKey, entry: FdbEntry) -> Result<(), Full> {
        if self.set(key, entry) {
            return Ok(());
        }
        let (first, second) = self.homes(key);
        for bucket in [first, second] {
            if let Some(way) = self.vacancy(bucket) {
                self.put(bucket, way, key.0, entry.0.get());
                self.len += 1;
                return Ok(());
            }
        }
        // A walk that ends in a circle says nothing of the others.
        for (bucket, start) in (0..WAYS).flat_map(|way| [(first, way), (second, way)]) {
            if self.push_on(bucket, start).is_ok()
                && let Some(way) = self.vacancy(bucket)
            {
                self.put(bucket, way, key.0, entry.0.get());
                self.len += 1;
                return Ok(());
            }
        }
        Err(Full)
    }

    fn vacancy(&self, bucket: usize) -> Option<usize> {
        self.buckets[bucket].entries.iter().position(|&entry| entry == 0)
    }

    fn put(&mut self, bucket: usize, way: usize, key: u64, entry: u64) {
        self.buckets[bucket].keys[way] = key;
        self.buckets[bucket].entries[way] = entry;
    }

    /// Frees a way of `bucket`: finds a chain of entries, from way `start` on, that each can move to their other home, then
    /// moves them from its far end, so that every key can be found at every moment.
    fn push_on(&mut self, bucket: usize, start: usize) -> Result<(), Full> {
        let mut chain = [(0usize, 0usize); PUSHES];
        let mut at = bucket;
        for step in 0..PUSHES {
            let way = (start + step) % WAYS;
            chain[step] = (at, way);
            let next = self.other_home(at, way);
            if let Some(free) = self.vacancy(next) {
                let mut target = (next, free);
                for &(bucket, way) in chain[..=step].iter().rev() {
                    // A chain that crosses itself moves an entry twice; its other home is then not the target.
                    if self.other_home(bucket, way) != target.0 {
                        return Err(Full);
                    }
                    let Bucket { keys, entries } = self.buckets[bucket];
                    self.put(target.0, target.1, keys[way], entries[way]);
                    self.put(bucket, way, VACANT, 0);
                    target = (bucket, way);
                }
                return Ok(());
            }
            at = next;
        }
        Err(Full)
    }

    fn other_home(&self, bucket: usize, way: usize) -> usize {
        let (first, second) = self.homes(FdbKey(self.buckets[bucket].keys[way]));
        if first == bucket { second } else { first }
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: FdbKey) -> Option<FdbEntry> {
        let (bucket, way) = self.place(key)?;
        let entry = NonZeroU64::new(self.buckets[bucket].entries[way]).map(FdbEntry);
        self.put(bucket, way, VACANT, 0);
        self.len -= 1;
        entry
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (FdbKey, FdbEntry)> + '_ {
        self.buckets.iter().flat_map(|bucket| {
            bucket
                .keys
                .iter()
                .zip(&bucket.entries)
                .filter_map(|(&key, &entry)| Some((FdbKey(key), FdbEntry(NonZeroU64::new(entry)?))))
        })
    }
}

impl std::fmt::Debug for Fdb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn key(number: u64) -> FdbKey {
        FdbKey::from_word(SegmentId((number % 7) as u16), number)
    }

    #[test]
    fn it_behaves_like_a_map_up_to_its_size() {
        let mut fdb = Fdb::with_room(10_000);
        let mut model = HashMap::new();
        let mut random = 88172645463325252u64;
        for step in 0..60_000u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let key = key(random % 12_000 + 1);
            if random >> 40 & 3 == 0 {
                assert_eq!(fdb.remove(key), model.remove(&key));
            } else if model.len() < 10_000 || model.contains_key(&key) {
                let entry = FdbEntry::new(EndpointId(step as u32 & 0xffffff), step as u8, Origin::Learned);
                fdb.insert(key, entry).expect("there is room");
                model.insert(key, entry);
            }
            assert_eq!(fdb.len(), model.len());
        }
        for (key, entry) in &model {
            assert_eq!(fdb.find(*key), Some(*entry));
        }
        assert_eq!(fdb.iter().count(), model.len());
    }

    #[test]
    fn a_full_table_says_so_and_keeps_what_it_has() {
        let mut fdb = Fdb::with_room(8);
        let entry = FdbEntry::new(EndpointId(1), 0, Origin::Static);
        let kept: Vec<_> = (1..1000).map(key).filter(|&key| fdb.insert(key, entry).is_ok()).collect();
        assert!(kept.len() >= 8 && kept.len() <= 16, "{}", kept.len());
        assert!(kept.iter().all(|&key| fdb.find(key) == Some(entry)));
    }

    #[test]
    fn there_is_room_for_as_many_as_promised_whatever_the_addresses() {
        // Half of 65,536 buckets.
        const ROOM: u64 = 131_072;
        let entry = FdbEntry::new(EndpointId(1), 0, Origin::Learned);
        type Keys = fn(u64) -> FdbKey;
        const VENDOR: u64 = 0x0242_0000_0000;
        let kinds: [(&str, Keys); 4] = [
            ("running numbers of one vendor", |n| FdbKey::from_word(SegmentId(0), VENDOR + n)),
            ("of one vendor, then of another", |n| {
                FdbKey::from_word(SegmentId(0), VENDOR + ((n / (ROOM / 2)) << 42) + n)
            }),
            ("the same in many segments", |n| FdbKey::from_word(SegmentId((n % 16) as u16), VENDOR + (n / 16))),
            ("scattered", |n| {
                let mixed = n.wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
                FdbKey::from_word(SegmentId(0), (mixed >> 16) & !(1 << 40))
            }),
        ];
        for (name, key) in kinds {
            let mut fdb = Fdb::with_room(ROOM as usize);
            for number in 0..ROOM {
                assert_eq!(fdb.insert(key(number), entry), Ok(()), "{name}: full at {number}");
            }
            assert!((0..ROOM).all(|number| fdb.find(key(number)) == Some(entry)), "{name}: one is lost");
        }
    }

    #[test]
    fn an_entry_keeps_its_parts_apart() {
        let entry = FdbEntry::new(EndpointId(0x00ab_cdef), 0x5a, Origin::Controller).marked(9);
        assert_eq!((entry.endpoint().0, entry.generation(), entry.mark()), (0x00ab_cdef, 0x5a, 9));
        assert_eq!((entry.origin(), entry.is_learned()), (Origin::Controller, false));
        assert!(FdbEntry::new(EndpointId(1), 0, Origin::Fresh).is_learned());
        assert!(FdbEntry::new(EndpointId(1), 0, Origin::Learned).is_learned());
        assert!(!FdbEntry::new(EndpointId(1), 0, Origin::Static).is_learned());
    }
}
