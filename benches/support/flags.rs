//! The command line of a bench, read without a library: benches are built with what the gateway has.

use std::collections::BTreeMap;
use std::process::exit;
use std::str::FromStr;

/// What was asked for.
pub struct Flags(BTreeMap<String, Vec<String>>);

impl Flags {
    /// Reads the command line. `usage` lists the flags, two spaces in front of each; one that is followed by a word in
    /// capitals takes a value, or several parted by commas. `--help` prints it; what it does not list ends the program.
    pub fn read(usage: &str) -> Self {
        let mut known = BTreeMap::new();
        for line in usage.lines().filter_map(|line| line.strip_prefix("  --")) {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default();
            let value = words.next().is_some_and(|word| word.chars().all(|c| c.is_ascii_uppercase()));
            known.insert(name.to_owned(), value);
        }
        let mut flags = Self(BTreeMap::new());
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--help" {
                print!("{usage}");
                exit(0);
            }
            // Cargo says so to every bench.
            if word == "--bench" {
                continue;
            }
            let (name, given) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let Some((name, &takes)) = name.strip_prefix("--").and_then(|name| known.get_key_value(name)) else {
                refuse(&format!("there is no '{word}'; see --help"));
            };
            let value = match (takes, given) {
                (false, None) => String::new(),
                (false, Some(_)) => refuse(&format!("--{name} takes no value")),
                (true, Some(value)) => value,
                (true, None) => words.next().unwrap_or_else(|| refuse(&format!("--{name} takes a value"))),
            };
            let values = flags.0.entry(name.clone()).or_default();
            values.extend(value.split(',').map(str::to_owned));
        }
        flags
    }

    /// True when a flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The values of a flag; none when it was not given.
    pub fn words(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The values of a flag, each of which must be one of these names.
    pub fn names(&self, name: &str, known: &[&str]) -> Option<&[String]> {
        let words = self.words(name)?;
        if let Some(word) = words.iter().find(|word| !known.contains(&word.as_str())) {
            refuse(&format!("--{name} has no '{word}', but {}", known.join(", ")));
        }
        Some(words)
    }

    /// The values of a flag as numbers; `1k` and `10M` are understood.
    pub fn numbers(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.words(name)?.iter().map(|word| number(name, word)).collect())
    }

    /// The last value of a flag.
    pub fn value<T: FromStr>(&self, name: &str) -> Option<T> {
        let word = self.words(name)?.last()?;
        Some(word.parse().unwrap_or_else(|_| refuse(&format!("--{name} does not take '{word}'"))))
    }
}

fn number(name: &str, word: &str) -> usize {
    let (digits, times) = match word.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => word.strip_suffix('M').map_or((word, 1), |digits| (digits, 1_000_000)),
    };
    match digits.parse::<usize>() {
        Ok(number) if (1..=100_000_000).contains(&(number * times)) => number * times,
        _ => refuse(&format!("--{name} takes numbers like 1, 1k and 10M, not '{word}'")),
    }
}

/// Ends the program: the command line is wrong.
pub fn refuse(why: &str) -> ! {
    eprintln!("Error: {why}");
    exit(2);
}
