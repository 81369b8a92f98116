//! `causeway explain`: what becomes of a frame, step by step.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};
use config::types::Mac;
use gateway::decode;
use gateway::telemetry::{ExplainAsk, Request, Show, ask};

use super::show::print;
use super::{Refusal, Socket, pcap};

pub const HELP: &str = "\
Examples:
  causeway explain --port srv1 --vlan 10 --dst 02:00:00:00:00:05
  causeway explain --port srv1 --vlan 10 --dst ff:ff:ff:ff:ff:ff --size 1500
  causeway explain --port up0 --pcap capture.pcapng --number 7
  causeway explain --port srv1 --frame 'ffffffffffff 020000000001 8100000a 0806 …' --json

The frame takes the real path through a scratch core with the tables and MACs in force, so the answer is what the
cores do. Nothing is sent, counted or learned. What depends on load (full queues, policing) is left out.
The exit status is 0 whatever becomes of the frame.";

/// Which frame.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["dst", "frame", "pcap"])))]
pub struct Explain {
    /// Port that the frame comes in at, by its name
    #[arg(long, value_name = "NAME")]
    port: String,
    /// Its tag: 10, untagged, or 300.7 (outer.inner) [default: the port's only one]
    #[arg(long, value_name = "VLAN", conflicts_with_all = ["frame", "pcap"])]
    vlan: Option<String>,
    /// Destination MAC of a frame made for the question
    #[arg(long, value_name = "MAC")]
    dst: Option<Mac>,
    /// Source MAC [default: one that is known there]
    #[arg(long, value_name = "MAC", requires = "dst")]
    src: Option<Mac>,
    /// Bytes behind its Ethernet header and tags [default: 46]
    #[arg(long, value_name = "BYTES", requires = "dst")]
    size: Option<usize>,
    /// The frame itself, as hexadecimal digits from the destination MAC on, without FCS
    #[arg(long, value_name = "HEX")]
    frame: Option<String>,
    /// A frame of a capture (pcap or pcapng; '-' reads standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pcap: Option<PathBuf>,
    /// Which frame of the capture, from 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "pcap", value_parser = clap::value_parser!(u64).range(1..))]
    number: u64,
    /// Print JSON for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

/// Asks and prints.
pub fn explain(asked: Explain) -> Result<(), Refusal> {
    let Explain { port, vlan, dst, src, size, frame, pcap, number, json, socket } = asked;
    let body = match (frame, pcap) {
        // Read here already: what is wrong with it is the command line's fault.
        (Some(digits), _) => decode::hex(&decode::bytes(&digits)?),
        (None, Some(file)) => decode::hex(&pcap::read(&file, number)?),
        (None, None) => String::new(),
    };
    let mac = |mac: Mac| mac.to_string();
    let ask_for = ExplainAsk { port, vlan, dst: dst.map(mac), src: src.map(mac), size };
    let request = Request { body, ..Request::show(Show::Explain(ask_for)).text(!json) };
    match ask(&socket.path(), &request)? {
        serde_json::Value::String(text) => print(&text),
        value => print(&format!("{value:#}\n")),
    }
}
