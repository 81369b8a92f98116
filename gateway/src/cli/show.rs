//! `causeway show`: asks the running gateway and prints what it says.

use std::io::{ErrorKind, IsTerminal, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use config::types::Mac;
use gateway::control::MacOrigin;
use gateway::control::view::FdbView;
use gateway::telemetry::table::{WIDTH, clip};
use gateway::telemetry::{
    DropFilter, FDB_PAGE, FdbFilter, Line, PortFilter, Request, Show, VniFilter, VtepFilter, ask, follow, render,
};

use ratatui::crossterm::terminal;

use super::{Refusal, Socket, examples};

/// What to show.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Ports: link, MAC, frames in and out, drops
    #[command(after_help = examples::PORTS)]
    Ports(Ports),
    /// Segments: numbers, encapsulation, attachments, VTEPs, MACs
    #[command(after_help = examples::VNIS)]
    Vnis(Vnis),
    /// Remote tunnel ends: encapsulation, next hop and whether it resolves, when last seen
    #[command(after_help = examples::VTEPS)]
    Vteps(Vteps),
    /// MAC addresses: where each is, who says so, and how old it is
    #[command(after_help = examples::FDB)]
    Fdb(Fdb),
    /// Dropped frames by reason, with what each means and what to do
    #[command(after_help = examples::DROPS)]
    Drops(Drops),
    /// Devices: link, driver, queues, offloads, and what the device itself lost
    #[command(after_help = examples::LINKS)]
    Links(How),
    /// Neighbours in the underlay: the next hops of VTEPs, and whether they resolve
    #[command(after_help = examples::NEXT_HOPS)]
    NextHops(How),
    /// The configuration in force, with every default; 'causeway check' accepts it
    #[command(after_help = examples::CONFIG)]
    Config(How),
    /// Whether all is as it should be: exit status 0 when ready, 3 when degraded
    #[command(after_help = examples::HEALTH)]
    Health(How),
    /// Version, process, uptime and configuration file of the running gateway
    #[command(after_help = examples::VERSION)]
    Version(How),
    /// Worker cores: load, bursts, MACs, hand-overs
    #[command(after_help = examples::WORKERS)]
    Workers(How),
    /// IP addresses that ARP requests and neighbour solicitations are answered for (neigh_suppress)
    #[command(after_help = examples::NEIGHBOURS)]
    Neighbours(Neighbours),
    /// Access lists, rule by rule, with the frames that each decided on
    #[command(after_help = examples::RULES)]
    Rules(How),
    /// Controllers (OVSDB): connection, what they have in force, and rows that are not followed, with reasons
    #[command(after_help = examples::CONTROLLERS)]
    Controllers(How),
}

/// How to show it.
#[derive(Debug, Args)]
pub struct How {
    /// Print JSON for scripts instead of a table
    #[arg(long)]
    json: bool,
    /// Show it again every so many seconds until Ctrl-C [default: 2]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    watch: Option<u32>,
    #[command(flatten)]
    socket: Socket,
}

/// Reads an origin.
fn origins() -> impl TypedValueParser<Value = MacOrigin> {
    PossibleValuesParser::new(["static", "controller", "learned"]).try_map(|word| word.parse::<MacOrigin>())
}

/// Seconds in milliseconds.
fn seconds(text: &str) -> Result<u32, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    match (0.1..=86_400.0).contains(&seconds) {
        true => Ok((seconds * 1000.0) as u32),
        false => Err("between 0.1 and 86400 seconds".into()),
    }
}

/// The address of a VTEP.
pub fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "write an IP address like 10.0.0.12; 'causeway show vteps' lists them".into())
}

