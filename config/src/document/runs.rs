//! Long runs of small items, such as a VNI's thousand static MACs, read without the parser.
//!
//! A run is items of one list, one below the other at one indentation, each a mapping of plain keys to plain or quoted
//! words, in one line (`- {mac: "02:00:00:00:00:05", vtep: 10.0.0.12}`) or one line for each key. All but the first and
//! the last are taken out of what the parser reads, and put in where it has read the first: an item that stands between
//! two others of its indentation belongs to their list whatever is around them. Where the first is none to the parser
//! (within a text of many lines, say) its run finds no place, and the parser reads the whole file.
//!
//! What counts as an item is narrow on purpose: ASCII, no escapes, no comments, nothing that YAML reads in a special way.

use super::{Mark, Piece};

/// Items between the first and the last that are worth it.
const WORTHWHILE: usize = 4;
/// Longest line of an item: YAML has keys of at most 1024 characters.
const LONGEST: usize = 1000;

/// What was taken out, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<Run>);

/// Items that were taken out.
#[derive(Debug)]
pub(super) struct Run {
    /// Where the item before them begins.
    pub(super) line: u32,
    pub(super) column: u32,
    /// Where they begin, and how many lines they have.
    from: usize,
    first: u32,
    lines: u32,
    /// Lines taken out before the end of this run.
    total: u32,
}

/// A part of an item.
#[derive(Debug)]
pub(super) enum Item {
    Begin(Mark),
    Pair { key: (Piece, Mark), value: (Piece, Mark), plain: bool },
    End,
}

/// Where the reading of a run is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    from: usize,
    /// Within the line, in bytes.
    at: usize,
    line: u32,
    last: u32,
    column: u32,
    inside: bool,
}

impl Runs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Run> {
        self.0.get(number)
    }

    /// The line of the file that a line of the shortened text is.
    pub(super) fn line(&self, short: usize) -> usize {
        let before = self.0.partition_point(|run| (run.first - (run.total - run.lines)) as usize <= short);
        short + before.checked_sub(1).map_or(0, |last| self.0[last].total as usize)
    }
}

impl Run {
    pub(super) fn begin(&self) -> Reading {
        let Self { from, first, lines, column, .. } = *self;
        Reading { from, at: 0, line: first, last: first + lines, column, inside: false }
    }
}

/// A line that may be of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// An item of its own, or the first line of one, by the indentation of its dash.
    Whole(usize),
    First(usize),
    /// A further key, by its indentation.
    Further(usize),
    Other,
}

/// The text without the inner items of its runs, and the runs.
pub(super) fn take_out(text: &str) -> (String, Runs) {
    let mut finder = Finder { text, short: String::new(), kept: 0, runs: Vec::new(), open: None };
    let mut from = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        finder.line(kind(line), from, number);
        from += line.len();
    }
    finder.close();
    if !finder.runs.is_empty() {
        finder.short.push_str(&text[finder.kept..]);
    }
    (finder.short, Runs(finder.runs))
}

/// A run that goes on.
struct Candidate {
    indent: usize,
    /// Line and place of the first item, of the second, and of the last so far.
    first: u32,
    second: Option<(u32, usize)>,
    last: (u32, usize),
    items: usize,
    /// The last item may have further lines.
    grows: bool,
}

struct Finder<'t> {
    text: &'t str,
    short: String,
    /// Up to here the text is in `short`, or taken out.
    kept: usize,
    runs: Vec<Run>,
    open: Option<Candidate>,
}

impl Finder<'_> {
    fn line(&mut self, kind: Line, from: usize, number: u32) {
        let here = (number, from);
        match (kind, &mut self.open) {
            (Line::Whole(indent) | Line::First(indent), Some(open)) if open.indent == indent => {
                open.second.get_or_insert(here);
                open.last = here;
                open.items += 1;
                open.grows = matches!(kind, Line::First(_));
            }
            (Line::Further(indent), Some(open)) if open.grows && indent == open.indent + 2 => {}
            (Line::Whole(indent) | Line::First(indent), _) => {
                self.close();
                let grows = matches!(kind, Line::First(_));
                self.open = Some(Candidate { indent, first: number, second: None, last: here, items: 1, grows });
            }
            _ => self.close(),
        }
    }

    /// Takes out what is between the first and the last item of the run that ends here.
    fn close(&mut self) {
        let Some(Candidate { indent, first, second: Some((second, from)), last: (last, until), items, .. }) =
            self.open.take()
        else {
            return;
        };
        if items < WORTHWHILE + 2 {
            return;
        }
        self.short.push_str(&self.text[self.kept..from]);
        self.kept = until;
        let lines = last - second;
        let total = self.runs.last().map_or(0, |run| run.total) + lines;
        self.runs.push(Run { line: first, column: indent as u32 + 3, from, first: second, lines, total });
    }
}

