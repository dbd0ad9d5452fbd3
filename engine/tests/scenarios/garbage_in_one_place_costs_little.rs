//! A tenth of the keys is written again and again, and then compacted. The space of what they were
//! comes back by writing their tables anew and no others; a table without garbage is never touched.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::lsm::manifest;
use retcd_engine::table::FileNumber;
use retcd_engine::{Applied, Engine, Keyspace, Lsm, Options, Version};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{FOLDER, record, settle, tiny_options};

const KEYS: u64 = 4000;
const HOT_KEYS: u64 = KEYS / 10;
const ROUNDS: u64 = 4;
const VALUE_BYTES: u8 = 200;

fn options() -> Options {
    Options {
        memtable_bytes: 4 << 20,
        replay_entries_max: 1_000_000,
        table_bytes: 32 << 10,
        slice_bytes: 8 << 10,
        ..tiny_options()
    }
}

struct Writer {
    engine: Lsm,
    main: u64,
}

impl Writer {
    fn put(&mut self, key: u64) {
        self.main += 1;
        let key = Bytes::from(format!("key {key:08}"));
        let version = Version { main: self.main, sub: 0 };
        let kv = record(key, version, false, VALUE_BYTES);
        self.engine.write(Keyspace::Kv, &mut vec![kv]).expect("memory only");
        self.commit(0);
    }

    fn commit(&self, watermark: u64) {
        let applied = Applied { index: self.main, term: 1, watermark, state: Bytes::new() };
        self.engine.commit(applied).expect("memory only");
    }
}

fn tables(vfs: &dyn Vfs) -> BTreeSet<FileNumber> {
    let (_, contents) = manifest::read(vfs, FOLDER.as_ref()).expect("it is whole");
    let runs = contents.runs.values();
    runs.flat_map(|run| run.tables.iter().map(|file| file.number)).collect()
}

#[test]
fn garbage_in_one_place_costs_little() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Lsm::open(Arc::clone(&vfs), Path::new(FOLDER), options()).expect("empty");
    let mut writer = Writer { engine, main: 0 };
    (0..KEYS).for_each(|key| writer.put(key));
    for _ in 0..ROUNDS {
        (0..HOT_KEYS).for_each(|key| writer.put(key));
    }
    writer.engine.request_merge().expect("memory only");
    settle(&writer.engine).expect("memory only");
    let (before, tables_before) = (writer.engine.stats(), tables(&*vfs));
    assert_eq!(before.live_bytes, before.file_bytes, "nothing is compacted yet");

    writer.commit(writer.main);
    let compacted = writer.engine.stats();
    let dead_bytes = compacted.file_bytes - compacted.live_bytes;
    assert!(dead_bytes * 4 > compacted.file_bytes, "known before anything is merged: {dead_bytes}");

    writer.engine.request_compaction().expect("memory only");
    assert!(writer.engine.stats().is_owed);
    settle(&writer.engine).expect("memory only");
    let after = writer.engine.stats();
    assert!(!after.is_owed);
    let written = after.bytes_written - before.bytes_written;
    let freed = before.file_bytes - after.file_bytes;
    assert!(freed * 10 > dead_bytes * 9, "{freed} bytes freed of {dead_bytes}");
    assert!(written < before.file_bytes / 5, "{written} written of {}", before.file_bytes);
    let kept = tables(&*vfs).intersection(&tables_before).count();
    assert!(kept * 2 > tables_before.len(), "{kept} kept of {}", tables_before.len());

    writer.engine.request_compaction().expect("memory only");
    settle(&writer.engine).expect("memory only");
    assert_eq!(tables(&*vfs).difference(&tables_before).count(), tables(&*vfs).len() - kept);
    assert_eq!(writer.engine.stats().file_bytes, after.file_bytes, "there is nothing left to do");
}