/// Which ports.
#[derive(Debug, Args)]
pub struct Ports {
    /// Only the one of this name, in full: addresses, VLANs and their VNIs, bytes
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Which segments.
#[derive(Debug, Args)]
pub struct Vnis {
    /// Only this one, by its number or name, in full: ports, VTEPs, limits, bytes
    #[arg(long, value_name = "VNI")]
    vni: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Which VTEPs.
#[derive(Debug, Args)]
pub struct Vteps {
    /// Only the one with this address, in full: next hops, what it sends, its VNIs
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    vtep: Option<IpAddr>,
    #[command(flatten)]
    how: How,
}

/// Which drops.
#[derive(Debug, Args)]
pub struct Drops {
    /// Only for this reason, by its name
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only on this port, by its name
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Only in this VNI, by its number or name
    #[arg(long, value_name = "VNI", conflicts_with = "port")]
    vni: Option<String>,
    /// Only frames from or to this VTEP
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with_all = ["port", "vni"])]
    vtep: Option<IpAddr>,
    /// And so many of the frames dropped last, for each reason, decoded
    #[arg(long, value_name = "COUNT", num_args = 0..=1, default_missing_value = "3")]
    last: Option<usize>,
    #[command(flatten)]
    how: How,
}

/// Which MACs: those that fit everything that is said.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Macs {
    /// Only those of this VNI, by its number or name
    #[arg(long, value_name = "VNI")]
    vni: Option<String>,
    /// Only those behind this port, by its name
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Only those behind this VTEP
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    vtep: Option<IpAddr>,
    /// Only this MAC
    #[arg(long, value_name = "MAC")]
    mac: Option<Mac>,
}

impl Macs {
    /// The same in the words of the socket.
    pub fn filter(self) -> FdbFilter {
        let Self { vni, port, vtep, mac } = self;
        FdbFilter { vni, port, vtep, mac: mac.map(|mac| mac.to_string()), ..FdbFilter::default() }
    }
}

/// Which rows of the FDB.
#[derive(Debug, Args)]
pub struct Fdb {
    #[command(flatten)]
    macs: Macs,
    /// Only those of this origin
    #[arg(long, value_name = "ORIGIN", value_parser = origins())]
    origin: Option<MacOrigin>,
    /// Only say how many they are
    #[arg(long, conflicts_with = "limit")]
    count: bool,
    /// At most so many; 0 is all [default: 1000 in a table, all in JSON]
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    #[command(flatten)]
    how: How,
}

