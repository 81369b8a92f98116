//! Rates as tables: on a terminal as many rows as fit, as text all that moved.

use gateway::telemetry::table::{Side, Table, middle};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, Block, Borders, Cell, Row};

use super::rates::{Rates, Traffic};

/// Columns of traffic.
const TRAFFIC: [(&str, Side); 7] = [
    ("", Side::Left),
    ("STATE", Side::Left),
    ("IN PPS", Side::Right),
    ("IN BPS", Side::Right),
    ("OUT PPS", Side::Right),
    ("OUT BPS", Side::Right),
    ("DROPS/S", Side::Right),
];
/// Those of them that a narrow terminal does without, the first one first.
const TRAFFIC_LESS: &[usize] = &[4, 2, 1, 6, 5];
/// Columns of workers.
const WORKERS: [(&str, Side); 6] = [
    ("CORE", Side::Right),
    ("LOAD", Side::Right),
    ("IN PPS", Side::Right),
    ("OUT PPS", Side::Right),
    ("BURST", Side::Right),
    ("CYCLES", Side::Right),
];
/// Those of them that a narrow terminal does without.
const WORKERS_LESS: &[usize] = &[5, 4, 3, 2];
/// Columns of drops.
const DROPS: [(&str, Side); 3] = [("REASON", Side::Left), ("DROPS/S", Side::Right), ("TOTAL", Side::Right)];
/// Those of them that a narrow terminal does without.
const DROPS_LESS: &[usize] = &[2];
/// Below so many columns VTEPs stand under VNIs, not beside them.
const BESIDE: u16 = 110;
/// So many characters of a name are worth more than another column.
const NAME: usize = 24;

/// A rate as people read it.
pub fn short(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".into(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate => gateway::telemetry::table::short(rate.round() as u64),
    }
}

fn traffic(row: &Traffic) -> [String; 7] {
    let state = match row.up {
        Some(true) => "up",
        Some(false) => "down",
        None => "",
    };
    [
        row.name.clone(),
        state.into(),
        short(row.rx_frames),
        short(row.rx_bits),
        short(row.tx_frames),
        short(row.tx_bits),
        short(row.dropped),
    ]
}

fn workers(rates: &Rates) -> Vec<[String; 6]> {
    let row = |worker: &super::rates::Load| {
        [
            worker.core.to_string(),
            format!("{:.0}%", worker.load * 100.0),
            short(worker.rx_frames),
            short(worker.tx_frames),
            format!("{:.1}", worker.burst),
            worker.cycles_per_frame.map_or("-".into(), |cycles| format!("{cycles:.0}")),
        ]
    };
    rates.workers.iter().map(row).collect()
}

fn drops(rates: &Rates) -> Vec<[String; 3]> {
    let row = |drop: &super::rates::Drops| {
        [drop.reason.clone(), short(drop.frames), gateway::telemetry::table::short(drop.total)]
    };
    rates.drops.iter().map(row).collect()
}

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

