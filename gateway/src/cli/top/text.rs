//! Rates as text: all that moved.

use gateway::telemetry::table::{Side, Table};

use super::columns::{DROPS, TRAFFIC, WORKERS, drops, traffic, workers};
use super::rates::Rates;

/// All of it as text. VNIs and VTEPs without traffic are counted, not listed.
pub fn text(rates: &Rates) -> String {
    let mut text = format!("Rates over {:.1} s\n", rates.seconds);
    section(&mut text, "Workers", &WORKERS, workers(rates));
    section(&mut text, "Ports", &TRAFFIC, rates.ports.iter().map(traffic).collect());
    for (title, rows) in [("VNIs", &rates.vnis), ("VTEPs", &rates.vteps)] {
        let moved: Vec<_> = rows.iter().filter(|row| row.rx_frames + row.tx_frames + row.dropped > 0.0).collect();
        let still = rows.len() - moved.len();
        section(&mut text, title, &TRAFFIC, moved.into_iter().map(traffic).collect());
        if still > 0 {
            text.push_str(&format!("{still} without traffic\n"));
        }
    }
    section(&mut text, "Drops", &DROPS, drops(rates));
    if rates.left_out > 0 {
        text.push_str(&format!("\n{} more ports, VNIs and VTEPs: ask for them with --limit\n", rates.left_out));
    }
    text
}

fn section<const N: usize>(
    text: &mut String,
    title: &str,
    columns: &[(&'static str, Side); N],
    rows: Vec<[String; N]>,
) {
    text.push_str(&format!("\n{title}\n"));
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new(columns);
    rows.into_iter().for_each(|row| table.row(row));
    text.push_str(&table.to_string());
}

#[cfg(test)]
mod tests {
    use super::super::rates::rates;
    use super::*;

    #[test]
    fn as_text_what_stands_still_is_counted() {
        let text = text(&rates());
        assert!(text.contains("Workers\nCORE  LOAD  IN PPS"), "{text}");
        assert!(text.contains("VTEPs\n1 without traffic\n"), "{text}");
        assert!(text.contains("unknown-vlan     12.0") || text.contains("unknown-vlan       12"), "{text}");
        assert!(text.ends_with("7 more ports, VNIs and VTEPs: ask for them with --limit\n"), "{text}");
    }
}
