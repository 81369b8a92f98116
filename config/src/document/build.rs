//! The tree, from the events of a YAML parser.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::brackets;
use super::runs::{self, Item, Runs};
use super::{At, Document, Mark, Node, Piece, Shape, Step};
use crate::notes::Notes;
use crate::problem::Severity;
use crate::reader::excerpt;

/// Nesting that no sensible file reaches.
const DEEPEST: usize = 32;
/// Values of a file, at most: two million static MACs. One takes some fifty bytes, and two bytes of a file may make one.
const MOST_VALUES: usize = 8 << 20;
/// Keys of a mapping that no sensible file reaches: none knows a tenth of them.
const MOST_KEYS: u32 = 1000;
/// Nodes copied by aliases, which no sensible file reaches; aliases of aliases would.
const MOST_COPIES: usize = 1_000_000;

/// Fills an empty document with the tree of its text.
///
/// Long runs of small items are read apart from the parser. Whatever is odd about the file, the parser gets all of it: what
/// it says of errors does not depend on the short way.
pub(super) fn build(document: Document) -> (Document, Notes) {
    let (short, runs) = runs::take_out(&document.text);
    let mut builder = Builder::new(document);
    if runs.is_empty() || builder.run(&short, &runs).is_none() || builder.taken < runs.len() {
        return whole(builder.emptied());
    }
    (builder.document, builder.notes)
}

/// The same by the parser alone.
pub(super) fn whole(document: Document) -> (Document, Notes) {
    let text = document.text.clone();
    let mut builder = Builder::new(document);
    if builder.run(&text, &Runs::default()).is_none() {
        builder.document.root = None;
    }
    (builder.document, builder.notes)
}

/// A list or mapping whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    key: Option<(Piece, Mark)>,
    last: Option<At>,
    children: u32,
}

struct Builder {
    document: Document,
    open: Vec<Open>,
    anchors: HashMap<usize, At>,
    copies: usize,
    notes: Notes,
    /// Runs that have found their place.
    taken: usize,
    /// Values that there may be, at most.
    room: usize,
}

impl Builder {
    fn new(document: Document) -> Self {
        Self {
            document,
            open: Vec::new(),
            anchors: HashMap::new(),
            copies: 0,
            notes: Notes::default(),
            taken: 0,
            room: MOST_VALUES,
        }
    }

    /// The document as it was before.
    fn emptied(self) -> Document {
        let mut document = self.document;
        document.nodes.clear();
        document.text.truncate(document.file_len);
        document.root = None;
        document
    }