/// Draws the screen. `status` is the last line.
pub fn screen(frame: &mut Frame<'_>, rates: &Rates, socket: &str, status: &str) {
    let tall = |rows: usize| rows as u16 + 3;
    let upper = tall(rates.workers.len().max(rates.drops.len().min(8)));
    // What VNIs and VTEPs need to say anything is theirs, however many ports there are.
    let most = frame.area().height.saturating_sub(2) / 3;
    let [head, upper, ports, lower, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Max(upper.min(most)),
        Constraint::Max(tall(rates.ports.len()).min(most)),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let sum = |of: fn(&Traffic) -> f64| short(rates.ports.iter().map(of).sum());
    let totals = format!(
        "in {} pps {} bps  out {} pps {} bps  dropped {}/s  {socket}",
        sum(|port| port.rx_frames),
        sum(|port| port.rx_bits),
        sum(|port| port.tx_frames),
        sum(|port| port.tx_bits),
        short(rates.drops.iter().map(|drop| drop.frames).sum()),
    );
    frame.render_widget(Line::from(Span::styled(totals, Style::new().add_modifier(Modifier::BOLD))), head);
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).spacing(1).areas(upper);
    table(frame, left, "Workers", (&WORKERS, WORKERS_LESS), workers(rates), |row| {
        let busy = row[1].trim_end_matches('%').parse::<u32>().is_ok_and(|load| load >= 90);
        if busy { Style::new().fg(Color::Yellow) } else { Style::new() }
    });
    let red_when = |yes: bool| if yes { Style::new().fg(Color::Red) } else { Style::new() };
    table(frame, right, "Drops", (&DROPS, DROPS_LESS), drops(rates), |row| red_when(row[1] != "0"));
    let rows = |rows: &[Traffic]| rows.iter().map(traffic).collect::<Vec<_>>();
    let style = |row: &[String; 7]| red_when(row[1] == "down");
    let columns = (&TRAFFIC, TRAFFIC_LESS);
    table(frame, ports, "Ports", columns, rows(&rates.ports), style);
    let halves = if lower.width < BESIDE { Layout::vertical } else { Layout::horizontal };
    let [first, second] = halves([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1).areas(lower);
    table(frame, first, "VNIs, the busiest first", columns, rows(&rates.vnis), style);
    table(frame, second, "VTEPs, the busiest first", columns, rows(&rates.vteps), style);
    frame.render_widget(Line::from(Span::styled(status, Style::new().add_modifier(Modifier::DIM))), foot);
}

/// A table as wide as `area`: columns that nobody fills and, where names would have no room, those that matter least
/// (`columns.1`) are left out, and names lose their middle.
fn table<const N: usize>(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    (columns, less): (&[(&'static str, Side); N], &[usize]),
    rows: Vec<[String; N]>,
    style: impl Fn(&[String; N]) -> Style,
) {
    let height = usize::from(area.height.saturating_sub(2));
    let title = match rows.len() > height {
        true => format!(" {title} ({height} of {}) ", rows.len()),
        false => format!(" {title} "),
    };
    let widest = |column: usize| {
        let cells = rows.iter().take(height).map(|row| row[column].chars().count());
        cells.chain([columns[column].0.len()]).max().unwrap_or(0)
    };
    let empty = |column: usize| rows.iter().all(|row| row[column].is_empty());
    let mut shown: Vec<usize> = (0..N).filter(|&column| column == 0 || rows.is_empty() || !empty(column)).collect();
    let room = usize::from(area.width);
    let beside = |shown: &[usize]| shown.iter().skip(1).map(|&column| widest(column) + 1).sum::<usize>();
    for column in less {
        if beside(&shown) + widest(0).min(NAME) > room {
            shown.retain(|one| one != column);
        }
    }
    let name = if columns[0].1 == Side::Left { room.saturating_sub(beside(&shown)) } else { widest(0) };
    let widths = shown.iter().map(|&column| if column == 0 { name } else { widest(column) } as u16);
    let widths: Vec<Constraint> = widths.map(Constraint::Length).collect();
    let cells = |texts: Vec<String>| {
        let cells = shown.iter().zip(texts).map(|(&column, text)| {
            let text = if column == 0 { middle(&text, name) } else { text };
            let side = if columns[column].1 == Side::Left { Alignment::Left } else { Alignment::Right };
            Cell::from(Line::from(text).alignment(side))
        });
        Row::new(cells.collect::<Vec<_>>())
    };
    let heading = cells(shown.iter().map(|&column| columns[column].0.to_owned()).collect());
    let body = rows.iter().take(height).map(|row| {
        let texts = shown.iter().map(|&column| row[column].clone()).collect();
        cells(texts).style(style(row))
    });
    let table = widgets::Table::new(body.collect::<Vec<_>>(), widths)
        .header(heading.style(Style::new().add_modifier(Modifier::DIM)))
        .block(Block::new().borders(Borders::TOP).title(title));
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::rates::{Drops, Load};
    use super::*;

    fn rates() -> Rates {
        let row = |name: &str, frames: f64, up| Traffic {
            name: name.into(),
            rx_frames: frames,
            rx_bits: frames * 512.0,
            up,
            ..Traffic::default()
        };
        Rates {
            seconds: 1.0,
            ports: vec![row("up0", 1_500_000.0, Some(true)), row("srv1", 3.5, Some(false))],
            vnis: (0..100).map(|number| row(&format!("vni-{number}"), 100.0 - f64::from(number), None)).collect(),
            vteps: vec![row("10.0.0.12 vxlan", 0.0, Some(true))],
            drops: vec![Drops { reason: "unknown-vlan".into(), frames: 12.0, total: 34 }],
            workers: vec![Load { core: 2, load: 0.97, burst: 31.5, cycles_per_frame: Some(48.0), ..Load::default() }],
            left_out: 7,
        }
    }

    fn drawn(width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| screen(frame, &rates(), "/run/causeway.sock", "q quits")).expect("drawn");
        let buffer = terminal.backend().buffer();
        let cells = buffer.content.chunks(usize::from(width));
        cells.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_screen_shows_every_part_and_says_what_did_not_fit() {
        let lines = drawn(120, 30);
        let all = lines.join("\n");
        assert!(lines[0].starts_with("in 1.50M pps 768M bps"), "{all}");
        for part in
            ["Workers", "97%", "48", "unknown-vlan", "up0", "down", "vni-0", "10.0.0.12 vxlan", "VNIs, the busiest"]
        {
            assert!(all.contains(part), "{part}:\n{all}");
        }
        assert!(all.contains("of 100)"), "{all}");
        assert_eq!(lines.last().map(String::as_str), Some("q quits"), "{all}");
    }

    #[test]
    fn an_ordinary_terminal_shows_names_and_whole_headings() {
        let lines = drawn(80, 24);
        let all = lines.join("\n");
        for whole in
            ["IN PPS  IN BPS OUT PPS OUT BPS DROPS/S", "vni-0", "10.0.0.12 vxlan", "unknown-vlan", "dropped 12/s"]
        {
            let whole = whole.split_whitespace().collect::<Vec<_>>().join(" ");
            let found = lines.iter().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").contains(&whole));
            assert!(found, "{whole}:\n{all}");
        }
        // Names come before rates.
        let all = drawn(40, 24).join("\n");
        for part in ["97%", "unkn…lan", "srv1", "vni-0", "10.0.0.12 vxlan", "IN BPS"] {
            assert!(all.contains(part), "{part}:\n{all}");
        }
    }

    #[test]
    fn any_size_of_terminal_can_be_drawn_on() {
        for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (40, 100), (300, 3)] {
            assert_eq!(drawn(width, height).len(), usize::from(height));
        }
    }

    #[test]
    fn as_text_what_stands_still_is_counted() {
        let text = text(&rates());
        assert!(text.contains("Workers\nCORE  LOAD  IN PPS"), "{text}");
        assert!(text.contains("VTEPs\n1 without traffic\n"), "{text}");
        assert!(text.contains("unknown-vlan     12.0") || text.contains("unknown-vlan       12"), "{text}");
        assert!(text.ends_with("7 more ports, VNIs and VTEPs: ask for them with --limit\n"), "{text}");
    }

    #[test]
    fn rates_are_short() {
        let all = [0.0, 0.25, 9.94, 9.96, 99_999.0, 1_234_567.0].map(short);
        assert_eq!(all, ["0", "0.2", "9.9", "10", "99999", "1.23M"]);
    }
}
