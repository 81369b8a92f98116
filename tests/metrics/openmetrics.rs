//! A strict reader of OpenMetrics 1.0 text: every MUST of the specification that a page can break is a refusal here.

use std::collections::{BTreeMap, BTreeSet};

/// Labels in the order of their names.
pub type Labels = BTreeMap<String, String>;

/// A family.
#[derive(Debug, Default, PartialEq)]
pub struct Family {
    pub kind: String,
    pub unit: Option<String>,
    pub help: Option<String>,
    pub samples: Vec<(String, Labels, f64)>,
}

/// Suffixes of the samples of each kind.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total", "_created"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_count", "_sum", "_created"],
        _ => &[],
    }
}

/// Reads a page.
pub fn read(page: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = page.strip_suffix("# EOF\n").ok_or("the page does not end with '# EOF'")?;
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in body.split_terminator('\n') {
        let refuse = |why: &str| Err(format!("{why}: {line:?}"));
        if line.is_empty() || line.trim() != line || line.contains('\r') {
            return refuse("an empty line or blanks at an end");
        }
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (Some(what), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
                return refuse("neither TYPE nor UNIT nor HELP");
            };
            if name != current {
                if families.contains_key(name) {
                    return refuse("this family was there before");
                }
                if !is_name(name) {
                    return refuse("not a name");
                }
                current = name.to_owned();
            }
            let family = families.entry(current.clone()).or_default();
            if !family.samples.is_empty() {
                return refuse("metadata behind samples");
            }
            let is_new = match what {
                "TYPE" => std::mem::replace(&mut family.kind, text.to_owned()).is_empty(),
                "UNIT" => {
                    if !name.ends_with(&format!("_{text}")) {
                        return refuse("the name does not end with its unit");
                    }
                    family.unit.replace(text.to_owned()).is_none()
                }
                "HELP" => {
                    unescape(text, false).ok_or_else(|| format!("a wrong escape: {line}"))?;
                    family.help.replace(text.to_owned()).is_none()
                }
                _ => return refuse("neither TYPE nor UNIT nor HELP"),
            };
            if !is_new {
                return refuse("said twice");
            }
            continue;
        }
        if line.starts_with('#') {
            return refuse("a comment");
        }
        let (name, labels, value) = sample(line).ok_or_else(|| format!("not a sample: {line:?}"))?;
        let family = families.get_mut(&current).ok_or("a sample before any family")?;
        let belongs = suffixes(&family.kind).iter().any(|suffix| name == format!("{current}{suffix}"));
        if !belongs {
            return refuse("a sample of another family or kind");
        }
        family.samples.push((name, labels, value));
    }
    families.iter().try_for_each(|(name, family)| check(name, family))?;
    clashes(&families)?;
    Ok(families)
}

/// Rules of one family.
fn check(name: &str, family: &Family) -> Result<(), String> {
    if suffixes(&family.kind).is_empty() {
        return Err(format!("{name} has kind {:?}", family.kind));
    }
    let mut seen = BTreeSet::new();
    for (sample, labels, value) in &family.samples {
        if !seen.insert((sample, labels)) {
            return Err(format!("{sample} {labels:?} is there twice"));
        }
        if family.kind == "counter" && !(value.is_finite() && *value >= 0.0) {
            return Err(format!("{sample} {labels:?} is {value}"));
        }
        if family.kind == "info" && *value != 1.0 {
            return Err(format!("{sample} is not 1"));
        }
        if labels.contains_key("le") && !sample.ends_with("_bucket") {
            return Err(format!("{sample} has a label 'le'"));
        }
    }
    if family.kind == "histogram" { histograms(name, family) } else { Ok(()) }
}

