//! Reads values out of the tree. Nothing here stops at the first mistake: a value that is wrong is noted and left out,
//! and reading goes on.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::document::{At, Document, Kind};
use crate::notes::Notes;
use crate::problem::{Problem, Severity};
use crate::suggest::nearest;

/// The tree, and what was found wrong with it so far.
pub(crate) struct Reader {
    pub(crate) document: Document,
    notes: RefCell<Notes>,
}

impl Reader {
    pub(crate) fn new(document: Document, notes: Notes) -> Self {
        Self { document, notes: RefCell::new(notes) }
    }

    /// Everything noted, in the order of the file, called `file`.
    pub(crate) fn into_problems(self, file: &str) -> Vec<Problem> {
        self.notes.into_inner().into_problems(file)
    }

    /// Whether anything noted so far is an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.notes.borrow().has_errors()
    }

    pub(crate) fn error(&self, at: At, rule: impl Into<String>, cure: impl Into<String>) {
        self.note(Severity::Error, || self.document.problem(Severity::Error, at, rule.into(), cure.into()));
    }

    pub(crate) fn warning(&self, at: At, rule: impl Into<String>, cure: impl Into<String>) {
        self.note(Severity::Warning, || self.document.problem(Severity::Warning, at, rule.into(), cure.into()));
    }

    fn note(&self, severity: Severity, problem: impl FnOnce() -> Problem) {
        self.notes.borrow_mut().note(severity, problem);
    }

    /// "line 7", for messages that point at a second place.
    pub(crate) fn line(&self, at: At) -> String {
        format!("line {}", self.document.line(at))
    }

    /// The keys of a mapping. Close with [`Fields::done`].
    pub(crate) fn fields(&self, at: At) -> Option<Fields<'_>> {
        match self.document.kind(at) {
            Kind::Mapping => Some(Fields { reader: self, at, asked: RefCell::new(Vec::with_capacity(KEYS)) }),
            _ => self.wrong(at, "keys and values, like 'name: value'"),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self, at: At) -> Vec<At> {
        match self.document.kind(at) {
            Kind::Sequence => self.document.items(at).collect(),
            _ => self.wrong(at, "a list, like [a, b]").unwrap_or_default(),
        }
    }

    /// A list, or one item that stands for a list of one.
    pub(crate) fn one_or_more(&self, at: At) -> Vec<At> {
        match self.document.kind(at) {
            Kind::Sequence => self.document.items(at).collect(),
            _ => vec![at],
        }
    }

    pub(crate) fn is_mapping(&self, at: At) -> bool {
        matches!(self.document.kind(at), Kind::Mapping)
    }

    /// Text, quoted or not.
    pub(crate) fn text(&self, at: At) -> Option<&str> {
        match self.document.kind(at) {
            Kind::Scalar { text, plain } if !(plain && is_null(text)) => Some(text),
            _ => self.wrong(at, "text"),
        }
    }

    /// A whole number within `range`; `what` names it with its article, like "a VNI".
    pub(crate) fn int(&self, at: At, what: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let (low, high) = (*range.start(), *range.end());
        let Kind::Scalar { text, plain } = self.document.kind(at) else {
            return self.wrong(at, "a whole number");
        };
        if plain && is_null(text) {
            return self.wrong(at, "a whole number");
        }
        let Some(number) = number(text) else {
            self.error(
                at,
                format!("'{}' is not {what}", excerpt(text)),
                format!("use a whole number, {low} to {high}"),
            );
            return None;
        };
        if !plain {
            self.error(at, format!("'{}' in quotes is text, not {what}", excerpt(text)), "remove the quotes");
            return None;
        }
        let rule = match number {
            Number::Fits(number) if range.contains(&number) => return Some(number),
            Number::Fits(number) if number < low => format!("{} is too small for {what}", excerpt(text)),
            Number::Negative => format!("{} is too small for {what}", excerpt(text)),
            _ => format!("{} is too large for {what}", excerpt(text)),
        };
        self.error(at, rule, format!("use {low} to {high}"));
        None
    }

    pub(crate) fn bool(&self, at: At) -> Option<bool> {
        let wanted = "'true' or 'false'";
        match self.document.kind(at) {
            Kind::Scalar { text, plain: true } => match text {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                "yes" | "on" | "Yes" | "On" => self.refuse(at, format!("'{text}' is not a truth value"), "write true"),
                "no" | "off" | "No" | "Off" => self.refuse(at, format!("'{text}' is not a truth value"), "write false"),
                _ => self.wrong(at, wanted),
            },
            _ => self.wrong(at, wanted),
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, at: At, words: &[(&str, T)]) -> Option<T> {
        let kind = self.document.kind(at);
        if let Kind::Scalar { text, .. } = kind
            && let Some((_, value)) = words.iter().find(|(word, _)| *word == text)
        {
            return Some(*value);
        }
        let choices = words.iter().map(|(word, _)| format!("'{word}'")).collect::<Vec<_>>().join(" or ");
        let Kind::Scalar { text, .. } = kind else {
            return self.wrong(at, &choices);
        };
        if is_null(text) {
            return self.wrong(at, &choices);
        }
        let hint = match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean '{word}'? Use {choices}"),
            None => format!("use {choices}"),
        };
        self.refuse(at, format!("'{}' is not known here", excerpt(text)), hint)
    }

    /// Text read by `read`, which says what is wrong and the cure.
    pub(crate) fn read<T>(&self, at: At, read: impl Fn(&str) -> Result<T, (String, String)>) -> Option<T> {
        match read(self.text(at)?) {
            Ok(value) => Some(value),
            Err((rule, cure)) => self.refuse(at, rule, cure),
        }
    }

    /// Notes an error and gives nothing.
    pub(crate) fn refuse<T>(&self, at: At, rule: impl Into<String>, cure: impl Into<String>) -> Option<T> {
        self.error(at, rule, cure);
        None
    }

    /// The value is of another kind than `wanted`.
    fn wrong<T>(&self, at: At, wanted: &str) -> Option<T> {
        match self.document.kind(at) {
            Kind::Scalar { text, plain: true } if is_null(text) => {
                self.refuse(at, "the key has no value", format!("give it one ({wanted}), or remove the key"))
            }
            Kind::Scalar { text, .. } => {
                self.refuse(at, format!("'{}' is of the wrong kind", excerpt(text)), format!("write {wanted}"))
            }
            Kind::Sequence => self.refuse(at, "a list does not fit here", format!("write {wanted}")),
            Kind::Mapping => self.refuse(at, "keys and values do not fit here", format!("write {wanted}")),
        }
    }
}

