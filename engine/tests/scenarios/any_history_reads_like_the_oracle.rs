//! The engine and the oracle get the same random history: batches over all keyspaces with several
//! records of one key in one revision, tombstones, rising watermarks, flushes and merges wherever
//! they fall, views held across all of that, and reopenings after which the log is replayed. What
//! both show, at any version from the watermark on, has to be the same.

use proptest::prelude::*;

use crate::drawn::Drawn;
use crate::play::{ENGINES, Pair, action};

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_history_reads_like_the_oracle(
        actions in proptest::collection::vec(action(), 1..250),
    ) {
        for engine in ENGINES {
            let mut pair = Pair::new(engine, Drawn::tiny());
            pair.take_all(&actions);
            pair.end(&Drawn::tiny());
        }
    }
}
