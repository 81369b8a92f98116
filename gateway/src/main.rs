//! The `causeway` command: reads the command line and hands over to [`cli`].
#![deny(unsafe_code)]

mod cli;
mod run;

fn main() -> std::process::ExitCode {
    cli::main()
}
