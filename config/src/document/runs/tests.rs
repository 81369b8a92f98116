use std::cell::OnceCell;

use super::take_out;
use crate::document::{At, Document, build};

/// All nodes with their places, and all problems.
fn all((document, notes): (Document, crate::notes::Notes)) -> Vec<String> {
    let nodes = (0..document.nodes.len() as u32).map(|number| {
        let at = At(number);
        let of: Vec<_> = document.children(at).map(|child| child.0).collect();
        format!("{} {:?} {:?} {of:?}", document.path(at), document.node(at).mark, document.kind(at))
    });
    let problems = notes.into_problems("test.yaml").into_iter().map(|problem| format!("{problem:?}"));
    nodes.chain(problems).chain([format!("{:?}", document.root)]).collect()
}

fn whole(text: &str) -> Vec<String> {
    let (file, text, file_len) = ("t.yaml".to_owned(), text.to_owned(), text.len());
    let nodes = Vec::new();
    all(build::whole(Document {
        file,
        text,
        file_len,
        starts: OnceCell::new(),
        is_ascii: OnceCell::new(),
        nodes,
        root: None,
    }))
}

/// The short way and the parser alone say the same; true when something was taken out.
fn same(text: &str) -> bool {
    let short = all(Document::parse("t.yaml", text.to_owned()));
    assert_eq!(short, whole(text), "{text}");
    !take_out(text).1.is_empty()
}

fn macs(count: usize, line: &str) -> String {
    (0..count).map(|number| line.replace('N', &format!("{number:02}"))).collect()
}

#[test]
fn a_run_is_read_as_the_parser_reads_it_with_every_place() {
    let flow = "    - {mac: \"02:00:00:00:00:N\", vtep: 10.0.0.N}\n";
    let text = format!("vnis:\n- vni: 1\n  static:\n{}- vni: 2\n", macs(20, flow));
    assert!(same(&text));
    let (short, runs) = take_out(&text);
    assert_eq!((short.lines().count(), runs.0[0].lines), (6, 18));
    let block = "      - mac: '02:00:00:00:00:N'\n        vtep: \"2001:db8::N\"\n        encap: vxlan\n";
    assert!(same(&format!(
        "# ä\nvnis:\n  - static:\n{}{}    vni: 7\n",
        macs(9, block),
        macs(9, &flow.replace("    -", "      -"))
    )));
    assert!(same(&macs(9, "- { a: N ,b: 'x y'}\n")), "at the left edge");
}

#[test]
fn what_is_no_list_to_the_parser_is_none() {
    let items = macs(9, "    - {a: N}\n");
    for (before, behind) in [
        ("text: |\n", "b: 1\n"),
        ("text: \"\n", "    \"\n"),
        ("text: x\n", ""),
        ("list: [\n", "]\n"),
        ("list:\n    - {a: 1, a: 2}\n", "    x"),
        ("list:\n", "     - {a: 3}\n"),
        ("list:\n    - b\n", "    -\n"),
        ("list:\n    - - c\n", "    - {a: 1\n"),
        ("list:\n", "# end\n    - {a: *b}\n"),
        ("", "---\n"),
    ] {
        assert!(same(&format!("{before}{items}{behind}")), "{before} has items to be taken out");
    }
    assert!(same(&macs(9, "  - a: N\n    a: N\n")), "keys given twice");
    assert!(!same("a: 1\nb: [1, 2]\n") && !same("") && !same(&macs(9, "- {a: \"\\tN\"}\n")));
}

#[test]
fn whatever_the_lines_are_the_parser_has_the_last_word() {
    let lines = [
        "- {a: 1}",
        "- {a: 1}",
        "- {a: 1}",
        "- {a: 'x', b: \"y z\"}",
        "- a: 1",
        "- a: 1",
        "  b: 2",
        "  b: 2",
        "- {a: }",
        "- {a: b:}",
        "- {a: 1:2, b: ::1}",
        "- a: 'it''s'",
        "list:",
        "- c:",
        "- - {a: 1}",
        "- |",
        "- \"",
        "\"",
        "# note",
        "",
        "  ",
        "- {a: 1} # x",
        "- {a: &x 1}",
        "- a: &y",
        "- *x",
        "- {a: 1",
        "}",
        "[",
        "]",
        "- ? a",
        "--- ",
        "- {a: true, b: null}",
        "- a: 1\t",
        "\u{e4}: 1",
    ];
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 20) as usize % below
    };
    let mut taken = 0;
    for round in 0..4000 {
        // Some texts of a few kinds of lines only, so that there are runs.
        let kinds = 1 + next(lines.len());
        let first = next(lines.len());
        let mut text = String::from(["", "x:\n", "x:\n- {a: 1}\n"][round % 3]);
        for _ in 0..next(30) {
            let line = lines[(first + next(kinds)) % lines.len()];
            let indent = if next(6) == 0 { next(5) } else { 2 * (kinds % 2) };
            for _ in 0..1 + next(2) * next(9) {
                text += &format!("{:indent$}{line}\n", "");
            }
        }
        taken += usize::from(same(&text));
    }
    assert!(taken > 300, "{taken}");
}
