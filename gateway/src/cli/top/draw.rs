//! Rates on a terminal: as many rows of each table as fit, of which the reader says where.

use gateway::telemetry::table::{Side, middle};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, Block, Borders, Cell, Row};

use super::columns::{DROPS, DROPS_LESS, TRAFFIC, TRAFFIC_LESS, WORKERS, WORKERS_LESS, drops, short, traffic, workers};
use super::rates::{Rates, Traffic};
use super::view::{Part, View};

/// Below so many columns VTEPs stand under VNIs, not beside them.
const BESIDE: u16 = 110;
/// So many characters of a name are worth more than another column.
const NAME: usize = 24;

/// Draws the screen, of each table the rows that `view` says. `status` is the last line.
pub fn screen(frame: &mut Frame<'_>, rates: &Rates, socket: &str, status: &str, view: &mut View) {
    let areas = Areas::of(frame.area(), rates, view);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::from(Span::styled(totals(rates, socket), bold)), areas.head);
    for (part, area) in areas.parts {
        table(frame, area, rates, part, view);
    }
    frame.render_widget(Line::from(Span::styled(status, Style::new().add_modifier(Modifier::DIM))), areas.foot);
}

/// The first line.
fn totals(rates: &Rates, socket: &str) -> String {
    let sum = |of: fn(&Traffic) -> f64| short(rates.ports.iter().map(of).sum());
    format!(
        "in {} pps {} bps  out {} pps {} bps  dropped {}/s  {socket}",
        sum(|port| port.rx_frames),
        sum(|port| port.rx_bits),
        sum(|port| port.tx_frames),
        sum(|port| port.tx_bits),
        short(rates.drops.iter().map(|drop| drop.frames).sum()),
    )
}

/// Where things stand.
struct Areas {
    head: Rect,
    parts: Vec<(Part, Rect)>,
    foot: Rect,
}

impl Areas {
    fn of(whole: Rect, rates: &Rates, view: &View) -> Self {
        let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
        let [head, middle, foot] = Layout::vertical(rows).areas(whole);
        if view.alone {
            return Self { head, parts: vec![(view.part, middle)], foot };
        }
        let tall = |rows: usize| rows as u16 + 3;
        let upper = tall(rates.workers.len().max(rates.drops.len().min(8)));
        // What VNIs and VTEPs need to say anything is theirs, however many ports there are.
        let most = middle.height / 3;
        let ports = tall(rates.ports.len()).min(most);
        let rows = [Constraint::Max(upper.min(most)), Constraint::Max(ports), Constraint::Fill(1)];
        let [upper, ports, lower] = Layout::vertical(rows).areas(middle);
        let columns = [Constraint::Fill(3), Constraint::Fill(2)];
        let [workers, drops] = Layout::horizontal(columns).spacing(1).areas(upper);
        let halves = if lower.width < BESIDE { Layout::vertical } else { Layout::horizontal };
        let [vnis, vteps] = halves([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1).areas(lower);
        let parts = [
            (Part::Workers, workers),
            (Part::Drops, drops),
            (Part::Ports, ports),
            (Part::Vnis, vnis),
            (Part::Vteps, vteps),
        ];
        Self { head, parts: parts.to_vec(), foot }
    }
}

/// Draws one table.
fn table(frame: &mut Frame<'_>, area: Rect, rates: &Rates, part: Part, view: &mut View) {
    let red_when = |yes: bool| if yes { Style::new().fg(Color::Red) } else { Style::new() };
    let mut draw_traffic = |title, rows: &[Traffic]| {
        let rows = rows.iter().map(traffic).collect();
        grid(frame, area, title, (&TRAFFIC, TRAFFIC_LESS), rows, |row| red_when(row[1] == "down"), (part, view));
    };
    match part {
        Part::Ports => draw_traffic("Ports", &rates.ports),
        Part::Vnis => draw_traffic("VNIs, the busiest first", &rates.vnis),
        Part::Vteps => draw_traffic("VTEPs, the busiest first", &rates.vteps),
        Part::Drops => {
            let style = |row: &[String; 3]| red_when(row[1] != "0");
            grid(frame, area, "Drops", (&DROPS, DROPS_LESS), drops(rates), style, (part, view));
        }
        Part::Workers => {
            let style = |row: &[String; 6]| {
                let busy = row[1].trim_end_matches('%').parse::<u32>().is_ok_and(|load| load >= 90);
                if busy { Style::new().fg(Color::Yellow) } else { Style::new() }
            };
            grid(frame, area, "Workers", (&WORKERS, WORKERS_LESS), workers(rates), style, (part, view));
        }
    }
}

/// A table as wide as `area`: columns that nobody fills and, where names would have no room, those that matter least
/// (`columns.1`) are left out, and names lose their middle.
fn grid<const N: usize>(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    (columns, less): (&[(&'static str, Side); N], &[usize]),
    rows: Vec<[String; N]>,
    style: impl Fn(&[String; N]) -> Style,
    (part, view): (Part, &mut View),
) {
    let height = usize::from(area.height.saturating_sub(2));
    let window = view.window(part, rows.len(), height);
    let title = match rows.len() > height {
        true => format!(" {title} ({}-{} of {}) ", window.start + 1, window.end, rows.len()),
        false => format!(" {title} "),
    };
    let chosen = if view.part == part { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    let widest = |column: usize| {
        let cells = rows[window.clone()].iter().map(|row| row[column].chars().count());
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
    let body = rows[window.clone()].iter().map(|row| {
        let texts = shown.iter().map(|&column| row[column].clone()).collect();
        cells(texts).style(style(row))
    });
    let table = widgets::Table::new(body.collect::<Vec<_>>(), widths)
        .header(heading.style(Style::new().add_modifier(Modifier::DIM)))
        .block(Block::new().borders(Borders::TOP).title(Span::styled(title, chosen)));
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::rates::rates;
    use super::super::view::Step;
    use super::*;

    fn drawn(width: u16, height: u16) -> Vec<String> {
        seen(width, height, &mut View::default())
    }

    fn seen(width: u16, height: u16, view: &mut View) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| screen(frame, &rates(), "/run/causeway.sock", "q quits", view)).expect("drawn");
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
        assert!(all.contains("(1-") && all.contains(" of 100)"), "{all}");
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
    fn every_row_can_be_scrolled_to() {
        let mut view = View::default();
        view.turn(false);
        let mut names = std::collections::HashSet::new();
        let mut last = Vec::new();
        loop {
            let lines = seen(80, 24, &mut view);
            names.extend(lines.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned));
            if lines == last {
                break;
            }
            last = lines;
            view.go(Step::PageDown);
        }
        assert!((0..100).all(|number| names.contains(&format!("vni-{number}"))), "{last:?}");
        assert!(last.join("\n").contains("-100 of 100)"), "{last:?}");
    }

    #[test]
    fn a_table_alone_has_all_lines_but_the_first_and_the_last() {
        let mut view = View::default();
        (view.part, view.alone) = (Part::Vnis, true);
        let lines = seen(80, 24, &mut view);
        assert!(lines[1].contains("VNIs, the busiest first (1-20 of 100)"), "{lines:?}");
        assert!(lines[22].starts_with("vni-19 "), "{lines:?}");
        assert!(!lines.join("\n").contains("Ports"), "{lines:?}");
    }

    #[test]
    fn any_size_of_terminal_can_be_drawn_on() {
        for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (40, 100), (300, 3)] {
            assert_eq!(drawn(width, height).len(), usize::from(height));
        }
    }
}
