//! What `causeway explain` prints.

use super::render::{WIDTH, wrap};
use crate::control::explain::view::{ExplainView, FrameView, OutputView};

/// Frames that are shown in full; the JSON has all of them.
const SHOWN: usize = 4;

/// The decision, step by step.
pub fn explain(view: &ExplainView) -> String {
    let mut text = String::new();
    let port = &view.port;
    wrap(&format!("A frame of {} bytes on port {port}: {}", view.frame.length, line(&view.frame)), "", &mut text);
    text.push('\n');
    for step in &view.steps {
        behind(&format!("{:<8} ", step.step), &step.text, &mut text);
    }
    for output in view.outputs.iter().take(SHOWN) {
        text.push('\n');
        show(output, &mut text);
    }
    if view.outputs.len() > SHOWN {
        text.push_str(&format!("\nand {} more: --json shows them\n", view.output_count - SHOWN as u64));
    }
    if view.output_count > 0 {
        for drop in view.drops.iter().take(SHOWN) {
            let to = drop.to.as_ref().map_or(String::new(), |to| format!(" to {}", to.place));
            let hint = drop.hint.as_ref().map_or(String::new(), |hint| format!(" Here: {hint}."));
            text.push('\n');
            wrap(
                &format!("Dropped on the way{to}: {}: {}{hint} {}", drop.reason, drop.meaning, drop.cure),
                "",
                &mut text,
            );
        }
        if view.drops.len() > SHOWN {
            text.push_str(&format!("and {} more drops: --json shows them\n", view.drop_count - SHOWN as u64));
        }
    }
    text.push_str(&format!("\nVerdict: {}\n", verdict(view)));
    text
}

fn verdict(view: &ExplainView) -> String {
    let frames = |count: u64| if count == 1 { "1 frame".into() } else { format!("{count} frames") };
    match (view.verdict.as_str(), view.drops.first()) {
        ("dropped", Some(drop)) => format!("dropped, {}", drop.reason),
        (verdict, _) if view.drop_count > 0 => {
            format!("{verdict}, {} out, {} dropped", frames(view.output_count), frames(view.drop_count))
        }
        (verdict, _) => format!("{verdict}, {} out", frames(view.output_count)),
    }
}

fn line(frame: &FrameView) -> String {
    frame.headers.iter().map(|header| header.header.as_str()).collect::<Vec<_>>().join(", ")
}

/// A frame that leaves: where, its headers, its bytes.
fn show(output: &OutputView, text: &mut String) {
    let to = match (&output.to, &output.next_hop) {
        (Some(to), Some(hop)) => format!(" to {}, next hop {}", to.place, hop.mac),
        (Some(to), None) => format!(" to {}", to.place),
        (None, _) => String::new(),
    };
    let fit = output.mtu.as_ref().map_or(String::new(), |fit| format!(", {} of {} bytes of MTU", fit.size, fit.limit));
    wrap(&format!("Out of port {}{to}: {} bytes{fit}", output.port, output.frame.length), "", text);
    for header in &output.frame.headers {
        let more = if header.detail.is_empty() { String::new() } else { format!(" ({})", header.detail) };
        wrap(&format!("{}{more}", header.header), "    ", text);
    }
    text.push_str(&dump(&output.frame.hex));
}

/// Bytes shown of a frame.
const BYTES: usize = 128;

/// Hexadecimal digits in rows of 16 bytes.
pub fn dump(hex: &str) -> String {
    let mut text = String::new();
    let digits = &hex.as_bytes()[..hex.len().min(2 * BYTES)];
    for (row, line) in digits.chunks(32).enumerate() {
        text.push_str(&format!("    {:04x} ", row * 16));
        for byte in line.chunks(2) {
            text.push(' ');
            text.push_str(&String::from_utf8_lossy(byte));
        }
        text.push('\n');
    }
    if hex.len() > 2 * BYTES {
        text.push_str(&format!("    … {} bytes more\n", hex.len() / 2 - BYTES));
    }
    text
}

/// Appends `body` behind `head`, the lines after the first as far in.
pub(super) fn behind(head: &str, body: &str, text: &mut String) {
    let mut wrapped = String::new();
    let indent = " ".repeat(head.chars().count());
    wrap(body, &indent, &mut wrapped);
    text.push_str(head);
    text.push_str(wrapped.get(indent.len()..).unwrap_or_default());
    debug_assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 1));
}
