//! What holds for every frame and every order of events. `PROPTEST_CASES=10000 cargo test --release --test property` looks
//! longer.

mod support;

#[path = "property/applied.rs"]
mod applied;
#[path = "property/explained.rs"]
mod explained;
#[path = "property/frames.rs"]
mod frames;
#[path = "property/hostile.rs"]
mod hostile;
#[path = "property/order.rs"]
mod order;
#[path = "property/ovsdb.rs"]
mod ovsdb;
#[path = "property/same.rs"]
mod same;
#[path = "property/watched.rs"]
mod watched;

use proptest::test_runner::Config;

/// So many cases, unless the environment asks for more.
fn cases(count: u32) -> Config {
    let count = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { count };
    Config { cases: count, failure_persistence: None, ..Config::default() }
}
