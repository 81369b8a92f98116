//! `causeway show`: asks the running gateway and prints what it says.

use std::io::{ErrorKind, Write};
use std::net::IpAddr;

use clap::{Args, Subcommand};
use config::types::Mac;
use gateway::control::view::FdbView;
use gateway::telemetry::{FDB_PAGE, FdbFilter, NeighbourFilter, Request, Show, ask, render};

use super::{Refusal, Socket};

/// What to show.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Ports: link, MAC, frames in and out, drops
    Ports(How),
    /// Segments: numbers, encapsulation, attachments, VTEPs, MACs
    Vnis(How),
    /// Remote tunnel ends: encapsulation, next hop and whether it resolves
    Vteps(How),
    /// MAC addresses: where each is, who says so, and how old it is
    #[command(after_help = FDB_HELP)]
    Fdb(Fdb),
    /// Dropped frames by reason, with what each means and what to do
    Drops(How),
    /// Worker cores: load, bursts, MACs, hand-overs
    Workers(How),
    /// IP addresses that ARP requests and neighbour solicitations are answered for (neigh_suppress)
    Neighbours(Neighbours),
    /// Access lists, rule by rule, with the frames that each decided on
    Rules(How),
    /// Controllers (OVSDB): connection, what they have in force, and rows that are not followed, with reasons
    Controllers(How),
}

const FDB_HELP: &str = "\
Examples:
  causeway show fdb --vni 10010
  causeway show fdb --mac 02:00:00:00:00:05
  causeway show fdb --port srv1 --limit 0";

/// How to show it.
#[derive(Debug, Args)]
pub struct How {
    /// Print JSON for scripts instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

/// Which MACs.
#[derive(Debug, Args)]
pub struct Fdb {
    /// Only those of this VNI, by its number or name
    #[arg(long, value_name = "VNI")]
    vni: Option<String>,
    /// Only those behind this port, by its name
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Only those behind this VTEP
    #[arg(long, value_name = "ADDRESS")]
    vtep: Option<IpAddr>,
    /// Only this MAC
    #[arg(long, value_name = "MAC")]
    mac: Option<Mac>,
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
pub fn show(what: What) -> Result<(), Refusal> {
    let (show, how) = match what {
        What::Ports(how) => (Show::Ports, how),
        What::Vnis(how) => (Show::Vnis, how),
        What::Vteps(how) => (Show::Vteps, how),
        What::Drops(how) => (Show::Drops, how),
        What::Workers(how) => (Show::Workers, how),
        What::Neighbours(Neighbours { vni, how }) => (Show::Neighbours(NeighbourFilter { vni }), how),
        What::Rules(how) => (Show::Rules, how),
        What::Controllers(how) => (Show::Controllers, how),
        What::Fdb(Fdb { vni, port, vtep, mac, limit, how }) => {
            let mac = mac.map(|mac| mac.to_string());
            let limit = limit.or((!how.json).then_some(1000)).filter(|&limit| limit > 0);
            let filter = FdbFilter { vni, port, vtep, mac, limit, after: None };
            if limit.is_none_or(|limit| limit > FDB_PAGE) {
                return pages(filter, how);
            }
            (Show::Fdb(filter), how)
        }
    };
    let answer = ask(&how.socket.path(), &Request::show(show).text(!how.json))?;
    match answer {
        serde_json::Value::String(table) => print(&table),
        value => print(&format!("{value:#}\n")),
    }
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
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("cannot print: {error}")),
        _ => Ok(()),
    }
}
