//! Back-pressure: what a write meets at the door when flushes and merges don't follow.
//!
//! This is the one place that slows writers down; applying never waits. Pressure is a number from 0
//! (there is room) to 1 (there is none), the largest of three: memtables that wait for a flush,
//! runs that wait for their first merge, and levels that wait to be merged into the last tier.
//! Between the two a write is held for a moment that grows with the square of the pressure, so
//! that writers settle at the speed of the disk. At 1 it is refused with etcd's
//! `too many requests`.

use std::time::Duration;

use retcd_api::{Error, Result};
use retcd_engine::{Engine, Stats};

use crate::metrics::Metrics;

/// The longest that a write is held at once.
const DELAY_MAX: Duration = Duration::from_millis(250);

/// From where to where a number means pressure.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Up to here all is well.
    free: u64,
    /// Nothing more is taken from here on.
    full: u64,
}

/// What isn't flushed, in permille of a memtable. A full memtable that is being flushed and the
/// half that gathers meanwhile are usual, and so is as much again when the disk is slow for a
/// moment.
const MEMTABLES: Span = Span { free: 2000, full: 4000 };

/// Runs of level 0. Four make a merge.
const LEVEL_ZERO_RUNS: Span = Span { free: 12, full: 40 };

/// How large the levels are, in permille of what makes a merge into the last tier due. They grow on
/// while that merge is under way.
const DEBT: Span = Span { free: 2500, full: 8000 };

const _: () = assert!(MEMTABLES.free < MEMTABLES.full);
const _: () = assert!(LEVEL_ZERO_RUNS.free < LEVEL_ZERO_RUNS.full);
const _: () = assert!(DEBT.free < DEBT.full);

impl Span {
    fn pressure(self, value: u64) -> f64 {
        let above = value.saturating_sub(self.free) as f64;
        (above / (self.full - self.free) as f64).min(1.0)
    }
}

/// What happens to a write at the door.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Admission {
    /// It is taken.
    Free,
    /// It is taken after so long.
    Delay(Duration),
    /// It is refused.
    Refuse,
}

/// From 0 to 1: see the module's text.
pub(crate) fn pressure(stats: &Stats) -> f64 {
    let memtables = MEMTABLES.pressure(stats.memtable_permille);
    let runs = LEVEL_ZERO_RUNS.pressure(stats.level_zero_runs);
    memtables.max(runs).max(DEBT.pressure(stats.debt_permille))
}

/// What a write meets if these are the engine's numbers.
pub(super) fn admission(stats: &Stats) -> Admission {
    let pressure = pressure(stats);
    if pressure <= 0.0 {
        Admission::Free
    } else if pressure < 1.0 {
        Admission::Delay(DELAY_MAX.mul_f64(pressure * pressure))
    } else {
        Admission::Refuse
    }
}

/// Lets a write pass, at once or after a delay.
///
/// # Errors
///
/// `too many requests` if there is no room, or none after the delay.
pub(super) async fn admit(engine: &dyn Engine, metrics: &Metrics) -> Result<()> {
    let delay = match admission(&engine.stats()) {
        Admission::Free => return Ok(()),
        Admission::Delay(delay) => delay,
        Admission::Refuse => return Err(refused(metrics)),
    };
    tokio::time::sleep(delay).await;
    metrics.admission_delayed(delay);
    match admission(&engine.stats()) {
        Admission::Free | Admission::Delay(_) => Ok(()),
        Admission::Refuse => Err(refused(metrics)),
    }
}

fn refused(metrics: &Metrics) -> Error {
    metrics.admission_refused();
    Error::RequestTooManyRequests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::MetricsDetail;
    use crate::metrics::{Facts, Metrics};
    use retcd_engine::{
        Applied, Header, Keyspace, Lsm, Options, Record, Step, Version, lsm::policy::Knobs,
    };
    use retcd_vfs::MemVfs;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn usual_numbers_are_free_and_any_limit_refuses() {
        assert_eq!(admission(&Stats::default()), Admission::Free);
        let usual = Stats {
            memtable_permille: 1900,
            level_zero_runs: 2 * Knobs::STEADY.tier_runs as u64,
            debt_permille: 2000,
            ..Stats::default()
        };
        assert_eq!(admission(&usual), Admission::Free);
        for full in [
            Stats { memtable_permille: 4000, ..usual.clone() },
            Stats { level_zero_runs: 40, ..usual.clone() },
            Stats { debt_permille: u64::MAX, ..usual },
        ] {
            assert_eq!(admission(&full), Admission::Refuse, "{full:?}");
        }
    }

    #[test]
    fn delays_grow_smoothly_up_to_their_limit() {
        let delay =
            |memtable_permille| match admission(&Stats { memtable_permille, ..Stats::default() }) {
                Admission::Delay(delay) => delay,
                other => panic!("at {memtable_permille}: {other:?}"),
            };
        let delays: Vec<Duration> = (2001..4000).step_by(100).map(delay).collect();
        assert!(delays.is_sorted_by(|a, b| a < b), "{delays:?}");
        assert!(delays[0] < Duration::from_micros(1) && delay(3999) < DELAY_MAX);
        assert!(delay(3000) == DELAY_MAX / 4, "half the pressure, a quarter of the delay");
    }

    fn metrics() -> Metrics {
        Metrics::new(&Facts {
            member_id: 1,
            quota_bytes: None,
            log_io: "direct".to_owned(),
            log_depth: 1,
            detail: MetricsDetail::Basic,
        })
    }

    fn write(engine: &Lsm, index: u64) {
        let record = Record {
            key: index.to_be_bytes().to_vec().into(),
            version: Version { main: index, sub: 0 },
            tombstone: false,
            header: Header::default(),
            value: vec![7; 8 << 10].into(),
            keys_added: None,
        };
        engine.write(Keyspace::Kv, &mut vec![record]).expect("memory only");
        let applied = Applied { index, term: 1, ..Applied::default() };
        engine.commit(applied).expect("memory only");
    }

    /// Nobody steps the engine: what the door lets in has a bound, and it opens again afterwards.
    #[tokio::test]
    async fn a_stalled_maintenance_thread_ends_in_refusals_and_not_in_growth() {
        let options = Options { memtable_bytes: 64 << 10, ..Options::default() };
        let memtable_bytes = options.memtable_bytes;
        let engine = Lsm::open(Arc::new(MemVfs::new()), Path::new("/db"), options).expect("empty");
        let metrics = metrics();
        let mut written = 0;
        let refused = loop {
            match admit(&engine, &metrics).await {
                Ok(()) => {
                    written += 1;
                    write(&engine, written);
                }
                Err(error) => break error,
            }
            assert!(written < 1000, "{:?}", engine.stats());
        };
        assert_eq!(refused.to_string(), Error::RequestTooManyRequests.to_string());
        let held_bytes = engine.stats().memtable_bytes;
        assert!(held_bytes < 5 * memtable_bytes, "{held_bytes} bytes in memtables");

        while engine.step().expect("memory only") != Step::Idle {}
        assert!(admit(&engine, &metrics).await.is_ok(), "{:?}", engine.stats());
    }
}
