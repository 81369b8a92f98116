//! `causeway man`: manual pages from the description of the command line, one for each command.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use super::Refusal;

/// Writes `causeway.1`, `causeway-run.1`, ... into `directory`, which is made if need be.
pub fn man(mut command: Command, directory: &Path) -> Result<(), Refusal> {
    command.build();
    let written = fs::create_dir_all(directory).and_then(|()| pages(&command, directory));
    written.map_err(|error| {
        format!(
            "cannot write manual pages into {} ({error}); name a directory that you may write to",
            directory.display()
        )
    })
}

/// The page of a command, and those of the commands below it.
fn pages(command: &Command, directory: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, directory)?;
    }
    let man = Man::new(command.clone()).source(concat!("causeway ", env!("CARGO_PKG_VERSION"))).manual("Causeway");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        examples(&mut page, &text.to_string())?;
    }
    if command.get_name() != "causeway" {
        page.write_all(b".SH \"SEE ALSO\"\n\\fBcauseway\\fR(1)\n")?;
    }
    fs::write(directory.join(man.get_filename()), page)
}

/// The end of the help: prose flows, and indented lines stay as they are.
fn examples(page: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let (title, text) = match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("Example") => ("EXAMPLES", rest),
        _ => ("NOTES", text),
    };
    writeln!(page, ".SH {title}")?;
    for line in text.lines() {
        // A point or an apostrophe at the start would be a command, and hyphens shall stay hyphens when copied.
        let safe = format!("\\&{}", line.replace('\\', "\\\\").replace('-', "\\-"));
        match line {
            "" => writeln!(page, ".PP")?,
            line if line.starts_with(' ') => writeln!(page, ".nf\n{safe}\n.fi")?,
            _ => writeln!(page, "{safe}")?,
        }
    }
    Ok(())
}
