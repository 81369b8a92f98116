//! The text below the options: written with line breaks that suit the source, shown with those that suit the terminal.

use clap::Command;

/// The command, and those below it, with each paragraph of their closing text in one line, which clap wraps.
pub fn flowing(command: Command) -> Command {
    let text = command.get_after_help().map(|text| joined(&text.to_string()));
    let command = match text {
        Some(text) => command.after_help(text),
        None => command,
    };
    command.mut_subcommands(flowing)
}

/// Lines that follow each other become one; indented ones (examples) and those behind a colon stay.
fn joined(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
        match lines.last_mut().filter(|last| is_prose(last) && !last.ends_with(':') && is_prose(line)) {
            Some(last) => *last += &format!(" {line}"),
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_flows_and_examples_stay() {
        let text = "Examples:\n  causeway run\n  causeway show\n\nIt needs root\nand a NIC.\nList:\none";
        assert_eq!(joined(text), "Examples:\n  causeway run\n  causeway show\n\nIt needs root and a NIC. List:\none");
    }
}
