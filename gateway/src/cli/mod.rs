//! The command line: what can be asked, in the words of the field, and which module answers.

mod bench;
mod change;
mod check;
mod completions;
mod doctor;
mod examples;
mod explain;
mod fdb;
mod help;
mod hints;
mod man;
mod pcap;
mod show;
mod top;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

const LONG_ABOUT: &str = "\
Causeway bridges VLANs of physical ports into VXLAN and Geneve networks.

A configuration file says which VLAN of which port belongs to which VNI, and where the remote tunnel ends (VTEPs) are. \
'causeway run' takes the ports over with DPDK and forwards until it is told to stop.";

const EXAMPLES: &str = "\
Examples:
  causeway doctor                          is this machine fit for it?
  causeway check gateway.yaml              say everything that is wrong with a file
  causeway run -c gateway.yaml             forward until SIGTERM or Ctrl-C
  causeway apply gateway.yaml              change the running gateway while frames flow
  causeway show drops                      where did my packet go?
  causeway explain --port srv1 --vlan 10 --dst 02:00:00:00:00:05
  causeway trace --port srv1 -w - | tshark -i -
  causeway show fdb --vni 10010 --json     every MAC of one VNI, for scripts

Exit status: 0 done, 1 refused (the message says why and what to do), 2 the command line was not understood.";

/// The configuration that is meant where none is named: the service's.
const FILE: &str = "/etc/causeway/gateway.yaml";

/// A VTEP gateway: VLANs of physical ports to VXLAN and Geneve.
#[derive(Debug, Parser)]
#[command(name = "causeway", version = crate::run::VERSION, long_about = LONG_ABOUT, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the gateway and forward until SIGTERM or Ctrl-C
    #[command(after_help = RUN_HELP)]
    Run {
        /// Configuration file (YAML); 'causeway check' tells whether it is right
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = FILE)]
        config: PathBuf,
        #[command(flatten)]
        socket: Socket,
        /// Least important messages to print on standard error
        #[arg(long, value_name = "LEVEL", default_value = "info", env = "CAUSEWAY_LOG",
              value_parser = ["error", "warn", "info", "debug", "trace"])]
        log: String,
        /// Ends when this process ends, which must be its parent ('causeway bench' and its gateway)
        #[arg(long, value_name = "PID", hide = true)]
        parent: Option<u32>,
    },
    /// Check a configuration file and report every problem with line, column and cure
    #[command(after_help = CHECK_HELP)]
    Check {
        /// Configuration file (YAML)
        #[arg(value_hint = ValueHint::FilePath, default_value = FILE)]
        file: PathBuf,
        /// Print the problems as a JSON list
        #[arg(long)]
        json: bool,
    },
    /// Look at this machine: what would stop the gateway or keep it from line rate, and the cure
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::Doctor),
    /// Ask a running gateway what it does
    #[command(after_help = SHOW_HELP, arg_required_else_help = true)]
    Show {
        #[command(subcommand)]
        what: show::What,
    },
    /// Measure the no-drop rate and the latency of a gateway, here or on another box
    #[command(after_help = bench::HELP)]
    Bench(Box<bench::Bench>),
    /// Say what becomes of a frame, step by step, and why
    #[command(after_help = explain::HELP, arg_required_else_help = true)]
    Explain(explain::Explain),
    /// Watch frames pass: as lines, as JSON, or as a capture for Wireshark
    #[command(after_help = trace::HELP)]
    Trace(trace::Trace),
    /// Say what a configuration file would change in the running gateway
    #[command(after_help = change::PLAN_HELP)]
    Plan(change::Plan),
    /// Put a configuration file in force while frames flow
    #[command(after_help = change::APPLY_HELP)]
    Apply(change::Apply),
    /// Have the running gateway read its own file again and put it in force
    #[command(after_help = change::RELOAD_HELP)]
    Reload(change::Reload),
    /// Keep what 'causeway apply --confirm' has put in force
    #[command(after_help = change::CONFIRM_HELP)]
    Confirm(change::Then),
    /// Go back to the configuration before the last change
    #[command(after_help = change::ROLLBACK_HELP)]
    Rollback(change::Then),
    /// Add, remove or forget MAC addresses of the running gateway
    #[command(after_help = fdb::HELP, arg_required_else_help = true)]
    Fdb {
        #[command(subcommand)]
        what: fdb::What,
    },
    /// Counters of the running gateway
    #[command(after_help = fdb::COUNTERS_HELP, arg_required_else_help = true)]
    Counters {
        #[command(subcommand)]
        what: fdb::Counters,
    },
    /// Messages of the running gateway
    #[command(after_help = fdb::LOG_HELP, arg_required_else_help = true)]
    Log {
        #[command(subcommand)]
        what: fdb::Log,
    },
    /// Watch rates by port, VNI and VTEP, drops and the load of workers
    #[command(after_help = top::HELP)]
    Top(top::Top),
    /// Print the JSON Schema of the configuration file, for editors
    #[command(after_help = SCHEMA_HELP)]
    Schema,
    /// Write a manual page for each command into a directory
    #[command(after_help = MAN_HELP)]
    Man {
        /// Directory, made if need be
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell to complete in
        #[arg(required_unless_present = "names")]
        shell: Option<clap_complete::Shell>,
        /// Names of the running gateway that may follow a line, for the scripts
        #[arg(long, value_name = "LINE", hide = true)]
        names: Option<String>,
    },
}