/// Text short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(37).collect::<String>() + "..." }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

enum Number {
    Fits(u64),
    TooLarge,
    Negative,
}

/// A decimal or `0x` hexadecimal number of any size; `None` when it is something else.
fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(rest) => (rest, 16),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(match u64::from_str_radix(digits, radix) {
        _ if negative => Number::Negative,
        Ok(number) => Number::Fits(number),
        Err(_) => Number::TooLarge,
    })
}

/// Keys that most mappings know no more than.
const KEYS: usize = 16;

/// The keys of one mapping. It remembers which keys were asked for: those are the ones that are known here.
pub(crate) struct Fields<'r> {
    pub(crate) reader: &'r Reader,
    pub(crate) at: At,
    asked: RefCell<Vec<&'static str>>,
}

impl Fields<'_> {
    /// The value of a key, if it is there.
    pub(crate) fn get(&self, key: &'static str) -> Option<At> {
        self.asked.borrow_mut().push(key);
        self.reader.document.entries(self.at).find(|entry| entry.key == key).map(|entry| entry.value)
    }

    /// The value of a key that must be there; `cure` says what to write.
    pub(crate) fn need(&self, key: &'static str, cure: &str) -> Option<At> {
        let found = self.get(key);
        if found.is_none() {
            self.missing(key, cure);
        }
        found
    }

    pub(crate) fn missing(&self, key: &str, cure: &str) {
        let rule = format!("'{key}' is missing");
        let problem = || self.reader.document.key_problem(self.at, key, None, rule, cure.to_owned());
        self.reader.note(Severity::Error, problem);
    }

    /// The place of a key's value, or of the whole mapping without it.
    pub(crate) fn place(&self, key: &'static str) -> At {
        self.get(key).unwrap_or(self.at)
    }

    /// A whole number that fits `T`, which `range` must see to.
    pub(crate) fn int<T: TryFrom<u64>>(&self, key: &'static str, what: &str, range: RangeInclusive<u64>) -> Option<T> {
        self.reader.int(self.get(key)?, what, range).and_then(|number| T::try_from(number).ok())
    }

    pub(crate) fn bool(&self, key: &'static str) -> Option<bool> {
        self.reader.bool(self.get(key)?)
    }

    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.reader.word(self.get(key)?, words)
    }

    /// A value with its place.
    pub(crate) fn read<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, (String, String)>,
    ) -> Option<(T, At)> {
        let at = self.get(key)?;
        Some((self.reader.read(at, read)?, at))
    }

    /// The items of a list; empty without it.
    pub(crate) fn items(&self, key: &'static str) -> Vec<At> {
        self.get(key).map(|at| self.reader.items(at)).unwrap_or_default()
    }

    /// The items of a list, or one item that stands for it; empty without it.
    pub(crate) fn items_or_one(&self, key: &'static str) -> Vec<At> {
        self.get(key).map(|at| self.reader.one_or_more(at)).unwrap_or_default()
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn done(self) {
        let asked = self.asked.borrow();
        for entry in self.reader.document.entries(self.at).filter(|entry| !asked.contains(&entry.key)) {
            self.reader.note(Severity::Error, || {
                let cure = match nearest(entry.key, asked.iter().copied()) {
                    Some(key) => format!("did you mean '{key}'?"),
                    None => format!("known here: {}", list(asked.iter())),
                };
                let key = excerpt(entry.key);
                let rule = format!("'{key}' is not known here");
                self.reader.document.key_problem(self.at, &key, Some(entry.mark), rule, cure)
            });
        }
    }
}

/// "a, b, c", each once.
fn list<T: Display>(items: impl Iterator<Item = T>) -> String {
    let mut words: Vec<String> = Vec::new();
    for item in items.map(|item| item.to_string()) {
        if !words.contains(&item) {
            words.push(item);
        }
    }
    words.join(", ")
}