    /// Reads `text`, from which `runs` are taken out. `None` after a problem that leaves no tree.
    fn run(&mut self, text: &str, runs: &Runs) -> Option<()> {
        if let Some((line, column)) = brackets::too_long(text) {
            let mark = Mark { line: runs.line(line) as u32, column: column as u32, width: 1 };
            let rule = "a list or mapping in brackets of more than 8 MiB";
            return self.refuse(mark, rule, "write long lists with a dash and a line for each item");
        }
        for event in Parser::new_from_str(text) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    let mark = Mark::new(Span::empty(*error.marker()), runs);
                    let rule = format!("this is not YAML: {}", error.info());
                    return self.refuse(mark, &rule, "check indentation, brackets and quotes here and just above");
                }
            };
            self.event(event, Mark::new(span, runs), runs)?;
        }
        Some(())
    }

    fn event(&mut self, event: Event<'_>, mark: Mark, runs: &Runs) -> Option<()> {
        match event {
            Event::DocumentStart(_) if self.document.root.is_some() => {
                self.refuse(mark, "a second document begins here", "keep one document per file, without '---' inside")
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(tag.is_some(), mark)?;
                let plain = style == ScalarStyle::Plain;
                let mark = mark.around(&text, plain);
                let piece = self.piece(&text)?;
                if self.wants_key() {
                    return self.key(piece, mark);
                }
                let at = self.add(mark, Shape::Scalar { text: piece, plain })?;
                self.anchor(anchor, at);
                Some(())
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Shape::Sequence { first: At::NONE }, anchor, tag.is_some(), mark)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Shape::Mapping { first: At::NONE }, anchor, tag.is_some(), mark)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                None => Some(()),
                Some(open) => {
                    self.anchor(open.anchor, open.at);
                    self.follow(open.at, runs)
                }
            },
            Event::Alias(_) if self.wants_key() => self.refuse(mark, "an alias as a key", "write the key out"),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&original) => self.copy(original, 0),
                None => self.refuse(mark, "an alias to a value that contains it", "write the value out"),
            },
            _ => Some(()),
        }
    }

    /// Adds the run that was taken out behind the item that has just ended.
    fn follow(&mut self, item: At, runs: &Runs) -> Option<()> {
        let mark = self.document.node(item).mark;
        let Some(run) = runs.get(self.taken).filter(|run| (run.line, run.column) == (mark.line, mark.column)) else {
            return Some(());
        };
        let Some(Shape::Sequence { .. }) = self.open.last().map(|open| self.document.node(open.at).shape) else {
            return Some(());
        };
        self.taken += 1;
        let mut place = run.begin();
        while let Some(item) = runs::next(&self.document.text, &mut place) {
            match item {
                Item::Begin(mark) => self.begin(Shape::Mapping { first: At::NONE }, 0, false, mark)?,
                Item::Pair { key, value, plain } => {
                    self.key(key.0, key.1)?;
                    self.add(value.1, Shape::Scalar { text: value.0, plain })?;
                }
                Item::End => _ = self.open.pop(),
            }
        }
        Some(())
    }

    /// Keeps a word behind the file's text.
    fn piece(&mut self, word: &str) -> Option<Piece> {
        let text = &mut self.document.text;
        let piece = Piece { from: u32::try_from(text.len()).ok()?, len: u32::try_from(word.len()).ok()? };
        text.push_str(word);
        Some(piece)
    }

    fn anchor(&mut self, anchor: usize, at: At) {
        // The parser numbers anchors from 1; 0 is none.
        if anchor != 0 {
            self.anchors.insert(anchor, at);
        }
    }

    /// True when the next event is a key of the innermost mapping.
    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| {
            open.key.is_none() && matches!(self.document.node(open.at).shape, Shape::Mapping { .. })
        })
    }

    fn begin(&mut self, shape: Shape, anchor: usize, tagged: bool, mark: Mark) -> Option<()> {
        self.untagged(tagged, mark)?;
        if self.wants_key() {
            return self.refuse(mark, "a list or mapping as a key", "use a word as the key");
        }
        if self.open.len() >= DEEPEST {
            return self.refuse(mark, "nested too deeply", "nothing in a configuration needs that");
        }
        let at = self.add(mark.short(), shape)?;
        self.open.push(Open { at, anchor, key: None, last: None, children: 0 });
        Some(())
    }

    fn key(&mut self, key: Piece, mark: Mark) -> Option<()> {
        if self.document.word(key) == "<<" {
            return self.refuse(mark, "merge keys are not supported", "write the keys out, or alias a whole value");
        }
        let open = self.open.last_mut()?;
        if open.children >= MOST_KEYS {
            return self.refuse(mark, "more keys than anything here knows", "remove those that mean nothing");
        }
        open.key = Some((key, mark));
        Some(())
    }

    /// A new node in its place in the innermost open list or mapping.
    fn add(&mut self, mark: Mark, shape: Shape) -> Option<At> {
        if self.document.nodes.len() >= self.room {
            let rule = format!("more than {} values", self.room);
            return self.refuse(mark, &rule, "nothing in a configuration needs so many").and(None);
        }
        let at = At(u32::try_from(self.document.nodes.len()).ok()?);
        let Some(open) = self.open.last_mut() else {
            self.document.root = Some(at);
            self.document.nodes.push(Node { parent: At::NONE, next: At::NONE, step: Step::Root, mark, shape });
            return Some(at);
        };
        let parent = open.at;
        let step = match (self.document.node(parent).shape, open.key.take()) {
            (Shape::Sequence { .. }, _) => Step::Index(open.children),
            (Shape::Mapping { .. }, Some((key, mark))) => Step::Key(key, mark),
            _ => return None,
        };
        self.document.nodes.push(Node { parent, next: At::NONE, step, mark, shape });
        if !self.is_second(parent, step) {
            self.link(parent, at);
        }
        Some(at)
    }

    /// Notes a key that its mapping has already; its value is in no list.
    fn is_second(&mut self, parent: At, step: Step) -> bool {
        let Step::Key(key, mark) = step else { return false };
        let document = &self.document;
        let key = document.word(key);
        let Some(first) = document.entries(parent).find(|entry| entry.key == key) else { return false };
        self.notes.note(Severity::Error, || {
            let rule = format!("'{}' is given twice, first in line {}", excerpt(key), first.mark.line());
            document.key_problem(parent, key, Some(mark), rule, "keep one".to_owned())
        });
        true
    }

    /// Makes a node the last child of the innermost open list or mapping, which is `parent`.
    fn link(&mut self, parent: At, at: At) {
        let Some(open) = self.open.last_mut() else { return };
        let nodes = &mut self.document.nodes;
        match open.last.replace(at) {
            Some(last) => nodes[last.0 as usize].next = at,
            None => match &mut nodes[parent.0 as usize].shape {
                Shape::Sequence { first } | Shape::Mapping { first } => *first = at,
                Shape::Scalar { .. } => {}
            },
        }
        open.children += 1;
    }

    /// The subtree at `original` once more, here, with the places of the original.
    fn copy(&mut self, original: At, depth: usize) -> Option<()> {
        let &Node { mark, shape, .. } = self.document.node(original);
        self.copies += 1;
        if self.copies > MOST_COPIES {
            return self.refuse(mark, "aliases make too many values", "use fewer aliases");
        }
        if depth + self.open.len() >= DEEPEST {
            return self.refuse(mark, "nested too deeply", "nothing in a configuration needs that");
        }
        let empty = match shape {
            Shape::Scalar { .. } => return self.add(mark, shape).map(|_| ()),
            Shape::Sequence { .. } => Shape::Sequence { first: At::NONE },
            Shape::Mapping { .. } => Shape::Mapping { first: At::NONE },
        };
        let children: Vec<At> = self.document.children(original).collect();
        let at = self.add(mark, empty)?;
        self.open.push(Open { at, anchor: 0, key: None, last: None, children: 0 });
        for child in children {
            if let Step::Key(key, mark) = self.document.node(child).step {
                self.open.last_mut()?.key = Some((key, mark));
            }
            self.copy(child, depth + 1)?;
        }
        self.open.pop();
        Some(())
    }

    fn untagged(&mut self, tagged: bool, mark: Mark) -> Option<()> {
        if tagged { self.refuse(mark, "YAML tags have no meaning here", "remove the word with '!'") } else { Some(()) }
    }

    /// Notes a problem that ends the reading.
    fn refuse(&mut self, mark: Mark, rule: &str, cure: &str) -> Option<()> {
        let path = self.open.last().map(|open| self.document.path(open.at)).unwrap_or_default();
        let document = &self.document;
        let problem = || document.place(Severity::Error, mark, path, rule.to_owned(), cure.to_owned());
        self.notes.note(Severity::Error, problem);
        None
    }
}

