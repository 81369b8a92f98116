//! OVSDB's values (RFC 7047 section 5.1): atoms, sets and maps, and how they look in JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Value, json};

/// The name of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub u128);

impl Uuid {
    /// `None` when it is not written like 550e8400-e29b-41d4-a716-446655440000.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let hyphens = bytes.len() == 36 && [8, 13, 18, 23].iter().all(|&at| bytes[at] == b'-');
        let mut number = 0;
        for (at, byte) in bytes.iter().enumerate().filter(|(at, _)| ![8, 13, 18, 23].contains(at)) {
            let digit = char::from(*byte).to_digit(16).filter(|_| at < 36)?;
            number = number << 4 | u128::from(digit);
        }
        hyphens.then_some(Self(number))
    }

    /// As an atom.
    pub fn json(self) -> Value {
        json!(["uuid", self.to_string()])
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(f, "{:08x}-{:04x}-{:04x}-", n >> 96, n >> 80 & 0xffff, n >> 64 & 0xffff)?;
        write!(f, "{:04x}-{:012x}", n >> 48 & 0xffff, n & 0xffff_ffff_ffff)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    /// The bare text, as it stands for a key of an update.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Uuid;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the text of a UUID")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Uuid, E> {
                Uuid::parse(text).ok_or_else(|| E::custom("not a UUID"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A value without parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Atom {
    /// A string.
    Text(Box<str>),
    /// An integer, or a real number without its fraction.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// A row.
    Row(Uuid),
}

/// A column's value.
#[derive(Clone, Debug, PartialEq)]
enum Datum {
    /// So many atoms; one alone is written without the set around it.
    Set(Vec<Atom>),
    /// Pairs.
    Map(Vec<(Atom, Atom)>),
}

struct DatumVisitor;

impl<'de> Visitor<'de> for DatumVisitor {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OVSDB value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Datum, E> {
        Ok(Datum::Set(vec![Atom::Text(text.into())]))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Datum, E> {
        Ok(Datum::Set(vec![Atom::Integer(number)]))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Datum, E> {
        Ok(Datum::Set(vec![Atom::Integer(i64::try_from(number).unwrap_or(i64::MAX))]))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Datum, E> {
        Ok(Datum::Set(vec![Atom::Integer(number as i64)]))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Datum, E> {
        Ok(Datum::Set(vec![Atom::Boolean(truth)]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Datum, A::Error> {
        let missing = || A::Error::custom("a tagged value without its second part");
        let tag: std::borrow::Cow<'de, str> = parts.next_element()?.ok_or_else(missing)?;
        let datum = match &*tag {
            "uuid" => Datum::Set(vec![Atom::Row(parts.next_element()?.ok_or_else(missing)?)]),
            "set" => Datum::Set(parts.next_element()?.ok_or_else(missing)?),
            "map" => Datum::Map(parts.next_element()?.ok_or_else(missing)?),
            other => return Err(A::Error::custom(format!("'{other}' is no kind of value"))),
        };
        match parts.next_element::<serde::de::IgnoredAny>()? {
            None => Ok(datum),
            Some(_) => Err(A::Error::custom("a tagged value of more than two parts")),
        }
    }
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DatumVisitor)
    }
}

impl<'de> Deserialize<'de> for Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(DatumVisitor)? {
            Datum::Set(mut atoms) if atoms.len() == 1 => Ok(atoms.remove(0)),
            _ => Err(D::Error::custom("a set or a map within a set or a map")),
        }
    }
}

/// What an atom can be read as.
pub trait FromAtom: Sized {
    /// `None` when it is of another kind.
    fn from_atom(atom: Atom) -> Option<Self>;
}

impl FromAtom for Box<str> {
    fn from_atom(atom: Atom) -> Option<Self> {
        if let Atom::Text(text) = atom { Some(text) } else { None }
    }
}

impl FromAtom for i64 {
    fn from_atom(atom: Atom) -> Option<Self> {
        if let Atom::Integer(number) = atom { Some(number) } else { None }
    }
}

impl FromAtom for bool {
    fn from_atom(atom: Atom) -> Option<Self> {
        if let Atom::Boolean(truth) = atom { Some(truth) } else { None }
    }
}

impl FromAtom for Uuid {
    fn from_atom(atom: Atom) -> Option<Self> {
        if let Atom::Row(uuid) = atom { Some(uuid) } else { None }
    }
}

/// Reads a set, for `#[serde(deserialize_with)]`.
pub fn set<'de, D: Deserializer<'de>, T: FromAtom>(deserializer: D) -> Result<Vec<T>, D::Error> {
    match Datum::deserialize(deserializer)? {
        Datum::Set(atoms) => atoms
            .into_iter()
            .map(|atom| T::from_atom(atom).ok_or_else(|| D::Error::custom("another kind of atom")))
            .collect(),
        Datum::Map(_) => Err(D::Error::custom("a map in place of a set")),
    }
}

/// Reads exactly one atom.
pub fn one<'de, D: Deserializer<'de>, T: FromAtom>(deserializer: D) -> Result<T, D::Error> {
    optional(deserializer)?.ok_or_else(|| D::Error::custom("no value where one must be"))
}

/// Reads one atom or none.
pub fn optional<'de, D: Deserializer<'de>, T: FromAtom>(deserializer: D) -> Result<Option<T>, D::Error> {
    let mut atoms = set(deserializer)?;
    match atoms.len() {
        0 | 1 => Ok(atoms.pop()),
        _ => Err(D::Error::custom("several values where one must be")),
    }
}

/// Reads a map.
pub fn map<'de, D: Deserializer<'de>, K: FromAtom + Ord, V: FromAtom>(
    deserializer: D,
) -> Result<BTreeMap<K, V>, D::Error> {
    let pairs = match Datum::deserialize(deserializer)? {
        Datum::Map(pairs) => pairs,
        // Some servers write an empty map so.
        Datum::Set(atoms) if atoms.is_empty() => Vec::new(),
        Datum::Set(_) => return Err(D::Error::custom("a set in place of a map")),
    };
    let pair = |(key, value)| Some((K::from_atom(key)?, V::from_atom(value)?));
    pairs.into_iter().map(|one| pair(one).ok_or_else(|| D::Error::custom("another kind of atom"))).collect()
}

/// A set in JSON.
pub fn json_set(atoms: impl IntoIterator<Item = Value>) -> Value {
    json!(["set", atoms.into_iter().collect::<Vec<_>>()])
}

/// A map in JSON.
pub fn json_map(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
    json!(["map", pairs.into_iter().map(|(key, value)| json!([key, value])).collect::<Vec<_>>()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn read(text: &str) -> Result<Datum, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_uuid_reads_as_it_is_written() {
        let uuid = Uuid::parse(TEXT).expect("a UUID");
        assert_eq!(uuid.to_string(), TEXT);
        for wrong in ["", "550e8400", &TEXT[1..], &TEXT.replace('-', "0"), &TEXT.replace('e', "g"), &format!("{TEXT}0")]
        {
            assert_eq!(Uuid::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn values_are_told_apart() {
        let uuid = Uuid::parse(TEXT).expect("a UUID");
        assert_eq!(read("7"), Ok(Datum::Set(vec![Atom::Integer(7)])));
        assert_eq!(read(r#"["set",[]]"#), Ok(Datum::Set(Vec::new())));
        assert_eq!(read(&format!(r#"["uuid","{TEXT}"]"#)), Ok(Datum::Set(vec![Atom::Row(uuid)])));
        assert_eq!(
            read(&format!(r#"["map",[[100,["uuid","{TEXT}"]]]]"#)),
            Ok(Datum::Map(vec![(Atom::Integer(100), Atom::Row(uuid))]))
        );
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let long = "[".repeat(5000);
        for wrong in
            ["null", "{}", "[]", r#"["set"]"#, r#"["set",[["set",[]]]]"#, r#"["bag",[]]"#, r#"["set",[],1]"#, &long]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
