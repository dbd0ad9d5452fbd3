//! The summary of the replicated state that rides with the engine's commits: refused, or a state
//! that is written as it was read.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_engine::{Applied, Engine, Oracle};
use retcd_mvcc::{Config, Store};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let engine = Arc::new(Oracle::new());
    let state = Bytes::copy_from_slice(data);
    let applied = Applied { index: 1, term: 1, watermark: 0, state };
    engine.commit(applied).expect("memory only");
    let Ok((store, mut applier)) = Store::open(engine.clone(), Config::default()) else {
        return;
    };
    assert!(store.revision() >= 1 && store.compacted_revision() <= store.revision());
    applier.publish().expect("memory only");
    if !data.is_empty() {
        assert_eq!(engine.applied().state, data);
    }
});
