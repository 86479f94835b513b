//! A short run of the simulation. The long one:
//! `cargo run --release -p trill-tests --bin sim -- --seeds 10000`.

use trill_tests::sim;

#[test]
fn two_hundred_seeds_keep_all_promises() {
    // A run has a thread of its own, so two at a time do not disturb each other.
    std::thread::scope(|scope| {
        for seeds in [0..100, 100..200] {
            scope.spawn(move || {
                for seed in seeds {
                    if let Err(failure) = sim::run(seed) {
                        panic!("{failure}");
                    }
                }
            });
        }
    });
}

#[test]
fn the_same_seed_does_the_same() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let report = sim::run(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(
            sim::run(seed).unwrap_or_else(|failure| panic!("{failure}")),
            report,
            "seed {seed}"
        );
        hashes.insert(report.hash);
    }
    assert_eq!(hashes.len(), 20, "and another one something else");
}
