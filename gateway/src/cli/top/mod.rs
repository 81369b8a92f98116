//! `causeway top`: what passes right now, by port, VNI and VTEP, what is dropped, and how busy the workers are.

mod draw;
mod rates;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::control::top::TopView;
use gateway::telemetry::{Request, Show, ask};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::rates::Rates;
use super::{Refusal, Socket};

/// What is said below the help.
pub const HELP: &str = "\
Examples:
  causeway top                              q quits, space stops the picture
  causeway top --once                       two looks a second apart, then the rates as text
  causeway top --once --json | jq '.ports[] | {name, rx_bits}'

Where standard output is no terminal it prints once, as --once does.";

/// How to look.
#[derive(Debug, clap::Args)]
pub struct Top {
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    interval: Duration,
    /// Print the rates of one interval as text and end
    #[arg(long)]
    once: bool,
    /// With --once: print JSON for scripts
    #[arg(long, requires = "once")]
    json: bool,
    /// At most so many ports, VNIs and VTEPs of each kind
    #[arg(long, value_name = "ROWS", default_value = "1000")]
    limit: usize,
    #[command(flatten)]
    socket: Socket,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "give 0.1 to 3600 seconds".into())
}

/// Looks until told to stop.
pub fn top(top: Top) -> Result<(), Refusal> {
    let Top { interval, once, json, limit, socket } = top;
    let socket = socket.path();
    let first = look(&socket, limit)?;
    if once || !std::io::stdout().is_terminal() {
        std::thread::sleep(interval);
        let rates = Rates::between(&first, &look(&socket, limit)?);
        return match json {
            true => super::show::print(&format!("{:#}\n", serde_json::json!(rates))),
            false => super::show::print(&draw::text(&rates)),
        };
    }
    let stop = stop_flag()?;
    let mut screen = Screen::open()?;
    watch(&mut screen, &socket, limit, interval, first, &stop)
}

/// True once somebody wants us to end: then the terminal is put back first.
fn stop_flag() -> Result<Arc<AtomicBool>, Refusal> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| format!("cannot listen for signals ({error}); use --once"))?;
    }
    Ok(stop)
}

/// Counters of this moment.
fn look(socket: &Path, limit: usize) -> Result<TopView, Refusal> {
    let answer = ask(socket, &Request::show(Show::Top { limit }))?;
    serde_json::from_value(answer)
        .map_err(|error| format!("the gateway answers in another way ({error}); use the causeway that it runs"))
}

/// The terminal, ours until this is dropped; a panic gives it back as well.
struct Screen(ratatui::DefaultTerminal);

impl Screen {
    fn open() -> Result<Self, Refusal> {
        ratatui::try_init().map(Self).map_err(|error| {
            ratatui::restore();
            format!("cannot draw on this terminal ({error}); use --once")
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn watch(
    screen: &mut Screen,
    socket: &Path,
    limit: usize,
    interval: Duration,
    first: TopView,
    stop: &AtomicBool,
) -> Result<(), Refusal> {
    let (mut before, mut rates, mut frozen) = (first, Rates::default(), false);
    let mut status = "the first rates come in a moment; q quits".to_owned();
    let mut next = Instant::now() + interval;
    while !stop.load(Ordering::Relaxed) {
        let heading = socket.display().to_string();
        let shown = if frozen { "the picture is stopped: space goes on, q quits" } else { &status };
        let drawn = screen.0.draw(|frame| draw::screen(frame, &rates, &heading, shown));
        drawn.map_err(|error| format!("cannot draw on this terminal any more ({error})"))?;
        let left = next.saturating_duration_since(Instant::now());
        match key(left) {
            Ok(Some(Wish::Quit)) => return Ok(()),
            Ok(Some(Wish::Freeze)) => frozen = !frozen,
            // A signal, or the terminal has gone: the flag tells which.
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(format!("cannot read keys any more ({error})"));
            }
            Ok(None) | Err(_) => {}
        }
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + interval;
        match look(socket, limit) {
            Ok(now) => {
                // Another gateway answers, or the same began anew: its counters have nothing to do with the old ones.
                let restarted = now.at < before.at;
                if !frozen && !restarted {
                    rates = Rates::between(&before, &now);
                }
                status = format!("q quits, space stops the picture; every {:.1} s", interval.as_secs_f64());
                before = now;
            }
            Err(refusal) => status = refusal,
        }
    }
    Ok(())
}

/// What a key asks for.
enum Wish {
    Quit,
    Freeze,
}

/// Waits for a key, or a change of the terminal's size, at most so long.
fn key(most: Duration) -> std::io::Result<Option<Wish>> {
    if !event::poll(most)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Quit),
            KeyCode::Char(' ' | 'p') => Some(Wish::Freeze),
            _ => None,
        },
        _ => None,
    })
}
