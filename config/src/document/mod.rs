//! The YAML file as a tree in which every node knows its line, its column and its path.
//!
//! serde_yaml tells a place only for the first thing that is wrong, and its values carry none; so this is built from
//! the events of a YAML 1.2 parser ([`build`]), and long lists of small items without it ([`runs`]). Nodes lie in one
//! list and name each other by number, words lie in one text, and a path is only spelled when somebody asks for it: a
//! large configuration costs no more than its text.

mod brackets;
mod build;
mod runs;

use std::cell::OnceCell;
use std::fmt::Write;

use crate::notes::Notes;
use crate::problem::{Problem, Severity};
use crate::reader::excerpt;

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At(u32);

impl At {
    /// The whole document.
    pub(crate) const ROOT: Self = Self(0);
    /// No node.
    const NONE: Self = Self(u32::MAX);

    fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// One value of the file.
#[derive(Debug)]
struct Node {
    parent: At,
    /// The next item or value of the same parent.
    next: At,
    step: Step,
    mark: Mark,
    shape: Shape,
}

/// A part of the document's text, in bytes.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: u32,
    len: u32,
}

/// How a node is reached from its parent.
#[derive(Clone, Copy, Debug)]
enum Step {
    Root,
    Key(Piece, Mark),
    Index(u32),
}

/// A place in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    line: u32,
    column: u32,
    width: u32,
}

impl Mark {
    /// The line, from 1.
    pub(crate) fn line(self) -> usize {
        self.line as usize
    }
}

/// What a node is, and where its first child lies.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Scalar { text: Piece, plain: bool },
    Sequence { first: At },
    Mapping { first: At },
}

