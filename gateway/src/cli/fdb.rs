//! What is not configuration: MACs by hand, counters from zero, the level of messages.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};
use config::types::Mac;
use gateway::telemetry::{Act, FdbPlace, Request, ask};

use super::show::{Macs, address, print};
use super::{Refusal, Socket};

/// Help for `fdb`.
pub const HELP: &str = "\
Examples:
  causeway fdb add --vni 10010 --mac 02:00:00:00:00:05 --vtep 10.0.0.12
  causeway fdb add --vni 10010 --mac 02:00:00:00:00:06 --port srv1 --vlan 10
  causeway fdb del --vni 10010 --mac 02:00:00:00:00:05
  causeway fdb flush --port srv1
  causeway fdb flush --all

Who wins when several say where a MAC is: a 'static' entry of the configuration, then one that was added here, then a
controller's, then what was learned. What was added stays until it is removed, its VLAN, VTEP or VNI goes, or the
gateway stops; 'causeway apply' keeps it. It is not learned over and does not age.";

const ADD_HELP: &str = "\
Examples:
  causeway fdb add --vni servers --mac 02:00:00:00:00:05 --vtep 10.0.0.12
  causeway fdb add --vni servers --mac 02:00:00:00:00:06 --port srv1 --vlan 10";

const DEL_HELP: &str = "\
Example:
  causeway fdb del --vni servers --mac 02:00:00:00:00:05";

const FLUSH_HELP: &str = "\
Examples:
  causeway fdb flush --port srv1
  causeway fdb flush --vni servers --vtep 10.0.0.12
  causeway fdb flush --all";

/// Help for `counters`.
pub const COUNTERS_HELP: &str = "\
Example:
  causeway counters clear && sleep 10 && causeway show drops";

/// Help for `log`.
pub const LOG_HELP: &str = "\
Examples:
  causeway log level debug
  causeway log level info,dpdk=debug";

/// What to do with MACs.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Say where a MAC is, until it is removed again
    #[command(after_help = ADD_HELP)]
    Add(Add),
    /// Remove a MAC: one that was added by hand, or a learned one
    #[command(after_help = DEL_HELP)]
    Del(Del),
    /// Forget learned MACs: those that fit everything that is said
    #[command(after_help = FLUSH_HELP)]
    Flush(Flush),
}

/// `causeway fdb add`.
#[derive(Debug, Args)]
pub struct Add {
    /// In this VNI, by its number or name
    #[arg(long, value_name = "VNI")]
    vni: String,
    /// The MAC
    #[arg(long, value_name = "MAC")]
    mac: Mac,
    /// On this port, by its name
    #[arg(long, value_name = "NAME", conflicts_with = "vtep", required_unless_present = "vtep")]
    port: Option<String>,
    /// With this VLAN of the port: 10, untagged, 300.7 (outer.inner); needed when several lead to the VNI
    #[arg(long, value_name = "TAGS", requires = "port")]
    vlan: Option<String>,
    /// Behind this VTEP
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    vtep: Option<IpAddr>,
    /// Through this encapsulation [default: the VNI's own]
    #[arg(long, requires = "vtep")]
    encap: Option<Encap>,
    #[command(flatten)]
    socket: Socket,
}

/// The encapsulations.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Encap {
    Vxlan,
    Geneve,
}

/// `causeway fdb del`.
#[derive(Debug, Args)]
pub struct Del {
    /// In this VNI, by its number or name
    #[arg(long, value_name = "VNI")]
    vni: String,
    /// The MAC
    #[arg(long, value_name = "MAC")]
    mac: Mac,
    #[command(flatten)]
    socket: Socket,
}

/// `causeway fdb flush`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["all", "vni", "port", "vtep", "mac"]))]
pub struct Flush {
    /// All of them
    #[arg(long, conflicts_with_all = ["vni", "port", "vtep", "mac"])]
    all: bool,
    #[command(flatten)]
    macs: Macs,
    #[command(flatten)]
    socket: Socket,
}

/// What to do with counters.
#[derive(Debug, Subcommand)]
pub enum Counters {
    /// Let 'causeway show' count from zero (metrics count on; a restart shows everything again)
    #[command(after_help = COUNTERS_HELP)]
    Clear {
        #[command(flatten)]
        socket: Socket,
    },
}

/// What to do with messages.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Print messages from another level up, until the gateway stops
    #[command(after_help = LOG_HELP)]
    Level {
        /// error, warn, info, debug or trace; or in detail, like 'info,dpdk=debug'
        level: String,
        #[command(flatten)]
        socket: Socket,
    },
}

/// Does it.
pub fn fdb(what: What) -> Result<(), Refusal> {
    match what {
        What::Add(Add { vni, mac, port, vlan, vtep, encap, socket }) => {
            let encap = encap.map(|encap| if matches!(encap, Encap::Vxlan) { "vxlan" } else { "geneve" }.to_owned());
            let place = FdbPlace { vni, mac: mac.to_string(), port, vlan, vtep, encap };
            let done = ask(&socket.path(), &Request::act(Act::FdbAdd(place)))?;
            print(&format!("{mac} is at {}\n", done["place"].as_str().unwrap_or_default()))
        }
        What::Del(Del { vni, mac, socket }) => {
            ask(&socket.path(), &Request::act(Act::FdbDel { vni, mac: mac.to_string() }))?;
            print(&format!("{mac} is removed\n"))
        }
        What::Flush(Flush { all: _, macs, socket }) => {
            let done = ask(&socket.path(), &Request::act(Act::FdbFlush(macs.filter())))?;
            let count = done["forgotten"].as_u64().unwrap_or_default();
            print(&format!("learned MACs forgotten: {count}\n"))
        }
    }
}

/// Does it.
pub fn counters(Counters::Clear { socket }: Counters) -> Result<(), Refusal> {
    ask(&socket.path(), &Request::act(Act::CountersClear))?;
    print("'causeway show' counts from zero\n")
}

/// Does it.
pub fn log(Log::Level { level, socket }: Log) -> Result<(), Refusal> {
    ask(&socket.path(), &Request::act(Act::LogLevel { level: level.clone() }))?;
    print(&format!("messages are printed from '{level}' up\n"))
}
