//! Lists and mappings in brackets that the parser would hold as a whole: one that stands where a key may stand, behind a dash
//! or at the beginning of a line, might be a key until its last bracket. A hundred bytes are held for each byte of it.

/// Bytes of such a list or mapping, at most: a hundred thousand static MACs. Lists with dashes may have any length.
const LONGEST: usize = 8 << 20;

/// The place (line from 1, column from 1) of the first one that is too long.
pub(super) fn too_long(text: &str) -> Option<(usize, usize)> {
    let start = find(text.as_bytes(), LONGEST)?;
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    Some((line, before.chars().rev().take_while(|&c| c != '\n').count() + 1))
}

/// Where it begins. Quotes and comments are left out as far as that can be told without reading all of YAML.
fn find(text: &[u8], longest: usize) -> Option<usize> {
    let (mut depth, mut start) = (0_usize, None);
    // The last byte that was no space, and the one before this.
    let (mut before, mut last) = (b'\n', b'\n');
    let mut places = text.iter().copied().enumerate();
    while let Some((place, byte)) = places.next() {
        match byte {
            b'#' if last.is_ascii_whitespace() => {
                let _ = places.find(|(_, byte)| *byte == b'\n');
                (before, last) = (b'\n', b'\n');
                continue;
            }
            b'"' | b'\'' if b"\n,[{:-?".contains(&before) => {
                while let Some((_, inside)) = places.next().filter(|(_, inside)| *inside != byte) {
                    if inside == b'\\' && byte == b'"' {
                        places.next();
                    }
                }
            }
            b'[' | b'{' if depth > 0 || b"\n:,-?".contains(&before) => {
                if depth == 0 {
                    start = (before != b':').then_some(place);
                }
                depth += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            start = None;
        } else if start.is_some_and(|start| place - start > longest) {
            return start;
        }
        if !matches!(byte, b' ' | b'\t') {
            before = byte;
        }
        last = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_might_be_a_key_is_measured_to_its_last_bracket_and_nothing_else_is() {
        let found = |text: &str| find(text.as_bytes(), 8);
        assert_eq!(found("- {a: [1, 2, 3]}\n"), Some(2));
        assert_eq!(found("{\"a\": 1234567}"), Some(0));
        assert_eq!(found("a:\n  [1,\n 2, 3, 4]"), Some(5));
        for short in [
            "a: [1, 2, 3, 4, 5, 6, 7]",
            "- {a: 1}\n- {b: 2}\n- {c: 3}",
            "- '{' \n- \"\\\"[\" # {\n- it's [one] a text and no list",
            "# {\n# and so on, and so on",
        ] {
            assert_eq!(found(short), None, "{short}");
        }
    }

    #[test]
    fn its_place_is_told_in_lines_and_columns() {
        let text = format!("vnis:\n  - é: 1\n  - [{}]\n", "1,".repeat(LONGEST / 2 + 1));
        assert_eq!(too_long(&text), Some((3, 5)));
    }
}
