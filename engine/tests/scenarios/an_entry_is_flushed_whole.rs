//! A flush that is asked for in the middle of an entry waits for its commit: the files never hold a
//! part of an entry that their applied index doesn't cover.

use std::sync::Arc;

use retcd_engine::{Applied, Keyspace, Projection, Version, View};
use retcd_vfs::{CrashVfs, Vfs};

use crate::support::{KINDS, Kind, Log, Random, apply, kv_key, record, settle};

const MAIN: Version = Version { main: 1000, sub: 0 };

fn has_key(view: &dyn View) -> bool {
    let found = view.get(Keyspace::Kv, &kv_key(200), Version::MAX, Projection::Keys);
    found.expect("no error was planned").is_some()
}

#[test]
fn an_entry_is_flushed_whole() {
    KINDS.into_iter().for_each(check);
}

fn check(kind: Kind) {
    let files = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
    let engine = kind.open(&vfs).expect("an empty folder");
    let has_key_after_crash = || {
        let left: Arc<dyn Vfs> = Arc::new(files.crash(0));
        has_key(&*kind.open(&left).expect("it is whole").view())
    };
    let mut log = Log::default();
    apply(&*engine, &log.append(&Random(5).change())).expect("memory only");

    let mut half = vec![record(kv_key(200), MAIN, false, 10)];
    engine.write(Keyspace::Kv, &mut half).expect("memory only");
    engine.request_flush().expect("memory only");
    settle(&*engine).expect("memory only");
    assert_eq!(engine.flushed().index, 0, "the request waits");
    assert!(!has_key_after_crash());

    let applied = Applied { index: 2, ..log.applied() };
    engine.commit(applied.clone()).expect("memory only");
    settle(&*engine).expect("memory only");
    assert_eq!(engine.flushed(), applied, "the request is kept");
    assert!(has_key_after_crash());
}
