//! "Did you mean": the known word nearest to what was written.

/// The word nearest to `written`, if it is near enough to be what was meant.
pub fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.chars().count() > 64 {
        return None;
    }
    let written = normal(written);
    words
        .into_iter()
        .map(|word| (distance(&written, &normal(word)), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .map(|(_, word)| word)
}

/// Case and the choice between `-` and `_` are never the point.
fn normal(word: &str) -> Vec<char> {
    word.to_lowercase().replace('-', "_").chars().collect()
}

/// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let keys = ["name", "device", "vlans", "vnis", "underlay"];
        assert_eq!(nearest("vlan", keys), Some("vlans"));
        assert_eq!(nearest("devcie", keys), Some("device"));
        assert_eq!(nearest("Name", keys), Some("name"));
        assert_eq!(nearest("storm_control", keys), None);
        assert_eq!(nearest("", []), None);
    }
}
