//! What [`Engine`] promises, one promise after the other, for each engine and with its records in
//! memory, in one table, or spread over many: an engine is done when it passes.

use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::{
    Applied, Direction, Engine, KeyRange, Keyspace, Oracle, Projection, Record, Version, View,
};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{KINDS, Kind, drain, record, settle};

/// What happens between two steps of a check.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// Nothing: the records stay in memory.
    Leave,
    /// A flush, so that each step has its own table.
    Flush,
    /// A flush and a merge, so that there is one.
    Merge,
}

struct Subject {
    engine: Box<dyn Engine>,
    mood: Mood,
}

impl Subject {
    /// Writes, commits as the next index, and does what the mood asks for.
    fn write(&self, keyspace: Keyspace, mut records: Vec<Record>) {
        self.engine.write(keyspace, &mut records).expect("no error was planned");
        assert!(records.is_empty(), "the records are taken");
        let index = self.engine.applied().index + 1;
        let applied = Applied { index, term: 3, state: Bytes::from("s"), ..Applied::default() };
        self.engine.commit(applied).expect("no error was planned");
        match self.mood {
            Mood::Leave => return,
            Mood::Flush => self.engine.request_flush(),
            Mood::Merge => self.engine.request_merge(),
        }
        .expect("no error was planned");
        settle(&*self.engine).expect("no error was planned");
    }

    fn get(&self, keyspace: Keyspace, key: &str, at: Version) -> Option<String> {
        get(&*self.engine.view(), keyspace, key, at)
    }

    fn scan(&self, range: KeyRange<'_>, at: u64, direction: Direction) -> Vec<String> {
        scan(&*self.engine.view(), Keyspace::Kv, range, Version::end_of(at), direction)
    }
}

/// Puts `key` at (`main`, `sub`); a key with an exclamation mark is deleted.
fn put(key: &'static str, main: u64, sub: u64) -> Record {
    let tombstone = key.ends_with('!');
    let key = Bytes::from_static(key.trim_end_matches('!').as_bytes());
    record(key, Version { main, sub }, tombstone, 20)
}

/// Key, version, and an exclamation mark for a tombstone. Checks the rest of the record.
fn describe(found: &Record, projection: Projection) -> String {
    let len = if projection == Projection::Full { 20 } else { 0 };
    let expected = record(found.key.clone(), found.version, found.tombstone, len);
    assert_eq!(*found, expected, "header and value belong to the version");
    let key = String::from_utf8_lossy(&found.key);
    let mark = if found.tombstone { "!" } else { "" };
    format!("{key}{mark}@{}.{}", found.version.main, found.version.sub)
}

fn get(view: &dyn View, keyspace: Keyspace, key: &str, at: Version) -> Option<String> {
    let get = |projection| {
        let found = view.get(keyspace, key.as_bytes(), at, projection).expect("no error");
        found.map(|found| describe(&found, projection))
    };
    let found = get(Projection::Full);
    assert_eq!(get(Projection::Keys), found, "a projection changes nothing but the value");
    found
}

fn scan(
    view: &dyn View,
    keyspace: Keyspace,
    range: KeyRange<'_>,
    at: Version,
    direction: Direction,
) -> Vec<String> {
    let scan = |projection| {
        let cursor = view.scan(keyspace, range, at, direction, projection).expect("no error");
        let records = drain(cursor);
        records.iter().map(|found| describe(found, projection)).collect::<Vec<_>>()
    };
    let found = scan(Projection::Full);
    assert_eq!(scan(Projection::Keys), found, "a projection changes nothing but the value");
    assert_eq!(view.count(keyspace, range, at).expect("no error"), found.len() as u64);
    found
}

const ALL: KeyRange<'static> = KeyRange { start: b"", end: None };

fn get_finds_the_newest_at_or_below(subject: &Subject) {
    subject.write(Keyspace::Kv, vec![put("a", 2, 0), put("a", 2, 1), put("ab", 2, 2)]);
    subject.write(Keyspace::Kv, vec![put("a!", 4, 0)]);
    subject.write(Keyspace::Kv, vec![put("a", 6, 3)]);
    let at = |main, sub| subject.get(Keyspace::Kv, "a", Version { main, sub });
    assert_eq!(at(1, 9), None);
    assert_eq!(at(2, 0).as_deref(), Some("a@2.0"));
    assert_eq!(at(3, 0).as_deref(), Some("a@2.1"));
    assert_eq!(at(4, 0).as_deref(), Some("a!@4.0"), "tombstones are shown");
    assert_eq!(at(6, 2).as_deref(), Some("a!@4.0"));
    assert_eq!(at(u64::MAX, u64::MAX).as_deref(), Some("a@6.3"));
    for missing in ["", "b", "aa", "abc"] {
        assert_eq!(subject.get(Keyspace::Kv, missing, Version::MAX), None, "{missing:?}");
    }
}

