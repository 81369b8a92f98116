//! What of the screen the reader looks at: which table the keys move, how far each has been moved, and whether one has
//! the screen to itself.

use std::ops::Range;

/// The tables, in the order in which Tab goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Ports,
    Vnis,
    Vteps,
    Drops,
    Workers,
}

/// How many tables there are.
const PARTS: usize = 5;

/// Ways to move within a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// Where the reader is.
#[derive(Debug)]
pub struct View {
    /// The table that keys move.
    pub part: Part,
    /// It has the screen to itself.
    pub alone: bool,
    /// The first row shown of each table.
    first: [usize; PARTS],
    /// Rows that the table had room for when it was drawn last.
    room: [usize; PARTS],
}

impl Default for View {
    fn default() -> Self {
        Self { part: Part::Ports, alone: false, first: [0; PARTS], room: [1; PARTS] }
    }
}

impl View {
    /// To the next table, or the one before.
    pub fn turn(&mut self, back: bool) {
        const ORDER: [Part; PARTS] = [Part::Ports, Part::Vnis, Part::Vteps, Part::Drops, Part::Workers];
        self.part = ORDER[(self.part as usize + if back { PARTS - 1 } else { 1 }) % PARTS];
    }

    /// Moves within the table; [`View::window`] keeps it inside.
    pub fn go(&mut self, step: Step) {
        let (first, page) = (&mut self.first[self.part as usize], self.room[self.part as usize].max(1));
        *first = match step {
            Step::Up => first.saturating_sub(1),
            Step::Down => first.saturating_add(1),
            Step::PageUp => first.saturating_sub(page),
            Step::PageDown => first.saturating_add(page),
            Step::Home => 0,
            Step::End => usize::MAX,
        };
    }

    /// Which of so many rows are shown where `room` of them fit. The last page stays full.
    pub fn window(&mut self, part: Part, rows: usize, room: usize) -> Range<usize> {
        let first = &mut self.first[part as usize];
        *first = (*first).min(rows.saturating_sub(room));
        self.room[part as usize] = room;
        *first..rows.min(*first + room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_moved_by_rows_and_pages_and_never_past_its_ends() {
        let mut view = View::default();
        let mut after = |step| {
            view.go(step);
            view.window(Part::Ports, 60, 10)
        };
        assert_eq!(after(Step::Up), 0..10);
        assert_eq!(after(Step::PageDown), 10..20);
        assert_eq!(after(Step::PageDown), 20..30);
        assert_eq!(after(Step::End), 50..60);
        assert_eq!(after(Step::Down), 50..60);
        assert_eq!(after(Step::Up), 49..59);
        assert_eq!(after(Step::PageUp), 39..49);
        assert_eq!(after(Step::Home), 0..10);
        assert_eq!(view.window(Part::Ports, 3, 10), 0..3);
        assert_eq!(view.window(Part::Ports, 3, 0), 0..0);
    }

    #[test]
    fn each_table_is_moved_by_itself() {
        let mut view = View::default();
        view.go(Step::End);
        view.turn(false);
        assert_eq!((view.part, view.window(Part::Vnis, 60, 10)), (Part::Vnis, 0..10));
        view.turn(true);
        assert_eq!((view.part, view.window(Part::Ports, 60, 10)), (Part::Ports, 50..60));
        view.turn(true);
        assert_eq!(view.part, Part::Workers);
    }
}
