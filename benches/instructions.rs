//! Instructions a frame: a small fixed workload for an instruction counter, which counts only what happens in
//! `support::counted`. Without arguments it names the cases; with the name of one it runs that and prints how many frames
//! it had.

mod support;

fn main() {
    let name = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    match support::SHAPES.iter().find(|(known, _)| *known == name) {
        Some(&(_, shape)) => println!("{}", support::Case::new(name, shape, 1_000).run(64)),
        None => support::SHAPES.iter().for_each(|(name, _)| println!("{name}")),
    }
}