fn scans_show_each_living_key_once_in_both_directions(subject: &Subject) {
    subject.write(Keyspace::Kv, vec![put("", 2, 0), put("a", 2, 1), put("c", 2, 2)]);
    subject.write(Keyspace::Kv, vec![put("b", 3, 0), put("a!", 3, 1), put("d", 3, 2)]);
    subject.write(Keyspace::Kv, vec![put("a", 4, 0), put("b!", 4, 1), put("c", 4, 2)]);
    let at_3 = ["@2.0", "b@3.0", "c@2.2", "d@3.2"];
    let at_4 = ["@2.0", "a@4.0", "c@4.2", "d@3.2"];
    for (at, expected) in [(3, at_3), (4, at_4)] {
        assert_eq!(subject.scan(ALL, at, Direction::Forward), expected);
        let mut reversed = subject.scan(ALL, at, Direction::Reverse);
        reversed.reverse();
        assert_eq!(reversed, expected);
    }
    assert!(subject.scan(ALL, 1, Direction::Forward).is_empty());
}

fn ranges_include_their_start_and_exclude_their_end(subject: &Subject) {
    subject.write(Keyspace::Kv, vec![put("a", 2, 0), put("b", 2, 1)]);
    subject.write(Keyspace::Kv, vec![put("ba", 3, 0), put("c", 3, 1)]);
    let forward = |start: &[u8], end: Option<&[u8]>| {
        subject.scan(KeyRange { start, end }, 3, Direction::Forward)
    };
    assert_eq!(forward(b"b", Some(b"c")), ["b@2.1", "ba@3.0"]);
    assert_eq!(forward(b"b", Some(b"b\0")), ["b@2.1"]);
    assert_eq!(forward(b"b\0", None), ["ba@3.0", "c@3.1"]);
    assert_eq!(forward(b"", Some(b"b")), ["a@2.0"]);
    assert!(forward(b"b", Some(b"b")).is_empty());
    assert!(forward(b"c", Some(b"a")).is_empty());
    for start in [&b""[..], b"a\0", b"b", b"bb", b"d"] {
        for end in [None, Some(&b"a"[..]), Some(b"b"), Some(b"bz"), Some(b"d")] {
            let mut reversed = subject.scan(KeyRange { start, end }, 3, Direction::Reverse);
            reversed.reverse();
            assert_eq!(reversed, forward(start, end), "{start:?} to {end:?} in reverse");
        }
    }
}

fn versions_come_key_by_key_and_newest_first(subject: &Subject) {
    subject.write(Keyspace::Kv, vec![put("b", 2, 0), put("a", 2, 1)]);
    subject.write(Keyspace::Kv, vec![put("b!", 3, 0), put("b", 3, 1), put("c", 3, 2)]);
    let view = subject.engine.view();
    let range = KeyRange { start: b"a", end: Some(b"c") };
    let cursor = view.versions(Keyspace::Kv, range, Projection::Full).expect("no error");
    let found: Vec<String> =
        drain(cursor).iter().map(|found| describe(found, Projection::Full)).collect();
    assert_eq!(found, ["a@2.1", "b@3.1", "b!@3.0", "b@2.0"]);
}

fn keyspaces_are_apart(subject: &Subject) {
    subject.write(Keyspace::Kv, vec![put("k", 2, 0)]);
    subject.write(Keyspace::Lease, vec![put("k", 7, 0)]);
    subject.write(Keyspace::Meta, vec![put("k!", 8, 0)]);
    assert_eq!(subject.get(Keyspace::Kv, "k", Version::MAX).as_deref(), Some("k@2.0"));
    assert_eq!(subject.get(Keyspace::Lease, "k", Version::MAX).as_deref(), Some("k@7.0"));
    assert_eq!(subject.get(Keyspace::Rev, "k", Version::MAX), None);
    let view = subject.engine.view();
    let meta = scan(&*view, Keyspace::Meta, ALL, Version::MAX, Direction::Forward);
    assert!(meta.is_empty(), "{meta:?}");
}

fn a_view_is_a_picture(subject: &Subject) {
    subject.write(Keyspace::Lease, vec![put("a", 1, 0), put("b", 1, 1)]);
    let view = subject.engine.view();
    subject.write(Keyspace::Lease, vec![put("a!", 2, 0), put("b", 2, 1), put("c", 2, 2)]);
    subject.write(Keyspace::Lease, vec![put("d", 3, 0)]);
    let keys = |view: &dyn View| scan(view, Keyspace::Lease, ALL, Version::MAX, Direction::Forward);
    assert_eq!(keys(&*view), ["a@1.0", "b@1.1"]);
    assert_eq!(get(&*view, Keyspace::Lease, "d", Version::MAX), None);
    assert_eq!(keys(&*subject.engine.view()), ["b@2.1", "c@2.2", "d@3.0"]);
}

