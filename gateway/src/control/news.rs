//! What the cores have not been told yet: one list of *subjects* for all cores, and how far each core has read.
//!
//! A subject says what changed, not how: when a core is ready to hear of it, control tells it what is true by then. So
//! every core ends with the same truth however far it fell behind, an older word can never follow a newer one, and the
//! list grows with the number of things that changed, not with how often they did (CONFORMANCE L2d, CTL2).

use std::collections::VecDeque;
use std::net::IpAddr;

use super::hash::QuickMap;
use crate::tables::{EndpointId, FdbKey, SegmentId};

/// What changed. (New tables are no subject: a core always gets them before anything else.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Where a MAC is.
    Mac(FdbKey),
    /// The next hops of a tunnel.
    Hops(EndpointId),
    /// Who has an address.
    Neighbour(SegmentId, IpAddr),
    /// Whether a segment learns.
    Segment(SegmentId),
    /// Whether an endpoint learns.
    Endpoint(EndpointId),
}

/// Subjects in order, and each core's place in them.
#[derive(Debug)]
pub struct News {
    log: VecDeque<Subject>,
    /// The place of the first subject in `log`.
    first: u64,
    /// The newest place of each subject; older mentions are passed over.
    newest: QuickMap<Subject, u64>,
    /// The place that each core reads next.
    readers: Vec<u64>,
}

/// Mentions that are passed over and yet kept, at most, besides one for each subject.
const SLACK: usize = 1024;

impl News {
    /// Nothing new for any of so many cores.
    pub fn new(cores: usize) -> Self {
        Self { log: VecDeque::new(), first: 0, newest: QuickMap::default(), readers: vec![0; cores] }
    }

    /// Every core is to hear of `subject`, once more if it has already.
    pub fn add(&mut self, subject: Subject) {
        let next = self.first + self.log.len() as u64;
        let read = self.readers.iter().copied().max().unwrap_or(next);
        match self.newest.get_mut(&subject) {
            Some(place) if *place >= read => {}
            Some(place) => {
                *place = next;
                self.log.push_back(subject);
                self.compact();
            }
            None => {
                self.newest.insert(subject, next);
                self.log.push_back(subject);
            }
        }
    }

    /// The next subject for a core.
    pub fn next(&mut self, core: usize) -> Option<Subject> {
        // Nobody is behind the first subject: when this core leaves it, perhaps nobody needs it any more.
        let leaves_first = self.readers[core] == self.first;
        let found = loop {
            let place = self.readers[core];
            let Some(&subject) = self.log.get((place - self.first) as usize) else { break None };
            self.readers[core] += 1;
            if self.newest.get(&subject) == Some(&place) {
                break Some(subject);
            }
        };
        if leaves_first {
            self.trim();
        }
        found
    }

    /// A core knows everything so far.
    pub fn skip(&mut self, core: usize) {
        self.readers[core] = self.first + self.log.len() as u64;
        self.trim();
    }

    /// Upper bound of the subjects that a core has still to hear of.
    pub fn waiting(&self, core: usize) -> usize {
        self.log.len() - (self.readers[core] - self.first) as usize
    }

    /// Forgets what every core has read.
    fn trim(&mut self) {
        let read = self.readers.iter().copied().min().unwrap_or(u64::MAX);
        while self.first < read
            && let Some(subject) = self.log.pop_front()
        {
            if self.newest.get(&subject) == Some(&self.first) {
                self.newest.remove(&subject);
            }
            self.first += 1;
        }
    }

    /// Takes older mentions out of the log when they are the larger part: one core has stopped reading while others
    /// hear of the same things again and again.
    fn compact(&mut self) {
        if self.log.len() <= 2 * self.newest.len() + SLACK {
            return;
        }
        let mut kept = VecDeque::with_capacity(self.newest.len());
        let mut moved: Vec<u64> = vec![self.first; self.readers.len()];
        for (place, subject) in (self.first..).zip(std::mem::take(&mut self.log)) {
            if self.newest.get(&subject) != Some(&place) {
                continue;
            }
            for (moved, reader) in moved.iter_mut().zip(&self.readers) {
                *moved += u64::from(*reader > place);
            }
            self.newest.insert(subject, self.first + kept.len() as u64);
            kept.push_back(subject);
        }
        self.log = kept;
        self.readers = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u64) -> Subject {
        Subject::Mac(FdbKey::from_word(SegmentId(1), number))
    }

    fn read(news: &mut News, core: usize) -> Vec<Subject> {
        std::iter::from_fn(|| news.next(core)).collect()
    }

    #[test]
    fn what_changes_twice_before_it_is_heard_is_heard_once() {
        let mut news = News::new(1);
        for number in [1, 2, 1, 3, 2] {
            news.add(mac(number));
        }
        assert_eq!(read(&mut news, 0), [mac(1), mac(2), mac(3)]);
        assert_eq!((news.waiting(0), news.newest.len()), (0, 0));
    }

    #[test]
    fn every_core_hears_of_everything_at_its_own_pace() {
        let mut news = News::new(2);
        news.add(mac(1));
        news.add(mac(2));
        assert_eq!(read(&mut news, 0), [mac(1), mac(2)]);
        news.add(mac(1));
        news.add(mac(3));
        assert_eq!(read(&mut news, 1), [mac(2), mac(1), mac(3)]);
        assert_eq!(read(&mut news, 0), [mac(1), mac(3)]);
    }

    #[test]
    fn a_core_that_stops_reading_costs_one_place_for_each_subject() {
        let mut news = News::new(2);
        for round in 0..100_000 {
            news.add(mac(round % 10));
            read(&mut news, 0);
        }
        assert!(news.log.len() <= 2 * 10 + SLACK + 1, "{}", news.log.len());
        assert_eq!(news.waiting(0), 0);
        let mut heard = read(&mut news, 1);
        heard.sort_by_key(|subject| format!("{subject:?}"));
        assert_eq!(heard, (0..10).map(mac).collect::<Vec<_>>());
        assert!(news.log.is_empty());
    }
}
