//! Tables for people: columns that line up, no wider than a terminal needs.

/// Columns of the widest line.
pub const WIDTH: usize = 100;

/// How a column lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
    /// A name, which loses its middle where a line would be too wide, but keeps so many characters: ends tell names apart.
    Name(usize),
    /// A list, which loses its end.
    List(usize),
}

impl Side {
    /// Characters that a column may lose, when its widest cell has so many.
    fn excess(self, width: usize) -> usize {
        match self {
            Self::Left | Self::Right => 0,
            Self::Name(least) | Self::List(least) => width.saturating_sub(least),
        }
    }
}

/// Rows below a heading.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell per column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.into());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Widths of the columns: those of the widest cells, or less where a line would not fit.
    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.columns[column].0.len()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let gaps = 2 * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > WIDTH {
            let excess = |&column: &usize| self.columns[column].1.excess(widths[column]);
            match (0..widths.len()).max_by_key(excess) {
                Some(column) if excess(&column) > 0 => widths[column] -= 1,
                _ => break,
            }
        }
        // What is left over is the first column's: a cell of it that is too long gets a line of its own.
        let over = (widths.iter().sum::<usize>() + gaps).saturating_sub(WIDTH);
        if let Some(first) = widths.first_mut() {
            *first -= over.min(*first);
        }
        widths
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widths = self.widths();
        let heading: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            for (column, ((cell, &(_, side)), &width)) in row.iter().zip(&self.columns).zip(&widths).enumerate() {
                let mut cell = match side {
                    Side::Left | Side::Right => cell.clone(),
                    Side::Name(_) => middle(cell, width),
                    Side::List(_) => clip(cell, width),
                };
                if column > 0 {
                    line.push_str("  ");
                } else if cell.chars().count() > width {
                    writeln!(f, "{cell}")?;
                    cell.clear();
                }
                match side {
                    Side::Right => line.push_str(&format!("{cell:>width$}")),
                    _ => line.push_str(&format!("{cell:<width$}")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `text`, its end cut off behind `width` characters; the JSON has all of it.
pub fn clip(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.into(),
    }
}

/// `text`, its middle cut out behind `width` characters.
pub fn middle(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.into();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

/// A number as people read it: exact up to 99,999, then three digits and k, M, G, T.
pub fn short(number: u64) -> String {
    if number < 100_000 {
        return number.to_string();
    }
    let mut scaled = number as f64;
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        if scaled < 999.5 {
            break;
        }
        scaled /= 1000.0;
        unit = next;
    }
    match scaled {
        x if x < 9.995 => format!("{x:.2}{unit}"),
        x if x < 99.95 => format!("{x:.1}{unit}"),
        x => format!("{x:.0}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let mut table = Table::new(&[("PORT", Side::Left), ("RX", Side::Right), ("NOTE", Side::Left)]);
        table.row(["up0".into(), "7".into(), String::new()]);
        table.row(["server-1".into(), "12345".into(), "up".into()]);
        assert_eq!(table.to_string(), "PORT         RX  NOTE\nup0           7\nserver-1  12345  up\n");
    }

    #[test]
    fn names_are_cut_only_as_far_as_the_width_asks() {
        let row = |name: &str, list: &str| [name.to_owned(), list.to_owned(), "9".into()];
        let mut table = Table::new(&[("PORT", Side::Name(8)), ("CARRIES", Side::List(10)), ("RX", Side::Right)]);
        table.row(row("rack17-server42-eth1-left", "10 20 30"));
        assert!(table.to_string().contains("rack17-server42-eth1-left  10 20 30   9\n"), "{table}");
        table.row(row(&format!("rack17-{}-left", "x".repeat(60)), &"1234 ".repeat(30)));
        let text = table.to_string();
        let last = text.lines().last().expect("a row");
        assert!(last.starts_with("rack17-x") && last.contains("x-left  1234"), "{text}");
        assert!(last.ends_with("…   9") && text.lines().all(|line| line.chars().count() == WIDTH), "{text}");
    }

    #[test]
    fn a_first_cell_that_leaves_no_room_has_a_line_of_its_own() {
        let mut table = Table::new(&[("VTEP", Side::Left), ("STATE", Side::Left)]);
        table.row(["10.0.0.12".into(), "x".repeat(70)]);
        table.row(["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into(), "up".into()]);
        let expected = format!(
            "VTEP{}STATE\n10.0.0.12{}{}\n2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\n{}up\n",
            " ".repeat(26),
            " ".repeat(21),
            "x".repeat(70),
            " ".repeat(30),
        );
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn numbers_stay_short() {
        for (number, shown) in [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100k"),
            (999_499, "999k"),
            (999_500, "1.00M"),
            (1_234_567, "1.23M"),
            (12_345_678, "12.3M"),
            (99_960_000, "100M"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(short(number), shown);
        }
    }
}