impl Mark {
    fn new(span: Span, runs: &Runs) -> Self {
        let width = if span.start.line() == span.end.line() { span.len() } else { 1 };
        let line = runs.line(span.start.line().max(1));
        Self { line: line as u32, column: span.start.col() as u32 + 1, width: width.max(1) as u32 }
    }

    /// Lists and mappings are pointed at, not underlined.
    fn short(self) -> Self {
        Self { width: 1, ..self }
    }

    /// A plain scalar underlined as long as its text.
    fn around(self, text: &str, plain: bool) -> Self {
        if plain { Self { width: text.chars().count().max(1) as u32, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_values_than_any_configuration_needs_are_refused() {
        let text = "ports: [1, 2, 3, 4, 5]\n";
        let read = |room| {
            let (mut document, _) = Document::parse("t.yaml", String::new());
            document.file_len = text.len();
            document.text = text.to_owned();
            let mut builder = Builder { room, ..Builder::new(document) };
            let done = builder.run(text, &Runs::default());
            (done, builder.notes.into_problems("t.yaml"))
        };
        // The mapping, the list, five numbers.
        assert_eq!(read(7), (Some(()), vec![]));
        let (done, problems) = read(6);
        assert_eq!(done, None);
        assert!(problems[0].to_string().starts_with("t.yaml:1:21: ports: more than 6 values; "), "{}", problems[0]);
    }
}