fn kind(line: &str) -> Line {
    let Some(line) = line.strip_suffix('\n').filter(|line| line.len() <= LONGEST) else { return Line::Other };
    let bytes = line.as_bytes();
    let indent = bytes.iter().position(|&byte| byte != b' ').unwrap_or(bytes.len());
    let (dash, at) = if bytes[indent..].starts_with(b"- ") { (true, indent + 2) } else { (false, indent) };
    if dash && bytes.get(at) == Some(&b'{') {
        return if is_flow(bytes, at + 1) { Line::Whole(indent) } else { Line::Other };
    }
    match pair(bytes, at) {
        Some(pair) if pair.end == bytes.len() && dash => Line::First(indent),
        Some(pair) if pair.end == bytes.len() => Line::Further(indent),
        _ => Line::Other,
    }
}

/// True for `key: word, key: word}` to the end of the line.
fn is_flow(bytes: &[u8], mut at: usize) -> bool {
    while let Some(pair) = pair(bytes, skip(bytes, at)) {
        at = skip(bytes, pair.end);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'}') => return at + 1 == bytes.len(),
            _ => return false,
        }
    }
    false
}

fn skip(bytes: &[u8], at: usize) -> usize {
    at + bytes.iter().skip(at).take_while(|&&byte| byte == b' ').count()
}

/// A key and a word, by their places in the line.
struct Pair {
    key: (usize, usize),
    value: (usize, usize),
    plain: bool,
    /// Behind the word and its quotes.
    end: usize,
}

fn pair(bytes: &[u8], at: usize) -> Option<Pair> {
    let is_key = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    let colon = at + bytes.get(at..)?.iter().take_while(|byte| is_key(byte)).count();
    if colon == at || !bytes[at].is_ascii_lowercase() || !bytes[colon..].starts_with(b": ") {
        return None;
    }
    let from = skip(bytes, colon + 1);
    let quote = bytes.get(from).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let (value, end) = match quote {
        Some(quote) => {
            let is_inside = |byte: &&u8| (b' '..=b'~').contains(*byte) && **byte != quote && **byte != b'\\';
            let end = from + 1 + bytes[from + 1..].iter().take_while(is_inside).count();
            bytes.get(end).filter(|&&byte| byte == quote)?;
            // Two in a row are one of the text's; spaces behind it the parser underlines with it.
            if bytes.get(end + 1).is_some_and(|&next| next == quote || next == b' ') {
                return None;
            }
            ((from + 1, end), end + 1)
        }
        None => {
            let is_inside = |byte: &&u8| byte.is_ascii_alphanumeric() || b":._-/".contains(*byte);
            let end = from + bytes[from..].iter().take_while(is_inside).count();
            let ends_well = |at: usize| bytes[at].is_ascii_alphanumeric();
            if end == from || !ends_well(from) || !ends_well(end - 1) {
                return None;
            }
            ((from, end), end)
        }
    };
    Some(Pair { key: (at, colon), value, plain: quote.is_none(), end })
}

/// The next part of a run, of which every line is known to be of an item.
pub(super) fn next(text: &str, place: &mut Reading) -> Option<Item> {
    let bytes = text.as_bytes().get(place.from..)?;
    let dash = place.column as usize - 1;
    let at = place.at;
    if at == 0 {
        let begins = place.line == place.last || bytes.get(dash - 2) == Some(&b'-');
        if begins && std::mem::take(&mut place.inside) {
            return Some(Item::End);
        }
        if place.line == place.last {
            return None;
        }
        if begins {
            place.inside = true;
            place.at = if bytes.get(dash) == Some(&b'{') { dash + 1 } else { dash };
            return Some(Item::Begin(Mark { line: place.line, column: place.column, width: 1 }));
        }
        place.at = dash;
        return next(text, place);
    }
    let found = pair(&bytes[..bytes.len().min(LONGEST + 1)], skip(bytes, at))?;
    let mark = |(from, end): (usize, usize), more: usize| Mark {
        line: place.line,
        column: (from + 1 - more / 2) as u32,
        width: ((end - from + more).max(1)) as u32,
    };
    let piece = |(from, end): (usize, usize)| Piece { from: (place.from + from) as u32, len: (end - from) as u32 };
    let key = (piece(found.key), mark(found.key, 0));
    let value = (piece(found.value), mark(found.value, if found.plain { 0 } else { 2 }));
    let end = skip(bytes, found.end);
    if bytes.get(end) == Some(&b',') {
        place.at = end + 1;
    } else {
        let line = end + bytes[end..].iter().position(|&byte| byte == b'\n')? + 1;
        place.from += line;
        place.at = 0;
        place.line += 1;
    }
    Some(Item::Pair { key, value, plain: found.plain })
}

#[cfg(test)]
mod tests;