/// What a node is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'d> {
    /// A word, a number, a text. `plain` is without quotes.
    Scalar { text: &'d str, plain: bool },
    /// A list: [`Document::items`].
    Sequence,
    /// Keys and values, each key once, in the order of the file: [`Document::entries`].
    Mapping,
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'d> {
    pub(crate) key: &'d str,
    pub(crate) mark: Mark,
    pub(crate) value: At,
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Document {
    file: String,
    /// The file, and behind it the words that stand there in another form.
    text: String,
    /// Bytes of the file itself.
    file_len: usize,
    /// Where its lines begin, once somebody asks.
    starts: OnceCell<Vec<u32>>,
    /// Whether a character is a byte, once somebody asks.
    is_ascii: OnceCell<bool>,
    nodes: Vec<Node>,
    pub(crate) root: Option<At>,
}

/// Characters of a line that a problem keeps.
const KEPT: usize = 240;

/// Bytes of a file, at most: pieces are told in 32 bits, and words may be there twice.
const LARGEST: usize = 1 << 30;

impl Document {
    /// The tree of `text`, and what is wrong with it as YAML. After a syntax error there is no root.
    pub(crate) fn parse(file: &str, mut text: String) -> (Self, Notes) {
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let file_len = text.len();
        let file = file.to_owned();
        let document = Self {
            file,
            text,
            file_len,
            starts: OnceCell::new(),
            is_ascii: OnceCell::new(),
            nodes: Vec::new(),
            root: None,
        };
        if file_len > LARGEST {
            let rule = format!("{file_len} bytes are too many");
            let mut notes = Notes::default();
            notes.note(Severity::Error, || Problem::of_file(&document.file, rule, "use at most 1 GiB"));
            return (document, notes);
        }
        build::build(document)
    }

    fn word(&self, piece: Piece) -> &str {
        let from = piece.from as usize;
        self.text.get(from..from + piece.len as usize).unwrap_or_default()
    }

    fn node(&self, at: At) -> &Node {
        &self.nodes[at.0 as usize]
    }

    pub(crate) fn kind(&self, at: At) -> Kind<'_> {
        match self.node(at).shape {
            Shape::Scalar { text, plain } => Kind::Scalar { text: self.word(text), plain },
            Shape::Sequence { .. } => Kind::Sequence,
            Shape::Mapping { .. } => Kind::Mapping,
        }
    }

    fn children(&self, at: At) -> impl Iterator<Item = At> + '_ {
        let first = match self.node(at).shape {
            Shape::Sequence { first } | Shape::Mapping { first } => first,
            Shape::Scalar { .. } => At::NONE,
        };
        std::iter::successors(first.some(), |&at| self.node(at).next.some())
    }

    /// The items of a list; nothing of others.
    pub(crate) fn items(&self, at: At) -> impl Iterator<Item = At> + '_ {
        let is_list = matches!(self.node(at).shape, Shape::Sequence { .. });
        self.children(at).filter(move |_| is_list)
    }

    /// The keys and values of a mapping; nothing of others.
    pub(crate) fn entries(&self, at: At) -> impl Iterator<Item = Entry<'_>> + '_ {
        self.children(at).filter_map(|value| match self.node(value).step {
            Step::Key(key, mark) => Some(Entry { key: self.word(key), mark, value }),
            Step::Root | Step::Index(_) => None,
        })
    }

    /// True when the node is just this word.
    pub(crate) fn is_word(&self, at: At, word: &str) -> bool {
        matches!(self.kind(at), Kind::Scalar { text, .. } if text == word)
    }

    /// True when the node is text that begins like a number.
    pub(crate) fn starts_with_digit(&self, at: At) -> bool {
        matches!(self.kind(at), Kind::Scalar { text, .. } if text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    }

    /// The line of a node, for "first given in line 7".
    pub(crate) fn line(&self, at: At) -> usize {
        self.node(at).mark.line()
    }

    /// The path of a node, like `ports[1].vlans[0].vni`.
    pub(crate) fn path(&self, at: At) -> String {
        let mut steps = Vec::new();
        let mut here = Some(at);
        while let Some(at) = here {
            let node = self.node(at);
            steps.push(node.step);
            here = node.parent.some();
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => {}
                Step::Key(key, _) => push_key(&mut path, self.word(key)),
                Step::Index(index) => _ = write!(path, "[{index}]"),
            }
        }
        path
    }

    /// A problem with a value.
    pub(crate) fn problem(&self, severity: Severity, at: At, rule: String, cure: String) -> Problem {
        self.place(severity, self.node(at).mark, self.path(at), rule, cure)
    }

    /// A problem with a key of the mapping `at`.
    pub(crate) fn key_problem(&self, at: At, key: &str, mark: Option<Mark>, rule: String, cure: String) -> Problem {
        let mut path = self.path(at);
        push_key(&mut path, key);
        self.place(Severity::Error, mark.unwrap_or(self.node(at).mark), path, rule, cure)
    }

    fn place(&self, severity: Severity, mark: Mark, path: String, rule: String, cure: String) -> Problem {
        let (skipped, source) = self.source(mark);
        Problem {
            severity,
            line: mark.line(),
            column: mark.column as usize,
            path,
            source: source.to_owned(),
            skipped,
            width: mark.width as usize,
            ..Problem::of_file(&self.file, rule, cure)
        }
    }

    /// What is around a place in its line, without the line's end, and how many characters of the line come before that.
    fn source(&self, mark: Mark) -> (usize, &str) {
        let line = self.rest_of(mark.line());
        let is_short = line.len() <= KEPT || line.as_bytes()[..KEPT].contains(&b'\n');
        let skipped = if is_short { 0 } else { (mark.column as usize).saturating_sub(KEPT / 2) };
        let is_ascii = *self.is_ascii.get_or_init(|| self.text.as_bytes()[..self.file_len].is_ascii());
        let from = if is_ascii { Some(skipped) } else { line.char_indices().nth(skipped).map(|(from, _)| from) };
        let rest = from.and_then(|from| line.get(from..)).unwrap_or_default();
        let end = rest.char_indices().take(KEPT).take_while(|(_, c)| *c != '\n').last();
        let shown = &rest[..end.map_or(0, |(at, c)| at + c.len_utf8())];
        (skipped, shown.strip_suffix('\r').unwrap_or(shown))
    }

    /// The file from a line on, counted from 1.
    fn rest_of(&self, line: usize) -> &str {
        let starts = self.starts.get_or_init(|| {
            let ends = self.text.as_bytes()[..self.file_len].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at as u32 + 1)).collect()
        });
        let from = line.checked_sub(1).and_then(|index| starts.get(index)).map_or(self.file_len, |&at| at as usize);
        self.text.get(from..self.file_len).unwrap_or_default()
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&excerpt(key));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let (document, problems) = Document::parse("t.yaml", text.to_owned());
        assert!(document.root.is_none());
        problems.into_problems("t.yaml")[0].to_string()
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "a: 1\nlist:\n  - {b: x, c: \"y z\"}\n  - 2\n";
        let (document, problems) = Document::parse("t.yaml", text.to_owned());
        assert!(problems.into_problems("t.yaml").is_empty());
        let mut seen = Vec::new();
        for (number, node) in document.nodes.iter().enumerate() {
            let path = document.path(At(number as u32));
            seen.push(format!("{path}@{}:{}+{}", node.mark.line, node.mark.column, node.mark.width));
        }
        let expected = [
            "@1:1+1",
            "a@1:4+1",
            "list@3:3+1",
            "list[0]@3:5+1",
            "list[0].b@3:9+1",
            "list[0].c@3:15+5",
            "list[1]@4:5+1",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn aliases_stand_for_their_value() {
        let (document, problems) = Document::parse("t.yaml", "a: &x {k: [1, 2]}\nb: *x\n".to_owned());
        assert!(problems.into_problems("t.yaml").is_empty());
        let paths: Vec<_> = (0..document.nodes.len()).map(|n| document.path(At(n as u32))).collect();
        assert!(paths.contains(&"b.k[1]".to_owned()), "{paths:?}");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        assert!(refused("a: [1, 2\nb: 3\n").contains("not YAML"));
        assert!(refused("a: 1\n---\nb: 1\n").starts_with("t.yaml:2:1: a second document"));
        assert!(refused("a: !!str 1\n").contains("tags"));
        assert!(refused("? [a]\n: 1\n").contains("as a key"));
        assert!(refused("a: &x [*x]\n").contains("contains it"));
        assert!(refused("a: {<<: {b: 1}}\n").contains("merge keys"));
        assert!(refused(&format!("{}{}", "[".repeat(40), "]".repeat(40))).contains("nested too deeply"));
    }

    #[test]
    fn aliases_of_aliases_end() {
        let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for n in 1..12 {
            let item = format!("*a{}", n - 1);
            text += &format!("a{n}: &a{n} [{}]\n", vec![item; 10].join(", "));
        }
        assert!(refused(&text).contains("too many values"));
    }
}