const RUN_HELP: &str = "\
Examples:
  causeway run                             with the service's file, /etc/causeway/gateway.yaml
  causeway run -c lab.yaml --socket /run/lab.sock --log debug

Once it forwards it logs 'forwarding: 2 ports, 3 VNIs, 2 workers'. On SIGTERM or Ctrl-C it stops within a second and
leaves nothing behind. SIGHUP reads the file again, as 'causeway reload' does: VNIs, VLANs and VTEPs change while frames
flow; a file that is wrong, or that asks for a restart, changes nothing.

It needs root (raw devices, TAP, network namespaces). Several gateways run on one host when each has its own --socket,
cores and devices.";

const CHECK_HELP: &str = "\
Examples:
  causeway check                           the service's file, /etc/causeway/gateway.yaml
  causeway check gateway.yaml
  causeway check gateway.yaml --json | jq '.[].path'

Neither root nor devices are needed. Warnings alone leave the exit status 0.";

const SHOW_HELP: &str = "\
Examples:
  causeway show ports
  causeway show ports --port srv1           all about one: VLANs, VNIs, bytes
  causeway show drops                       every named drop, what it means and what to do
  causeway show fdb --vni 10010 --vtep 10.0.0.12
  causeway show vteps --json --socket /run/lab.sock";

const SCHEMA_HELP: &str = "\
Example:
  causeway schema > causeway.schema.json
  then write as the first line of the configuration:
  # yaml-language-server: $schema=causeway.schema.json";

const MAN_HELP: &str = "\
Example:
  causeway man /usr/local/share/man/man1 && man causeway-run";

const COMPLETIONS_HELP: &str = "\
Example:
  causeway completions bash > /etc/bash_completion.d/causeway

Names of ports, VNIs, VTEPs, MACs and drop reasons are those of the running gateway, asked when the key is pressed.";

/// Which gateway.
#[derive(Debug, clap::Args)]
pub struct Socket {
    /// Socket on which the gateway answers [default: /run/causeway.sock; without root
    /// $XDG_RUNTIME_DIR/causeway.sock]
    #[arg(long = "socket", value_name = "PATH", env = "CAUSEWAY_SOCKET", value_hint = ValueHint::FilePath)]
    path: Option<PathBuf>,
}

impl Socket {
    fn path(self) -> PathBuf {
        self.path.unwrap_or_else(gateway::telemetry::default_socket)
    }
}

/// Why a command did not do what was asked: one line, the cure included.
type Refusal = String;

/// All of the command line.
fn command() -> clap::Command {
    help::flowing(Cli::command())
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let matches = command().try_get_matches().map_err(hints::hinted).unwrap_or_else(|error| error.exit());
    let asked = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match asked.command {
        Command::Run { config, socket, log, parent } => {
            crate::run::log::start(&log);
            let followed = parent.map_or(Ok(()), crate::run::parent::end_with);
            followed.and_then(|()| crate::run::run(&config, &socket.path()))
        }
        Command::Check { file, json } => return check::check(&file, json),
        Command::Doctor(asked) => return doctor::doctor(&asked),
        Command::Show { what } => match show::show(what) {
            Ok(code) => return code,
            Err(refusal) => Err(refusal),
        },
        Command::Top(what) => top::top(what),
        Command::Bench(bench) => {
            crate::run::log::start("error");
            bench::bench(&bench)
        }
        Command::Explain(asked) => explain::explain(asked),
        Command::Trace(asked) => trace::trace(asked),
        Command::Plan(plan) => return change::plan(plan),
        Command::Apply(apply) => change::apply(apply),
        Command::Reload(reload) => return change::reload(reload),
        Command::Confirm(then) => change::confirm(then),
        Command::Rollback(then) => change::rollback(then),
        Command::Fdb { what } => fdb::fdb(what),
        Command::Counters { what } => fdb::counters(what),
        Command::Log { what } => fdb::log(what),
        Command::Schema => show::print(&format!("{:#}\n", config::schema())),
        Command::Man { directory } => man::man(command(), &directory),
        Command::Completions { shell, names } => {
            let script = shell.map(|shell| completions::script(shell, command())).unwrap_or_default();
            let names = completions::names(&names.unwrap_or_default());
            show::print(&names.iter().fold(script, |text, name| text + name + "\n"))
        }
    };
    done.map_or_else(|refusal| refused(&refusal), |()| ExitCode::SUCCESS)
}

/// Says why not.
fn refused(refusal: &str) -> ExitCode {
    eprintln!("causeway: {refusal}");
    ExitCode::from(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
