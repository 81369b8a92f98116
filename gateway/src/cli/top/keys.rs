//! What keys ask for.

use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::view::Step;

/// The keys, as the last line of the screen names them.
pub const KEYS: &str = "q quit  Tab table  \u{2191}\u{2193} PgUp PgDn scroll  Enter enlarge  space stop";

/// What a key asks for.
pub enum Wish {
    Quit,
    /// Out of the table that has the screen to itself, or of the program.
    Leave,
    Freeze,
    /// To another table.
    Turn {
        back: bool,
    },
    /// The screen for one table, or for all again.
    Alone,
    /// Within the table.
    Go(Step),
}

/// Waits for a key, or a change of the terminal's size, at most so long.
pub fn key(most: Duration) -> std::io::Result<Option<Wish>> {
    if !event::poll(most)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Quit),
            KeyCode::Char('q') => Some(Wish::Quit),
            KeyCode::Esc => Some(Wish::Leave),
            KeyCode::Char(' ' | 'p') => Some(Wish::Freeze),
            KeyCode::Tab | KeyCode::Right => Some(Wish::Turn { back: false }),
            KeyCode::BackTab | KeyCode::Left => Some(Wish::Turn { back: true }),
            KeyCode::Enter => Some(Wish::Alone),
            KeyCode::Up | KeyCode::Char('k') => Some(Wish::Go(Step::Up)),
            KeyCode::Down | KeyCode::Char('j') => Some(Wish::Go(Step::Down)),
            KeyCode::PageUp => Some(Wish::Go(Step::PageUp)),
            KeyCode::PageDown => Some(Wish::Go(Step::PageDown)),
            KeyCode::Home | KeyCode::Char('g') => Some(Wish::Go(Step::Home)),
            KeyCode::End | KeyCode::Char('G') => Some(Wish::Go(Step::End)),
            _ => None,
        },
        _ => None,
    })
}