/// Rules of histograms: metrics one after the other, bounds that grow, counts that do not shrink, the same count twice.
fn histograms(name: &str, family: &Family) -> Result<(), String> {
    let without_bound = |labels: &Labels| {
        let mut labels = labels.clone();
        labels.remove("le");
        labels
    };
    let mut done = BTreeSet::new();
    for metric in family.samples.chunk_by(|a, b| without_bound(&a.1) == without_bound(&b.1)) {
        let labels = without_bound(&metric[0].1);
        if !done.insert(labels.clone()) {
            return Err(format!("{name} {labels:?} is interrupted by another"));
        }
        let (mut bound, mut count) = (f64::NEG_INFINITY, 0.0);
        for (_, labels, value) in metric.iter().filter(|(sample, ..)| sample.ends_with("_bucket")) {
            let text = labels.get("le").ok_or_else(|| format!("{name} has a bucket without 'le'"))?;
            let le = number(text).filter(|_| text == "+Inf" || text.contains(['.', 'e']));
            let le = le.ok_or_else(|| format!("{name}: le={text:?} is not a canonical number"))?;
            if le <= bound || *value < count || value.fract() != 0.0 {
                return Err(format!("{name} {labels:?}: {value} after {count} at {bound}"));
            }
            (bound, count) = (le, *value);
        }
        let one = |suffix: &str| {
            let mut found = metric.iter().filter(|(sample, ..)| sample.ends_with(suffix));
            found.next().filter(|_| found.next().is_none()).map(|(.., value)| *value)
        };
        if bound != f64::INFINITY || one("_count") != Some(count) || one("_sum").is_none_or(|sum| sum < 0.0) {
            return Err(format!("{name} {labels:?} lacks +Inf, _count or _sum, or they do not agree"));
        }
    }
    Ok(())
}

/// No sample of one family is called as one of another.
fn clashes(families: &BTreeMap<String, Family>) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for (name, family) in families {
        for suffix in suffixes(&family.kind).iter().chain(&[""]).collect::<BTreeSet<_>>() {
            if !taken.insert(format!("{name}{suffix}")) {
                return Err(format!("{name}{suffix} has two meanings"));
            }
        }
    }
    Ok(())
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, behind) = rest.split_once("=\"")?;
            let mut escaped = false;
            let end = behind.char_indices().find(|&(_, c)| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            let value = unescape(&behind[..end.0], true)?;
            let is_new = labels.insert(label.to_owned(), value).is_none();
            if !is_new || !is_name(label) || label.contains(':') || label.starts_with("__") {
                return None;
            }
            rest = &behind[end.0 + 1..];
            match rest.split_at_checked(1)? {
                (",", behind) => rest = behind,
                ("}", behind) => {
                    rest = behind;
                    break;
                }
                _ => return None,
            }
        }
    }
    is_name(name).then_some(())?;
    Some((name.to_owned(), labels, number(rest.strip_prefix(' ')?)?))
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "NaN" => Some(f64::NAN),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => text.parse().ok(),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(good) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

fn unescape(text: &str, quotes: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                '\\' => '\\',
                '"' => '"',
                _ => return None,
            },
            '"' if quotes => return None,
            c => c,
        });
    }
    Some(out)
}

#[test]
fn broken_pages_are_refused() {
    let good = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Text.\na_seconds_total{x=\"\\\"\"} 1\n\
                # TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3.5\n# EOF\n";
    assert_eq!(read(good).map(|families| families.len()), Ok(2));
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF\n\n"),
        ("a_seconds_total", "a_seconds"),
        ("seconds seconds", "seconds bytes"),
        ("} 1\n", "} -1\n"),
        ("} 1\n", "} one\n"),
        ("} 1\n", "} 1 \n"),
        ("} 1\n", "} 1\n\n"),
        ("x=\"\\\"\"", "x=\"\"\""),
        ("x=\"\\\"\"", "x=\"\\q\""),
        ("x=\"\\\"\"", "x=\"1\",x=\"2\""),
        ("x=\"\\\"\"", "9=\"1\""),
        ("# TYPE h histogram", "# TYPE h summary"),
        ("le=\"+Inf\"", "le=\"0.5\""),
        ("le=\"1.0\"", "le=\"1\""),
        ("h_bucket{le=\"+Inf\"} 2\n", ""),
        ("h_count 2", "h_count 3"),
        ("h_count 2\n", ""),
        ("} 2\n", "} 0\n"),
        ("# TYPE h histogram", "# TYPE a_seconds histogram"),
        ("h_sum 3.5\n", "h_sum 3.5\na_seconds_total 2\n"),
        ("h_sum 3.5\n", "h_sum 3.5\nh_sum 3.5\n"),
        ("# HELP a_seconds Text.", "# hello"),
        ("h_sum 3.5\n", "h_sum 3.5\n# TYPE h_sum gauge\nh_sum 1\n"),
    ] {
        assert!(good.contains(from), "{from}");
        assert!(read(&good.replacen(from, to, 1)).is_err(), "{from:?} -> {to:?}");
    }
}
