//! A few clusters of every kind, from fixed seeds: what CI runs of the simulator. A night's worth
//! is `RETCD_SIM_SEEDS=100000`, or the program (docs/testing.md).

use retcd_sim::{Plan, Report, run};

const SEEDS: u64 = 20;

fn seeds() -> u64 {
    std::env::var("RETCD_SIM_SEEDS").map_or(SEEDS, |number| number.parse().expect("a number"))
}

#[test]
fn seeds_run_without_a_failure() {
    let mut sum = Report::default();
    for seed in 0..seeds() {
        match run(&Plan::of(seed, None)) {
            Ok(report) => sum = sum.plus(&report),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{sum:?}");
    // They were worth something.
    assert!(sum.answered > 100 * seeds(), "{sum:?}");
    assert!(sum.starts > 4 * seeds() && sum.leaders > 2 * seeds(), "{sum:?}");
    assert!(sum.watched > 50 * seeds(), "{sum:?}");
    let work = sum.work;
    assert!(work.flushes.min(work.merges).min(work.recycled) > 10 * seeds(), "{sum:?}");
    assert!(sum.joined_and_left.0 > 0 && sum.joined_and_left.1 > 0, "{sum:?}");
    assert!(sum.undecided * 10 < seeds(), "{sum:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..4 {
        let report = || run(&Plan::of(seed, None)).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report(), report(), "seed {seed}");
    }
}
