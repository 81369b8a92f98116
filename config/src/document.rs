//! The YAML file as a tree in which every node knows its line, its column and its path.
//!
//! serde_yaml tells a place only for the first thing that is wrong, and its values carry none; so this is built from
//! the events of a YAML 1.2 parser. Nodes lie in one list and name each other by number, and a path is only spelled
//! when somebody asks for it: a large configuration costs no more than its text.

use std::collections::HashMap;
use std::fmt::Write;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::problem::{Problem, Severity};

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At(u32);

impl At {
    /// The whole document.
    pub(crate) const ROOT: Self = Self(0);
}

/// One value of the file.
#[derive(Debug)]
pub(crate) struct Node {
    parent: Option<At>,
    step: Step,
    mark: Mark,
    pub(crate) kind: Kind,
}

/// How a node is reached from its parent.
#[derive(Clone, Debug)]
enum Step {
    Root,
    Key(String),
    Index(usize),
}

/// A place in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
    width: usize,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A word, a number, a text. `plain` is without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    Sequence(Vec<At>),
    /// Keys and values, each key once, in the order of the file.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) value: At,
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Document {
    file: String,
    lines: Vec<String>,
    nodes: Vec<Node>,
    pub(crate) root: Option<At>,
}

/// Nesting that no sensible file reaches.
const DEEPEST: usize = 32;
/// Nodes copied by aliases, which no sensible file reaches; aliases of aliases would.
const MOST_COPIES: usize = 1_000_000;

impl Document {
    /// The tree of `text`, and what is wrong with it as YAML. After a syntax error there is no root.
    pub(crate) fn parse(file: &str, text: &str) -> (Self, Vec<Problem>) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().map(str::to_owned).collect();
        let document = Self { file: file.to_owned(), lines, nodes: Vec::new(), root: None };
        let mut builder =
            Builder { document, open: Vec::new(), anchors: HashMap::new(), copies: 0, problems: Vec::new() };
        if builder.run(text).is_none() {
            builder.document.root = None;
        }
        (builder.document, builder.problems)
    }

    pub(crate) fn kind(&self, at: At) -> &Kind {
        &self.nodes[at.0 as usize].kind
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
        self.nodes[at.0 as usize].mark.line
    }

    /// The path of a node, like `ports[1].vlans[0].vni`.
    pub(crate) fn path(&self, at: At) -> String {
        let mut steps = Vec::new();
        let mut here = Some(at);
        while let Some(At(number)) = here {
            let node = &self.nodes[number as usize];
            steps.push(&node.step);
            here = node.parent;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => {}
                Step::Key(key) => push_key(&mut path, key),
                Step::Index(index) => _ = write!(path, "[{index}]"),
            }
        }
        path
    }

    /// A problem with a value.
    pub(crate) fn problem(&self, severity: Severity, at: At, rule: String, cure: String) -> Problem {
        self.place(severity, self.nodes[at.0 as usize].mark, self.path(at), rule, cure)
    }

    /// A problem with a key of the mapping `at`.
    pub(crate) fn key_problem(&self, at: At, key: &str, mark: Option<Mark>, rule: String, cure: String) -> Problem {
        let mut path = self.path(at);
        push_key(&mut path, key);
        self.place(Severity::Error, mark.unwrap_or(self.nodes[at.0 as usize].mark), path, rule, cure)
    }

    fn place(&self, severity: Severity, mark: Mark, path: String, rule: String, cure: String) -> Problem {
        Problem {
            severity,
            file: self.file.clone(),
            line: mark.line,
            column: mark.column,
            path,
            rule,
            cure,
            source: self.lines.get(mark.line - 1).cloned().unwrap_or_default(),
            width: mark.width,
        }
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// A list or mapping whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    key: Option<(String, Mark)>,
}

struct Builder {
    document: Document,
    open: Vec<Open>,
    anchors: HashMap<usize, At>,
    copies: usize,
    problems: Vec<Problem>,
}