fn a_scan_goes_on_while_records_are_written(subject: &Subject) {
    let keys: Vec<Record> = (0..600)
        .map(|n| record(Bytes::from(format!("{n:03}")), Version { main: 2, sub: n }, false, 20))
        .collect();
    subject.write(Keyspace::Kv, keys.clone());
    let view = subject.engine.view();
    let at = Version::end_of(2);
    let scan = |direction| view.scan(Keyspace::Kv, ALL, at, direction, Projection::Full);
    let mut forward = scan(Direction::Forward).expect("no error");
    let mut reverse = scan(Direction::Reverse).expect("no error");
    for (n, expected) in keys.iter().enumerate() {
        if n % 100 == 50 {
            let newer = |key: &Record| Record {
                version: Version { main: 3 + n as u64, ..key.version },
                ..key.clone()
            };
            subject.write(Keyspace::Kv, keys.iter().step_by(3).map(newer).collect());
        }
        assert_eq!(forward.next().expect("no error").as_ref(), Some(expected));
        assert_eq!(reverse.next().expect("no error").as_ref(), keys.iter().nth_back(n));
    }
    assert_eq!(forward.next().expect("no error"), None);
    assert_eq!(reverse.next().expect("no error"), None);
}

fn a_replayed_write_is_harmless(subject: &Subject) {
    let first = vec![put("a", 2, 0), put("b", 2, 1)];
    let second = vec![put("a", 3, 0), put("b!", 3, 1)];
    for records in [&first, &second, &first, &second] {
        subject.write(Keyspace::Kv, records.clone());
    }
    assert_eq!(subject.get(Keyspace::Kv, "a", Version::MAX).as_deref(), Some("a@3.0"));
    assert_eq!(subject.scan(ALL, 3, Direction::Forward), ["a@3.0"]);
    assert_eq!(subject.scan(ALL, 2, Direction::Reverse), ["b@2.1", "a@2.0"]);
    let view = subject.engine.view();
    let versions = view.versions(Keyspace::Kv, ALL, Projection::Keys).expect("no error");
    assert_eq!(drain(versions).len(), 4, "each version is shown once");
}

fn flushed_follows_applied_when_asked(subject: &Subject) {
    let engine = &subject.engine;
    let applied = |index| Applied {
        index,
        term: 2,
        watermark: index / 2,
        state: Bytes::from(format!("state {index}")),
    };
    assert_eq!(engine.flushed(), Applied::default());
    engine.write(Keyspace::Meta, &mut vec![put("m", 1, 0)]).expect("no error");
    engine.commit(applied(5)).expect("no error");
    assert_eq!(engine.applied(), applied(5));
    engine.request_flush().expect("no error");
    settle(&**engine).expect("no error");
    assert_eq!(engine.flushed(), applied(5));
    engine.commit(applied(9)).expect("an entry without records");
    engine.request_flush().expect("no error");
    settle(&**engine).expect("no error");
    assert_eq!((engine.applied(), engine.flushed()), (applied(9), applied(9)));
}

const CHECKS: [fn(&Subject); 9] = [
    get_finds_the_newest_at_or_below,
    scans_show_each_living_key_once_in_both_directions,
    ranges_include_their_start_and_exclude_their_end,
    versions_come_key_by_key_and_newest_first,
    keyspaces_are_apart,
    a_view_is_a_picture,
    a_scan_goes_on_while_records_are_written,
    a_replayed_write_is_harmless,
    flushed_follows_applied_when_asked,
];

fn check_all(make: fn() -> Box<dyn Engine>) {
    for check in CHECKS {
        for mood in [Mood::Leave, Mood::Flush, Mood::Merge] {
            check(&Subject { engine: make(), mood });
        }
    }
}

#[test]
fn the_oracle_keeps_the_contract() {
    check_all(|| Box::new(Oracle::new()));
}

#[test]
fn the_log_structured_engine_keeps_the_contract() {
    check_all(|| open(Kind::Lsm));
}

#[test]
fn the_tree_keeps_the_contract() {
    check_all(|| open(Kind::Btree));
}

fn open(kind: Kind) -> Box<dyn Engine> {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    kind.open(&vfs).expect("an empty folder")
}

#[test]
fn sizes_tell_what_is_not_flushed() {
    for kind in KINDS {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let engine = kind.open(&vfs).expect("an empty folder");
        // Sixty entries make a flush due with the options of these tests.
        let commit = |index| {
            let applied = Applied { index, term: 1, ..Applied::default() };
            engine.commit(applied).expect("no error was planned");
            let stats = engine.stats();
            (stats.memtable_bytes, stats.memtable_permille)
        };
        assert_eq!(commit(30), (0, 500), "{kind:?}");
        engine.write(Keyspace::Kv, &mut vec![put("a", 1, 0)]).expect("no error was planned");
        let (bytes, permille) = commit(45);
        assert!(bytes > 0 && permille == 750, "{kind:?}: {bytes} bytes, {permille}");
        engine.request_flush().expect("no error was planned");
        assert_eq!(engine.stats().memtable_permille, 750, "{kind:?}: it is only frozen");
        settle(&*engine).expect("no error was planned");
        let stats = engine.stats();
        assert_eq!((stats.memtable_bytes, stats.memtable_permille), (0, 0), "{kind:?}");
        assert_eq!(commit(51), (0, 100), "{kind:?}");
    }
}
