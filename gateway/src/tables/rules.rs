//! Access lists, as cores read them: lists of rules, one behind the other; the first that matches decides.

use crate::wire::upper::Upper;

/// What is asked of a frame besides forwarding it. One byte of each arrival, so that the path of all others is the test of
/// one flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Duties(pub u8);

impl Duties {
    /// Access lists apply.
    pub const RULES: u8 = 1;
    /// ARP requests and neighbour solicitations are answered where the answer is known.
    pub const SUPPRESS: u8 = 2;
    /// Of a flooded frame's copies: the sender hears of one that does not fit, not of each.
    pub const QUIET: u8 = 4;

    /// True when access lists apply.
    #[inline]
    pub const fn rules(self) -> bool {
        self.0 & Self::RULES != 0
    }

    /// True when requests are answered.
    #[inline]
    pub const fn suppresses(self) -> bool {
        self.0 & Self::SUPPRESS != 0
    }

    /// True when the sender is not told what became of it.
    #[inline]
    pub const fn quiet(self) -> bool {
        self.0 & Self::QUIET != 0
    }
}

/// Number of an access list in a core's tables; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ListId(pub u16);

/// A frame as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Source and destination MAC.
    pub macs: [u64; 2],
    /// Ethertype behind all tags.
    pub ethertype: u16,
    /// The IP packet.
    pub upper: Upper,
}

/// One rule: a frame matches when everything does. A mask of zero asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Source and destination MAC.
    pub macs: [u64; 2],
    /// Their bits that count.
    pub mac_masks: [u64; 2],
    /// Source and destination address, IPv4 in the lowest 32 bits.
    pub addresses: [u128; 2],
    /// Their bits that count.
    pub address_masks: [u128; 2],
    /// First and last source port, first and last destination port; only read where `reads_ports`.
    pub ports: [(u16, u16); 2],
    /// The frame must have ports, and in those ranges: later fragments have none (RFC 1858).
    pub reads_ports: bool,
    /// Ethertype; 0 is any.
    pub ethertype: u16,
    /// IP protocol; [`Rule::ANY`] is any.
    pub protocol: u16,
    /// 4 or 6; 0 is any.
    pub family: u8,
    /// Only fragments that are not the first.
    pub fragments: bool,
    /// What happens to a frame that matches: it passes, or is dropped as denied.
    pub permit: bool,
}

impl Rule {
    /// In `protocol`: any.
    pub const ANY: u16 = u16::MAX;

    /// A rule that matches every frame.
    pub const fn all(permit: bool) -> Self {
        Self {
            macs: [0; 2],
            mac_masks: [0; 2],
            addresses: [0; 2],
            address_masks: [0; 2],
            ports: [(0, u16::MAX); 2],
            reads_ports: false,
            ethertype: 0,
            protocol: Self::ANY,
            family: 0,
            fragments: false,
            permit,
        }
    }

    /// True for a frame that the rule is about.
    #[inline]
    pub fn matches(&self, facts: &Facts) -> bool {
        let upper = &facts.upper;
        let mac = |side: usize| (facts.macs[side] ^ self.macs[side]) & self.mac_masks[side] == 0;
        let address = |side: usize| (upper.addresses[side] ^ self.addresses[side]) & self.address_masks[side] == 0;
        let port = |side: usize, port: u16| (self.ports[side].0..=self.ports[side].1).contains(&port);
        mac(0)
            && mac(1)
            && (self.ethertype == 0 || self.ethertype == facts.ethertype)
            && (self.family == 0 || self.family == upper.family)
            && (self.protocol == Self::ANY || self.protocol == upper.protocol)
            && address(0)
            && address(1)
            && (!self.fragments || upper.later_fragment)
            && (!self.reads_ports || upper.ports.is_some_and(|[source, to]| port(0, source) && port(1, to)))
    }
}

/// One list: a range of [`Rules::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct List {
    /// The first rule.
    pub first: u32,
    /// One after the last.
    pub end: u32,
    /// A rule looks at ports: fragments that hide theirs are dropped.
    pub reads_ports: bool,
}

/// All access lists. Number 0 is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The rules of all lists.
    pub rules: Vec<Rule>,
    /// For each rule the number under which its hits are counted: never used for another, however often lists change.
    pub serials: Vec<u64>,
    /// The lists.
    pub lists: Vec<List>,
}

impl Rules {
    /// The list of a number; an empty one when there is none.
    #[inline]
    pub fn list(&self, id: ListId) -> List {
        self.lists.get(usize::from(id.0)).copied().unwrap_or_default()
    }

    /// The rule of a list that decides on a frame, and its number.
    #[inline]
    pub fn decide(&self, list: List, facts: &Facts) -> Option<(usize, &Rule)> {
        let rules = self.rules.get(list.first as usize..list.end as usize)?;
        let at = rules.iter().position(|rule| rule.matches(facts))?;
        Some((list.first as usize + at, &rules[at]))
    }
}