impl Builder {
    /// `None` after a problem that leaves no tree.
    fn run(&mut self, text: &str) -> Option<()> {
        for event in Parser::new_from_str(text) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    let mark = Mark::new(Span::empty(*error.marker()));
                    let rule = format!("this is not YAML: {}", error.info());
                    return self.refuse(mark, &rule, "check indentation, brackets and quotes here and just above");
                }
            };
            self.event(event, Mark::new(span))?;
        }
        Some(())
    }

    fn event(&mut self, event: Event<'_>, mark: Mark) -> Option<()> {
        match event {
            Event::DocumentStart(_) if self.document.root.is_some() => {
                self.refuse(mark, "a second document begins here", "keep one document per file, without '---' inside")
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(tag.is_some(), mark)?;
                let plain = style == ScalarStyle::Plain;
                let mark = mark.around(&text, plain);
                if self.wants_key() {
                    return self.key(text.into_owned(), mark);
                }
                let at = self.add(mark, Kind::Scalar { text: text.into_owned(), plain })?;
                self.anchors.insert(anchor, at);
                Some(())
            }
            Event::SequenceStart(anchor, tag) => self.begin(Kind::Sequence(Vec::new()), anchor, tag.is_some(), mark),
            Event::MappingStart(anchor, tag) => self.begin(Kind::Mapping(Vec::new()), anchor, tag.is_some(), mark),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.anchors.insert(open.anchor, open.at);
                }
                Some(())
            }
            Event::Alias(_) if self.wants_key() => self.refuse(mark, "an alias as a key", "write the key out"),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&original) => self.copy(original, 0),
                None => self.refuse(mark, "an alias to a value that contains it", "write the value out"),
            },
            _ => Some(()),
        }
    }

    /// True when the next event is a key of the innermost mapping.
    fn wants_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| open.key.is_none() && matches!(self.document.kind(open.at), Kind::Mapping(_)))
    }

    fn begin(&mut self, kind: Kind, anchor: usize, tagged: bool, mark: Mark) -> Option<()> {
        self.untagged(tagged, mark)?;
        if self.wants_key() {
            return self.refuse(mark, "a list or mapping as a key", "use a word as the key");
        }
        if self.open.len() >= DEEPEST {
            return self.refuse(mark, "nested too deeply", "nothing in a configuration needs that");
        }
        let at = self.add(mark.short(), kind)?;
        self.open.push(Open { at, anchor, key: None });
        Some(())
    }

    fn key(&mut self, key: String, mark: Mark) -> Option<()> {
        if key == "<<" {
            return self.refuse(mark, "merge keys are not supported", "write the keys out, or alias a whole value");
        }
        self.open.last_mut()?.key = Some((key, mark));
        Some(())
    }

    /// A new node in its place in the innermost open list or mapping.
    fn add(&mut self, mark: Mark, kind: Kind) -> Option<At> {
        let number = self.document.nodes.len();
        let at = At(u32::try_from(number).ok()?);
        let parent = self.open.last().map(|open| open.at);
        let step = match self.open.last_mut() {
            None => {
                self.document.root = Some(at);
                Step::Root
            }
            Some(open) => match &mut self.document.nodes[open.at.0 as usize].kind {
                Kind::Sequence(items) => {
                    items.push(at);
                    Step::Index(items.len() - 1)
                }
                Kind::Mapping(entries) => {
                    let (key, key_mark) = open.key.take()?;
                    match entries.iter().find(|entry| entry.key == key).map(|entry| entry.mark.line) {
                        None => entries.push(Entry { key: key.clone(), mark: key_mark, value: at }),
                        Some(line) => {
                            let rule = format!("'{key}' is given twice, first in line {line}");
                            let cure = "keep one".to_owned();
                            let problem = self.document.key_problem(open.at, &key, Some(key_mark), rule, cure);
                            self.problems.push(problem);
                        }
                    }
                    Step::Key(key)
                }
                Kind::Scalar { .. } => return None,
            },
        };
        self.document.nodes.push(Node { parent, step, mark, kind });
        Some(at)
    }

    /// The subtree at `original` once more, here, with the places of the original.
    fn copy(&mut self, original: At, depth: usize) -> Option<()> {
        let node = &self.document.nodes[original.0 as usize];
        let mark = node.mark;
        self.copies += 1;
        if self.copies > MOST_COPIES {
            return self.refuse(mark, "aliases make too many values", "use fewer aliases");
        }
        if depth + self.open.len() >= DEEPEST {
            return self.refuse(mark, "nested too deeply", "nothing in a configuration needs that");
        }
        match &node.kind {
            Kind::Scalar { text, plain } => {
                let kind = Kind::Scalar { text: text.clone(), plain: *plain };
                self.add(mark, kind)?;
            }
            Kind::Sequence(items) => {
                let items = items.clone();
                let at = self.add(mark, Kind::Sequence(Vec::new()))?;
                self.open.push(Open { at, anchor: 0, key: None });
                for item in items {
                    self.copy(item, depth + 1)?;
                }
                self.open.pop();
            }
            Kind::Mapping(entries) => {
                let entries = entries.clone();
                let at = self.add(mark, Kind::Mapping(Vec::new()))?;
                for entry in entries {
                    self.open.push(Open { at, anchor: 0, key: Some((entry.key, entry.mark)) });
                    self.copy(entry.value, depth + 1)?;
                    self.open.pop();
                }
            }
        }
        Some(())
    }

    fn untagged(&mut self, tagged: bool, mark: Mark) -> Option<()> {
        if tagged { self.refuse(mark, "YAML tags have no meaning here", "remove the word with '!'") } else { Some(()) }
    }

    /// Notes a problem that ends the reading.
    fn refuse(&mut self, mark: Mark, rule: &str, cure: &str) -> Option<()> {
        let path = self.open.last().map(|open| self.document.path(open.at)).unwrap_or_default();
        let problem = self.document.place(Severity::Error, mark, path, rule.to_owned(), cure.to_owned());
        self.problems.push(problem);
        None
    }
}

impl Mark {
    fn new(span: Span) -> Self {
        let width = if span.start.line() == span.end.line() { span.len() } else { 1 };
        Self { line: span.start.line().max(1), column: span.start.col() + 1, width: width.max(1) }
    }

    /// Lists and mappings are pointed at, not underlined.
    fn short(self) -> Self {
        Self { width: 1, ..self }
    }

    /// A plain scalar underlined as long as its text.
    fn around(self, text: &str, plain: bool) -> Self {
        if plain { Self { width: text.chars().count().max(1), ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let (document, problems) = Document::parse("t.yaml", text);
        assert!(document.root.is_none());
        problems[0].to_string()
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "a: 1\nlist:\n  - {b: x, c: \"y z\"}\n  - 2\n";
        let (document, problems) = Document::parse("t.yaml", text);
        assert!(problems.is_empty());
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
        let (document, problems) = Document::parse("t.yaml", "a: &x {k: [1, 2]}\nb: *x\n");
        assert!(problems.is_empty());
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
