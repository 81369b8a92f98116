//! Whatever the file holds: an answer, never a panic; and a model only when it hangs together.

use config::types::{Flood, Model, Place};

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % sides
    }
}

fn examples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let paths = std::fs::read_dir(folder).expect("examples/ is there").map(|entry| entry.expect("listed").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|one| one == "yaml")).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("it can be read")).collect()
}

/// Every index of a model points at something.
fn hangs_together(model: &Model) {
    assert!(!model.workers.cores.is_empty() && !model.ports.is_empty());
    for attachment in model.ports.iter().flat_map(|port| &port.attachments) {
        assert!(attachment.segment < model.segments.len());
    }
    for (index, segment) in model.segments.iter().enumerate() {
        assert!(segment.vxlan.is_some() || segment.geneve.is_some());
        if let Flood::Group { port, .. } = &segment.flood {
            assert!(model.ports[*port].underlay.is_some());
        }
        for entry in &segment.statics {
            if let Place::Port { port, attachment } = entry.place {
                assert_eq!(model.ports[port].attachments[attachment].segment, index);
            }
        }
    }
    let written = config::render(model);
    let again = config::parse("again.yaml", &written).unwrap_or_else(|problems| panic!("{problems}\n{written}"));
    assert_eq!(&again.model, model);
}

fn answer(text: &str) -> bool {
    match config::parse("any.yaml", text) {
        Ok(loaded) => {
            hangs_together(&loaded.model);
            true
        }
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without a reason:\n{text}");
            assert!(problems.iter().all(|problem| !problem.cure.is_empty()));
            assert!(!problems.to_string().is_empty());
            false
        }
    }
}

#[test]
fn any_bytes() {
    let mut dice = Dice(1);
    let alphabet: Vec<char> = "abc019 \n\n:-,[]{}#&*!|>'\"%@`?.\t\r\0\u{85}é\u{feff}".chars().collect();
    for _ in 0..10_000 {
        let length = dice.roll(40);
        let text: String = (0..length).map(|_| alphabet[dice.roll(alphabet.len())]).collect();
        answer(&text);
    }
}

/// Examples with words swapped, lines moved and characters lost.
#[test]
fn mutated_examples() {
    let examples = examples();
    let splitters = [' ', ',', '{', '}', '[', ']', '\n', '"'];
    let words: Vec<&str> =
        examples.iter().flat_map(|text| text.split(splitters)).filter(|one| !one.is_empty()).collect();
    let mut dice = Dice(2);
    let mut fine = 0;
    for round in 0..2_400 {
        let mut text = examples[round % examples.len()].clone();
        for _ in 0..=dice.roll(3) {
            text = mutate(&text, &words, &mut dice);
        }
        fine += usize::from(answer(&text));
    }
    assert!(fine > 200, "only {fine} mutants were right: the test has lost its point");
}

fn mutate(text: &str, words: &[&str], dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => {
            let (from, to) = (words[dice.roll(words.len())], words[dice.roll(words.len())]);
            text.replacen(from, to, 1 + dice.roll(2))
        }
        1 => {
            let mut lines: Vec<&str> = text.lines().collect();
            let line = lines.remove(dice.roll(lines.len()));
            if dice.roll(2) == 0 && !lines.is_empty() {
                lines.insert(dice.roll(lines.len()), line);
            }
            lines.join("\n") + "\n"
        }
        2 => {
            let lost = dice.roll(text.chars().count().max(1));
            text.chars().enumerate().filter(|(index, _)| *index != lost).map(|(_, c)| c).collect()
        }
        _ => {
            let numbers = ["0", "-1", "1", "4095", "65536", "16777216", "99999999999999999999", "null", "~", "0x"];
            text.replacen(words[dice.roll(words.len())], numbers[dice.roll(numbers.len())], 1)
        }
    }
}
