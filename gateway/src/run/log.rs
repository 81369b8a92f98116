//! Messages on standard error, from a level up that can change while the gateway runs.

use gateway::inform;
use std::sync::{OnceLock, PoisonError, RwLock};

use env_filter::Filter;
use env_logger::Logger;
use log::{LevelFilter, Log, Metadata, Record};

/// Prints what the filter in force lets through.
struct Adjustable {
    printer: Logger,
    filter: RwLock<Filter>,
}

static LOGGER: OnceLock<Adjustable> = OnceLock::new();

/// Starts to print messages from `level` up; of DPDK's own at least warnings. RUST_LOG refines that
/// (`RUST_LOG=dpdk=debug`).
pub fn start(level: &str) {
    let more = std::env::var("RUST_LOG").unwrap_or_default();
    let filter =
        filter(&format!("{},{more}", with_dpdk(level))).unwrap_or_else(|()| env_filter::Builder::new().build());
    let mut printer = env_logger::Builder::new();
    let printer = printer.filter_level(LevelFilter::Trace).format_target(false).build();
    let most = filter.filter();
    if LOGGER.set(Adjustable { printer, filter: RwLock::new(filter) }).is_ok()
        && let Some(logger) = LOGGER.get()
        && log::set_logger(logger).is_ok()
    {
        log::set_max_level(most);
    }
}

/// Prints from another level up: a word such as `debug`, or in detail as RUST_LOG has it (`info,dpdk=debug`).
pub fn set(level: &str) -> Result<(), String> {
    let Some(logger) = LOGGER.get() else { return Err("this process does not log".into()) };
    let filter = filter(&with_dpdk(level)).map_err(|()| {
        format!("'{level}' is no level; use error, warn, info, debug or trace, or in detail like 'info,dpdk=debug'")
    })?;
    let most = filter.filter();
    *logger.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
    log::set_max_level(most);
    inform!("messages are printed from another level up"; level = level);
    Ok(())
}

/// A level for everything stands for DPDK too, which says at `info` what only developers want to know.
fn with_dpdk(level: &str) -> String {
    let dpdk = if level == "info" { "warn" } else { level };
    if level.contains(['=', ',']) { level.to_owned() } else { format!("{level},dpdk={dpdk}") }
}

fn filter(text: &str) -> Result<Filter, ()> {
    env_filter::Builder::new().try_parse(text.trim_end_matches(',')).map(|builder| builder.build()).map_err(|_| ())
}

impl Log for Adjustable {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.read().unwrap_or_else(PoisonError::into_inner).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.filter.read().unwrap_or_else(PoisonError::into_inner).matches(record) {
            self.printer.log(record);
        }
    }

    fn flush(&self) {
        self.printer.flush();
    }
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    #[test]
    fn a_level_is_for_everything_and_dpdk_is_quieter_at_info() {
        let prints = |text: &str, target: &str, level: Level| {
            filter(&with_dpdk(text)).expect("a level").enabled(&Metadata::builder().target(target).level(level).build())
        };
        assert!(prints("info", "gateway", Level::Info) && !prints("info", "dpdk", Level::Info));
        assert!(prints("debug", "dpdk", Level::Debug) && !prints("warn", "gateway", Level::Info));
        assert!(prints("warn,dpdk=debug", "dpdk", Level::Debug) && !prints("warn,dpdk=debug", "gateway", Level::Info));
        assert!(filter(&with_dpdk("loud")).is_err());
    }
}