/// Which addresses.
#[derive(Debug, Args)]
pub struct Neighbours {
    /// Only those of this VNI, by its number or name
    #[arg(long, value_name = "VNI")]
    vni: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Asks and prints.
pub fn show(what: What) -> Result<ExitCode, Refusal> {
    let (show, how) = match what {
        What::Ports(Ports { port, how }) => (Show::Ports(PortFilter { port }), how),
        What::Vnis(Vnis { vni, how }) => (Show::Vnis(VniFilter { vni }), how),
        What::Vteps(Vteps { vtep, how }) => (Show::Vteps(VtepFilter { vtep }), how),
        What::Drops(Drops { reason, port, vni, vtep, last, how }) => {
            (Show::Drops(DropFilter { reason, port, vni, vtep, last }), how)
        }
        What::Links(how) => (Show::Links, how),
        What::NextHops(how) => (Show::NextHops, how),
        What::Config(how) => (Show::Config, how),
        What::Health(how) => (Show::Health, how),
        What::Version(how) => (Show::Version, how),
        What::Workers(how) => (Show::Workers, how),
        What::Neighbours(Neighbours { vni, how }) => (Show::Neighbours(VniFilter { vni }), how),
        What::Rules(how) => (Show::Rules, how),
        What::Controllers(how) => (Show::Controllers, how),
        What::Fdb(Fdb { macs, origin, count, limit, how }) => {
            let limit = limit.or((!how.json).then_some(1000)).filter(|&limit| limit > 0);
            let filter = FdbFilter { origin, count, limit, ..macs.filter() };
            if how.watch.is_none() && !count && limit.is_none_or(|limit| limit > FDB_PAGE) {
                return pages(filter, how).map(|()| ExitCode::SUCCESS);
            }
            (Show::Fdb(filter), how)
        }
    };
    let health = matches!(show, Show::Health);
    let request = Request { every_ms: how.watch, ..Request::show(show).text(!how.json) };
    let path = how.socket.path();
    if how.watch.is_some() {
        return watch(&path, &request).map(|()| ExitCode::SUCCESS);
    }
    let answer = ask(&path, &request)?;
    // People see the word in the first line, scripts in a field.
    let degraded =
        health && (answer["state"] == "degraded" || answer.as_str().is_some_and(|s| s.starts_with("degraded")));
    match answer {
        serde_json::Value::String(table) => print(&table)?,
        value => print(&format!("{value:#}\n"))?,
    }
    Ok(if degraded { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Prints it again and again: over the old one on a terminal, below it elsewhere, and JSON as a line each time.
fn watch(socket: &Path, request: &Request) -> Result<(), Refusal> {
    let screen = std::io::stdout().is_terminal();
    let mut printed = Ok(true);
    let mut first = true;
    let end = follow(socket, request, |line| {
        let Line::Value(value) = line else { return true };
        printed = match value {
            serde_json::Value::String(table) if screen => {
                let (columns, rows) = terminal::size().unwrap_or((WIDTH as u16, u16::MAX));
                let clear = if std::mem::take(&mut first) { "\x1b[2J" } else { "" };
                print_all(&format!("{clear}{}", over(&table, columns.into(), rows.into())))
            }
            serde_json::Value::String(table) => print_all(&format!("{table}\n")),
            value => print_all(&format!("{value}\n")),
        };
        matches!(printed, Ok(true))
    })?;
    match printed? {
        true => Err(format!("it can be shown no longer: {end}")),
        false => Ok(()),
    }
}

/// What puts `text` on a screen in place of what is there: as much as fits, and how much does not.
fn over(text: &str, columns: usize, rows: usize) -> String {
    const NEXT_LINE: &str = "\x1b[K\n";
    let lines: Vec<&str> = text.lines().collect();
    let room = rows.saturating_sub(1);
    let mut shown: Vec<String> = lines.iter().take(room).map(|line| clip(line, columns)).collect();
    if let Some(last) = shown.last_mut().filter(|_| lines.len() > room) {
        let more = lines.len() - room + 1;
        *last = clip(&format!("… and {more} more lines: make the terminal taller, or leave --watch out"), columns);
    }
    format!("\x1b[H{}{NEXT_LINE}\x1b[J", shown.join(NEXT_LINE))
}

/// Prints more MACs than one answer has: asks page by page.
fn pages(mut filter: FdbFilter, how: How) -> Result<(), Refusal> {
    let (json, socket) = (how.json, how.socket.path());
    let most = filter.limit.unwrap_or(usize::MAX);
    let mut rows: Vec<FdbView> = Vec::new();
    loop {
        let page = FDB_PAGE.min(most - rows.len());
        filter.limit = Some(page);
        let answer = ask(&socket, &Request::show(Show::Fdb(filter.clone())))?;
        let got: Vec<FdbView> = serde_json::from_value(answer).map_err(|error| format!("not an answer: {error}"))?;
        let full = got.len() == page;
        rows.extend(got);
        filter.after = rows.last().map(|row| format!("{}/{}", row.vni, row.mac));
        if !full || rows.len() >= most {
            break;
        }
    }
    match json {
        true => print(&format!("{:#}\n", serde_json::json!(rows))),
        false => print(&render::fdb(&rows, rows.len())),
    }
}

/// Prints to standard output; a reader that has seen enough (`head`) is no error.
pub fn print(text: &str) -> Result<(), Refusal> {
    print_all(text).map(drop)
}

/// The same; false when the reader has seen enough.
fn print_all(text: &str) -> Result<bool, Refusal> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot print: {error}")),
        Ok(()) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_never_scrolls_the_screen_away() {
        assert_eq!(over("one\ntwo\n", 80, 24), "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
        assert_eq!(over("a line that is too long\n", 10, 24), "\x1b[Ha line th…\x1b[K\n\x1b[J");
        let tall: String = (0..100).map(|line| format!("{line}\n")).collect();
        let shown = over(&tall, 40, 10);
        assert_eq!(shown.lines().count(), 10, "nine lines and the end of the last one");
        assert!(shown.contains("7\x1b[K\n… and 92 more lines: make the terminal"), "{shown:?}");
        for (columns, rows) in [(0, 0), (1, 1), (3, 2)] {
            over(&tall, columns, rows);
        }
    }
}
