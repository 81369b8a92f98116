//! The page: OpenMetrics 1.0 for who asks for it, and else the older text format of Prometheus (0.0.4).

use std::fmt::Write;

use super::families::{Family, Group, Histogram, Value, Visitor, visit};
use crate::control::measures::Measures;

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus 0.0.4.
    Prometheus,
}

impl Format {
    /// What the client takes, by its header `Accept`.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// For the header `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The page of metrics.
pub fn page(measures: &Measures, format: Format) -> String {
    let mut page = Page { text: String::new(), format };
    visit(measures, &mut page);
    if format == Format::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

struct Page {
    text: String,
    format: Format,
}

impl Visitor for Page {
    fn visit<T>(&mut self, group: &'static Group<T>, rows: &[T]) {
        let labels: Vec<String> = rows.iter().map(|row| labels(group.labels, &(group.values)(row))).collect();
        for family in group.families {
            self.family(group, family, rows, &labels);
        }
    }
}

impl Page {
    fn family<T>(&mut self, group: &Group<T>, family: &Family<T>, rows: &[T], labels_of: &[String]) {
        let outline = group.outline(family);
        let samples = outline.samples();
        let before = self.text.len();
        // In the older format a family is called as its samples are, and there is no kind "info".
        let (name, kind) = match (self.format, outline.kind) {
            (Format::OpenMetrics, kind) => (&outline.name, kind),
            (Format::Prometheus, "info") => (&samples[0], "gauge"),
            (Format::Prometheus, "counter") => (&samples[0], "counter"),
            (Format::Prometheus, kind) => (&outline.name, kind),
        };
        self.line(format_args!("# TYPE {name} {kind}"));
        if let Some(unit) = outline.unit()
            && self.format == Format::OpenMetrics
        {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {}", outline.help.replace('\\', "\\\\")));
        let head = self.text.len();
        for (row, labels_of) in rows.iter().zip(labels_of) {
            let set = braced(labels_of);
            match &family.value {
                Value::Counter(value) => {
                    if let Some(value) = value(row) {
                        self.line(format_args!("{}{set} {value}", samples[0]));
                    }
                }
                Value::Gauge(value) => {
                    if let Some(value) = value(row) {
                        self.line(format_args!("{}{set} {value}", samples[0]));
                    }
                }
                Value::Info(names, values) => {
                    let set = braced(&joined(labels_of, &labels(names, &values(row))));
                    self.line(format_args!("{}{set} 1", samples[0]));
                }
                Value::Histogram(value) => {
                    if let Some(histogram) = value(row) {
                        self.histogram(&samples, labels_of, &histogram);
                    }
                }
            }
        }
        // A family without samples says nothing.
        if self.text.len() == head {
            self.text.truncate(before);
        }
    }

    fn histogram(&mut self, samples: &[String], labels_of: &str, histogram: &Histogram) {
        let mut count = 0;
        for (most, more) in &histogram.classes {
            count += more;
            let set = braced(&joined(labels_of, &format!("le=\"{most:?}\"")));
            self.line(format_args!("{}{set} {count}", samples[0]));
        }
        count += histogram.above;
        let set = braced(&joined(labels_of, "le=\"+Inf\""));
        self.line(format_args!("{}{set} {count}", samples[0]));
        self.line(format_args!("{}{} {count}", samples[1], braced(labels_of)));
        self.line(format_args!("{}{} {}", samples[2], braced(labels_of), histogram.sum));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn labels(names: &[&str], values: &[String]) -> String {
    let pairs = names.iter().zip(values);
    pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn joined(first: &str, second: &str) -> String {
    if first.is_empty() { second.to_owned() } else { format!("{first},{second}") }
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}
