//! The tables' columns, and the cells of a row.

use gateway::telemetry::table::Side;

use super::rates::{Drops, Load, Rates, Traffic};

/// Columns of traffic.
pub const TRAFFIC: [(&str, Side); 7] = [
    ("", Side::Left),
    ("STATE", Side::Left),
    ("IN PPS", Side::Right),
    ("IN BPS", Side::Right),
    ("OUT PPS", Side::Right),
    ("OUT BPS", Side::Right),
    ("DROPS/S", Side::Right),
];
/// Those of them that a narrow terminal does without, the first one first.
pub const TRAFFIC_LESS: &[usize] = &[4, 2, 1, 6, 5];
/// Columns of workers.
pub const WORKERS: [(&str, Side); 6] = [
    ("CORE", Side::Right),
    ("LOAD", Side::Right),
    ("IN PPS", Side::Right),
    ("OUT PPS", Side::Right),
    ("BURST", Side::Right),
    ("CYCLES", Side::Right),
];
/// Those of them that a narrow terminal does without.
pub const WORKERS_LESS: &[usize] = &[5, 4, 3, 2];
/// Columns of drops.
pub const DROPS: [(&str, Side); 3] = [("REASON", Side::Left), ("DROPS/S", Side::Right), ("TOTAL", Side::Right)];
/// Those of them that a narrow terminal does without.
pub const DROPS_LESS: &[usize] = &[2];

/// A rate as people read it.
pub fn short(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".into(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate => gateway::telemetry::table::short(rate.round() as u64),
    }
}

pub fn traffic(row: &Traffic) -> [String; 7] {
    let state = match row.up {
        Some(true) => "up",
        Some(false) => "down",
        None => "",
    };
    [
        row.name.clone(),
        state.into(),
        short(row.rx_frames),
        short(row.rx_bits),
        short(row.tx_frames),
        short(row.tx_bits),
        short(row.dropped),
    ]
}

pub fn workers(rates: &Rates) -> Vec<[String; 6]> {
    let row = |worker: &Load| {
        [
            worker.core.to_string(),
            format!("{:.0}%", worker.load * 100.0),
            short(worker.rx_frames),
            short(worker.tx_frames),
            format!("{:.1}", worker.burst),
            worker.cycles_per_frame.map_or("-".into(), |cycles| format!("{cycles:.0}")),
        ]
    };
    rates.workers.iter().map(row).collect()
}

pub fn drops(rates: &Rates) -> Vec<[String; 3]> {
    let row = |drop: &Drops| [drop.reason.clone(), short(drop.frames), gateway::telemetry::table::short(drop.total)];
    rates.drops.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        let all = [0.0, 0.25, 9.94, 9.96, 99_999.0, 1_234_567.0].map(short);
        assert_eq!(all, ["0", "0.2", "9.9", "10", "99999", "1.23M"]);
    }
}
