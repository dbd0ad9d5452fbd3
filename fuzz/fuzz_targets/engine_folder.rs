//! A valid folder of an engine, then edits of its manifest behind right checksums, then everything
//! that can be done with it.
//!
//! What the manifest says is believed as far as it doesn't contradict itself: tables may be gone,
//! in another run, tier or order, or doubled. Opening may refuse it, and any read or step may fail;
//! nothing may panic, and memory is bounded by the files.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_engine::lsm::manifest::fuzz::made_right;
use retcd_engine::lsm::{Lsm, Options, manifest};
use retcd_engine::table::FileNumber;
use retcd_engine::{
    Applied, Cursor, Direction, Engine, Header, KeyRange, Keyspace, Projection, Record, Result,
    Step, Version,
};
use retcd_fuzz::memory::peak_of;
use retcd_vfs::{MemVfs, Vfs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

const FOLDER: &str = "/engine";
const KEYSPACES: [Keyspace; 4] = [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];
/// Steps after which an engine has nothing more to do with so few tables.
const STEPS_MAX: usize = 1000;

struct Written {
    files: Vec<(PathBuf, Vec<u8>)>,
    manifest: (FileNumber, PathBuf, Vec<u8>),
    bytes: usize,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(write);

fn options() -> Options {
    Options {
        memtable_bytes: 1 << 10,
        block_cache_bytes: 1 << 12,
        table_bytes: 1 << 10,
        concatenated_bytes: 1 << 10,
        slice_bytes: 500,
        ..Options::default()
    }
}

/// A few runs of each keyspace, some of them merged, from 60 entries.
fn write() -> Written {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Lsm::open(vfs.clone(), Path::new(FOLDER), options()).expect("an empty folder");
    for index in 1..60u64 {
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
            }];
            engine.write(keyspace, &mut records).expect("memory");
        }
        let applied = Applied { index, term: 1, watermark: index / 2, state: Bytes::new() };
        engine.commit(applied).expect("memory");
        if index == 30 {
            engine.request_merge().expect("memory");
        }
        while engine.step().expect("memory") == Step::Worked {}
    }
    let dir = Path::new(FOLDER);
    let (number, _) = manifest::read(&*vfs, dir).expect("it was written");
    let named = format!("MANIFEST-{:016x}", number.0);
    let mut files: Vec<_> = vfs
        .list(dir)
        .expect("memory")
        .into_iter()
        .map(|name| {
            let file = vfs.open_read(&dir.join(&name)).expect("memory");
            let mut bytes = vec![0; file.len().expect("memory") as usize];
            file.read_exact_at(0, &mut bytes).expect("memory");
            (dir.join(name), bytes)
        })
        .collect();
    let at = files.iter().position(|(path, _)| path.ends_with(&named));
    let (path, bytes) = files.remove(at.expect("it is listed"));
    let all = bytes.len() + files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    Written { files, manifest: (number, path, bytes), bytes: all }
}

fuzz_target!(|data: &[u8]| {
    let written = &*WRITTEN;
    let (number, path, manifest) = &written.manifest;
    let mut bytes = manifest.clone();
    for edit in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] = edit[2];
    }
    let vfs = MemVfs::new();
    vfs.create_dir_all(FOLDER.as_ref()).expect("memory");
    let files = written.files.iter().map(|(path, bytes)| (path, bytes.clone()));
    for (path, bytes) in files.chain([(path, made_right(&bytes, *number))]) {
        vfs.create_append(path).and_then(|mut file| file.append(&bytes)).expect("memory");
    }
    let (_, held) = peak_of(|| use_it(vfs));
    assert!(held <= 64 * written.bytes + (1 << 20), "{held} bytes held");
});

fn use_it(vfs: MemVfs) -> Result<()> {
    let engine = Lsm::open(Arc::new(vfs), Path::new(FOLDER), options())?;
    let all = KeyRange { start: b"", end: None };
    for keyspace in KEYSPACES {
        let view = engine.view();
        for direction in [Direction::Forward, Direction::Reverse] {
            let scan = view.scan(keyspace, all, Version::MAX, direction, Projection::Full);
            let _ = scan.and_then(drain);
        }
        let _ = view.versions(keyspace, all, Projection::Full).and_then(drain);
        let _ = view.count(keyspace, all, Version::end_of(40));
        let _ = view.get(keyspace, b"/keys/07", Version::MAX, Projection::Full);
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
