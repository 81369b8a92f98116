//! The pages hang together: links lead somewhere, the index knows every page, and files are shown as they are. What the
//! commands on the pages print is tested in tests/netns/docs.rs.

use std::fs;
use std::path::{Path, PathBuf};

const TOP: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of the guide.
fn guide() -> Vec<PathBuf> {
    let entries =
        fs::read_dir(Path::new(TOP).join("docs")).expect("the guide").map(|entry| entry.expect("a page").path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

fn pages() -> Vec<PathBuf> {
    let others = ["README.md", "gateway/ARCHITECTURE.md", "config/REFERENCE.md"].map(|name| Path::new(TOP).join(name));
    guide().into_iter().chain(others).collect()
}

/// What stands in parentheses behind brackets, outside of blocks of code.
fn links(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    let found = prose.flat_map(|part| part.split("](").skip(1).filter_map(|rest| rest.split_once(')')));
    found.map(|(link, _)| link).collect()
}

#[test]
fn links_lead_somewhere() {
    let (mut followed, mut broken) = (0, Vec::new());
    for path in pages() {
        let page = read(&path);
        for link in links(&page).into_iter().filter(|link| !link.starts_with("http")) {
            followed += 1;
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            let heading = |line: &str| line.starts_with('#') && anchor(line) == part;
            if !target.exists() || !part.is_empty() && !read(&target).lines().any(heading) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links into nothing:\n{}", broken.join("\n"));
    assert!(followed > 10, "only {followed} links: the test has lost its point");
}

/// How a heading is linked to: lower case, hyphens for spaces, without punctuation.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_index_knows_every_page() {
    let index = read(&Path::new(TOP).join("docs/README.md"));
    let links = links(&index);
    for path in guide() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "README.md" || links.contains(&name.as_str()), "docs/README.md does not link to {name}");
    }
}

/// A comment with a path, and below it a block of YAML: the file itself.
#[test]
fn files_are_shown_as_they_are() {
    let mut shown = 0;
    for path in pages() {
        let page = read(&path);
        for part in page.split("\n<!-- ").skip(1) {
            let Some((name, rest)) = part.split_once(" -->\n```yaml\n") else { continue };
            let Some((block, _)) = rest.split_once("\n```\n") else { continue };
            assert_eq!(block.trim_end(), read(&Path::new(TOP).join(name)).trim_end(), "{name} in {}", path.display());
            shown += 1;
        }
    }
    assert!(shown >= 2, "only {shown} files are shown: the test has lost its point");
}
