//! Writing that the engines' own tests share.

use bytes::Bytes;

use crate::{Applied, Engine, Header, Keyspace, Record, Version};

/// Writes 2,000 records, and steps the engine only while it says to hold back.
pub(crate) fn write_while_flushes_are_due(engine: &dyn Engine) {
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
}
