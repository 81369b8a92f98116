//! A file with more wrong about it than anybody reads: what is said stays short, and says how much more there is.

use config::Severity;

const COUNT: usize = 5000;

fn said(text: &str) -> (String, usize) {
    let problems = config::parse("gw.yaml", text).expect_err("it is wrong");
    (problems.to_string(), problems.errors())
}

#[test]
fn a_long_list_of_nonsense_on_one_line_is_told_in_part_and_counted_in_full() {
    let items = vec!["nonsense"; COUNT].join(", ");
    let text = format!(
        "version: 1\nports: [{{name: srv1, device: net_null0}}]\nvnis: [{{vni: 1, flood: {{vteps: [{items}]}}}}]\n"
    );
    let problems = config::parse("gw.yaml", &text).expect_err("it is wrong");
    assert_eq!(problems.errors(), COUNT);
    let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    let (last, told) = errors.split_last().expect("there are some");
    assert_eq!((told.len(), last.stands_for()), (200, COUNT - 200));
    assert!(last.to_string().ends_with("4800 more errors are not shown; see to these first"), "{last}");
    for problem in told {
        assert!(problem.source.len() <= 240 && problem.source.contains("nonsense"), "{problem:?}");
        let shown = problem.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].find('^').expect("carets");
        assert!(lines[1][at..].starts_with("nonsense"), "{shown}");
    }
    let wide = config::parse("gw.yaml", &text.replace("nonsense", "Unfüg")).expect_err("it is wrong");
    assert!(wide.iter().filter(|one| one.rule.contains('ü')).all(|one| one.source.contains("Unfüg")), "{wide}");
    assert!(wide.to_string().len() < 200_000);
}

#[test]
fn a_long_word_is_quoted_in_part() {
    let long = "9".repeat(100_000);
    for text in [
        format!("version: {long}\n"),
        format!("version: \"{long}\"\n"),
        format!("version: -{long}\n"),
        format!("{long}: 1\n{long}: 2\n"),
    ] {
        let (words, _) = said(&text);
        assert!(words.len() < 5000, "{} bytes", words.len());
    }
}

#[test]
fn a_mapping_with_more_keys_than_anything_knows_is_refused_at_once() {
    let text: String = (0..COUNT).map(|number| format!("key{number}: 1\n")).collect();
    let (words, errors) = said(&text);
    assert!(errors == 1 && words.starts_with("gw.yaml:1001:1: more keys than anything here knows"), "{words}");
}

#[test]
fn many_warnings_hide_no_error_and_are_counted() {
    let vnis: String = (1..=COUNT).map(|vni| format!("  - {{vni: {vni}}}\n")).collect();
    let text = format!(
        "version: 1\nports:\n  - {{name: srv1, device: net_null0, vlans: [{{vlan: 1, vni: 1}}]}}\nvnis:\n{vnis}"
    );
    let loaded = config::parse("gw.yaml", &text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.len() == 201, "{}", loaded.warnings.len());
    let all: usize = loaded.warnings.iter().map(config::Problem::stands_for).sum();
    assert_eq!(all, COUNT - 1, "one VNI has a VLAN");
    let last = loaded.warnings.last().expect("there are some");
    assert_eq!((last.severity, last.line), (Severity::Warning, 0));
    let wrong = config::parse("gw.yaml", &format!("{text}  - {{vni: x}}\n")).expect_err("the last is wrong");
    assert_eq!(wrong.errors(), 1);
    assert!(wrong.to_string().contains("'x' is not a VNI"), "{wrong}");
}
