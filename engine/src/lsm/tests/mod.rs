//! What is tested with the engine's insides at hand.

mod counts;
mod plans;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_vfs::MemVfs;

use super::{Lsm, Options};
use crate::{Applied, Engine, Header, Keyspace, Record, Version};

#[test]
fn flushed_memtables_go_although_a_flush_is_always_due() {
    let options = Options { memtable_bytes: 1 << 10, ..Options::default() };
    let engine = Lsm::open(Arc::new(MemVfs::new()), Path::new("/db"), options);
    let engine = engine.expect("an empty folder");
    for main in 1..=2000 {
        let record = Record {
            key: Bytes::from(format!("key {main}")),
            version: Version { main, sub: 0 },
            tombstone: false,
            header: Header::default(),
            value: Bytes::from(vec![7; 100]),
            keys_added: Some(1),
        };
        engine.write(Keyspace::Kv, &mut vec![record]).expect("memory only");
        engine.commit(Applied { index: main, ..Applied::default() }).expect("memory only");
        while engine.stats().frozen_memtables > 1 {
            engine.step().expect("memory only");
        }
    }
    assert!(engine.stats().flushes > 50, "{:?}", engine.stats());
    let left = std::iter::from_fn(|| engine.store.front.decay_one()).count();
    assert!(left < 4, "{left} memtables wait to be taken apart");
}
