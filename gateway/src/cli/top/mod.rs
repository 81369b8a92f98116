//! `causeway top`: what passes right now, by port, VNI and VTEP, what is dropped, and how busy the workers are.

mod columns;
mod draw;
mod keys;
mod rates;
mod text;
mod view;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::control::top::TopView;
use gateway::telemetry::{Request, Show, ask};

use self::keys::{KEYS, Wish, key};
use self::rates::Rates;
use self::view::View;
use super::{Refusal, Socket};

/// What is said below the help.
pub const HELP: &str = "\
Examples:
  causeway top                              Tab chooses a table, arrows scroll it; q quits
  causeway top --once                       two looks a second apart, then the rates as text
  causeway top --once --json | jq '.ports[] | {name, rx_bits}'

Tab and Shift-Tab choose a table; arrows, Page Up, Page Down, Home and End (or j, k, g, G) move in it; Enter gives it the
screen, and Enter or Esc takes it back; space stops the picture; q, Esc or Ctrl-C quits.

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
            false => super::show::print(&text::text(&rates)),
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
    let (mut view, mut news) = (View::default(), Some("the first rates come in a moment; q quits".to_owned()));
    let status = format!("{KEYS}  every {:.1} s", interval.as_secs_f64());
    let mut next = Instant::now() + interval;
    while !stop.load(Ordering::Relaxed) {
        let heading = socket.display().to_string();
        let shown = match &news {
            _ if frozen => "the picture is stopped: space goes on, q quits",
            Some(news) => news.as_str(),
            None => &status,
        };
        let drawn = screen.0.draw(|frame| draw::screen(frame, &rates, &heading, shown, &mut view));
        drawn.map_err(|error| format!("cannot draw on this terminal any more ({error})"))?;
        let left = next.saturating_duration_since(Instant::now());
        match key(left) {
            Ok(Some(Wish::Leave)) if view.alone => view.alone = false,
            Ok(Some(Wish::Quit | Wish::Leave)) => return Ok(()),
            Ok(Some(Wish::Freeze)) => frozen = !frozen,
            Ok(Some(Wish::Turn { back })) => view.turn(back),
            Ok(Some(Wish::Alone)) => view.alone = !view.alone,
            Ok(Some(Wish::Go(step))) => view.go(step),
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
                (before, news) = (now, None);
            }
            Err(refusal) => news = Some(refusal),
        }
    }
    Ok(())
}
