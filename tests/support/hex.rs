//! Hexdumps, there and back.

/// Sixteen bytes a line behind the offset.
pub fn dump(bytes: &[u8]) -> Vec<String> {
    let line = |(number, part): (usize, &[u8])| {
        let hex: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04x}  {}", number * 16, hex.join(" "))
    };
    if bytes.is_empty() { vec!["0000".to_owned()] } else { bytes.chunks(16).enumerate().map(line).collect() }
}

/// The bytes of one line of a hexdump, appended; `None` when it is none, or its offset is not where we are.
pub fn read_line(line: &str, into: &mut Vec<u8>) -> Option<()> {
    let mut words = line.split_whitespace();
    let offset = words.next().filter(|word| word.len() == 4)?;
    if usize::from_str_radix(offset, 16).ok()? != into.len() {
        return None;
    }
    for word in words {
        into.push(u8::from_str_radix(word, 16).ok()?);
    }
    Some(())
}

/// Both dumps, with a mark at every line that differs and at every byte of it.
pub fn difference(expected: &[u8], got: &[u8]) -> String {
    let (expected, got) = (dump(expected), dump(got));
    let mut text = String::new();
    for at in 0..expected.len().max(got.len()) {
        let none = String::new();
        let (want, have) = (expected.get(at).unwrap_or(&none), got.get(at).unwrap_or(&none));
        if want == have {
            text += &format!("    {want}\n");
            continue;
        }
        let bytes = want.len().max(have.len());
        let marks: String =
            (0..bytes).map(|n| if want.as_bytes().get(n) == have.as_bytes().get(n) { ' ' } else { '^' }).collect();
        text += &format!("  - {want}\n  + {have}\n    {}\n", marks.trim_end());
    }
    text
}
