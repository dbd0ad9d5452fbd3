//! A small history for an engine, and everything that can be done with what it left.

use bytes::Bytes;
use retcd_engine::{
    Applied, Cursor, Direction, Engine, Header, KeyRange, Keyspace, Projection, Record, Result,
    Step, Version,
};
use retcd_vfs::{MemVfs, Vfs};
use std::path::{Path, PathBuf};

/// Where the engine lives.
pub const FOLDER: &str = "/engine";

const KEYSPACES: [Keyspace; 4] = [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];
const ENTRIES: u64 = 60;
/// Steps after which an engine has nothing more to do with so few records.
const STEPS_MAX: usize = 1000;

/// Sixty entries over all keyspaces, flushed one by one, and half of them merged.
pub fn fill(engine: &dyn Engine) {
    for index in 1..ENTRIES {
        for keyspace in KEYSPACES {
            let key = match keyspace {
                Keyspace::Rev => [index.to_be_bytes(), [0; 8]].concat(),
                _ => format!("/keys/{:02}", index * 7 % 20).into_bytes(),
            };
            let mut records = vec![Record {
                key: Bytes::from(key),
                version: Version { main: index, sub: 0 },
                tombstone: index % 5 == 0 && keyspace != Keyspace::Rev,
                header: Header::new(&[1]).expect("one byte is few"),
                value: Bytes::new(),
                keys_added: None,
            }];
            engine.write(keyspace, &mut records).expect("memory");
        }
        let applied = Applied { index, term: 1, watermark: index / 2, state: Bytes::new() };
        engine.commit(applied).expect("memory");
        if index == ENTRIES / 2 {
            engine.request_merge().expect("memory");
        } else {
            engine.request_flush().expect("memory");
        }
        while engine.step().expect("memory") == Step::Worked {}
    }
}

/// All files of the folder.
pub fn files(vfs: &dyn Vfs) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(FOLDER);
    let read = |name: PathBuf| {
        let path = dir.join(name);
        let file = vfs.open_read(&path).expect("memory");
        let mut bytes = vec![0; file.len().expect("memory") as usize];
        file.read_exact_at(0, &mut bytes).expect("memory");
        (path, bytes)
    };
    vfs.list(dir).expect("memory").into_iter().map(read).collect()
}

/// A file system with these files in the folder.
pub fn disk<'a>(files: impl IntoIterator<Item = (&'a PathBuf, &'a [u8])>) -> MemVfs {
    let vfs = MemVfs::new();
    vfs.create_dir_all(FOLDER.as_ref()).expect("memory");
    for (path, bytes) in files {
        vfs.create_append(path).and_then(|mut file| file.append(bytes)).expect("memory");
    }
    vfs
}

/// Reads everything in every way, writes a little, and merges all of it. Reads may fail.
///
/// # Errors
/// What stopped the engine.
pub fn use_it(engine: &dyn Engine) -> Result<()> {
    let all = KeyRange { start: b"", end: None };
    for keyspace in KEYSPACES {
        let view = engine.view();
        for direction in [Direction::Forward, Direction::Reverse] {
            let scan = view.scan(keyspace, all, Version::MAX, direction, Projection::Full);
            let _ = scan.and_then(drain);
        }
        let _ = view.versions(keyspace, all, Projection::Full).and_then(drain);
        let _ = view.count(keyspace, all, Version::end_of(ENTRIES / 2));
        let _ = view.get(keyspace, b"/keys/07", Version::MAX, Projection::Full);
    }
    let applied = engine.applied();
    // What is applied can't be followed if it is at the end of all numbers already.
    if let Some(index) = applied.index.checked_add(1) {
        engine.commit(Applied { index, ..applied })?;
    }
    engine.request_merge()?;
    for _ in 0..STEPS_MAX {
        if engine.step()? != Step::Worked {
            break;
        }
    }
    Ok(())
}

fn drain(mut cursor: Box<dyn Cursor + '_>) -> Result<()> {
    while cursor.next()?.is_some() {}
    Ok(())
}
