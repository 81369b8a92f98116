//! The `causeway` command: reads the command line and hands over to [`cli`].
#![deny(unsafe_code)]

mod cli;
// Without DPDK there are no devices to run on, and nothing calls the rest of it.
#[cfg_attr(not(feature = "dpdk"), allow(dead_code))]
mod run;

fn main() -> std::process::ExitCode {
    cli::main()
}
