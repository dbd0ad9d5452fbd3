//! What is tested with the engine's insides at hand.

mod counts;
mod plans;

use std::path::Path;
use std::sync::Arc;

use retcd_vfs::MemVfs;

use super::{Lsm, Options};
use crate::testing::write_while_flushes_are_due;

#[test]
fn flushed_memtables_go_although_a_flush_is_always_due() {
    let options = Options { memtable_bytes: 1 << 10, ..Options::default() };
    let engine = Lsm::open(Arc::new(MemVfs::new()), Path::new("/db"), options);
    let engine = engine.expect("an empty folder");
    write_while_flushes_are_due(&engine);
    let left = std::iter::from_fn(|| engine.store.front.decay_one()).count();
    assert!(left < 4, "{left} memtables wait to be taken apart");
}
