//! A member on each engine that has files, whose machine can stop at any operation, and the story
//! that it is told: entries, and what the engine does between them.
//!
//! Entries are durable before they are executed, so after a crash those that the engine lacks are
//! executed again. The undisturbed state behind every entry comes from the oracle engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::InternalRaftRequest;
use retcd_api::mvccpb::Event;
use retcd_api::mvccpb::event::EventType;
use retcd_engine::btree::{self, Btree};
use retcd_engine::lsm::{self, Lsm};
use retcd_engine::oracle::Oracle;
use retcd_engine::{Engine, Step};
use retcd_mvcc::{Applier, CommittedEntry, Response, Result, Store};
use retcd_vfs::{CrashVfs, Vfs};

use crate::support::config;
use crate::watching::heard;

const FOLDER: &str = "/db";
const NEVER_FAILS: &str = "no error was planned";

/// One sentence of a story.
pub(crate) enum Tell {
    /// The entry is executed, and nobody is told of it yet.
    Execute(Box<InternalRaftRequest>),
    /// What was executed is committed and shown.
    Publish,
    /// The engine is asked to flush.
    Flush,
    /// The engine is asked to defragment.
    Defragment,
    /// The engine does so many pieces of what is due.
    Work(usize),
}

impl Tell {
    /// Executes and publishes.
    pub(crate) fn entry(request: InternalRaftRequest) -> [Tell; 2] {
        [Tell::Execute(Box::new(request)), Tell::Publish]
    }
}

/// All of what is due.
pub(crate) const ALL: usize = usize::MAX;

/// A member.
pub(crate) struct Member {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) store: Arc<Store>,
    pub(crate) applier: Applier,
}

/// Opens an engine with tiny limits.
type Open = fn(Arc<dyn Vfs>) -> retcd_engine::Result<Arc<dyn Engine>>;

/// The engines that have files: one line for each.
const ENGINES: [(&str, Open); 2] = [("lsm", open_lsm), ("btree", open_btree)];

fn open_lsm(vfs: Arc<dyn Vfs>) -> retcd_engine::Result<Arc<dyn Engine>> {
    let options = lsm::Options {
        memtable_bytes: 2 << 10,
        table_bytes: 1 << 10,
        concatenated_bytes: 1 << 10,
        slice_bytes: 200,
        manifest_bytes: 700,
        ..lsm::Options::default()
    };
    Ok(Arc::new(Lsm::open(vfs, Path::new(FOLDER), options)?))
}

fn open_btree(vfs: Arc<dyn Vfs>) -> retcd_engine::Result<Arc<dyn Engine>> {
    let options = btree::Options {
        batch_operations: 6,
        memtable_bytes: 2 << 10,
        slice_bytes: 200,
        ..btree::Options::default()
    };
    Ok(Arc::new(Btree::open(vfs, Path::new(FOLDER), options)?))
}

impl Member {
    fn open(open: Open, disk: &CrashVfs) -> Result<Member> {
        Member::on(open(Arc::new(disk.clone()))?)
    }

    pub(crate) fn on(engine: Arc<dyn Engine>) -> Result<Member> {
        let (store, applier) = Store::open(Arc::clone(&engine), config())?;
        Ok(Member { engine, store, applier })
    }

    pub(crate) fn execute(&mut self, entry: &CommittedEntry) -> Result<Answer> {
        Ok(self.applier.apply(entry, Duration::ZERO)?.result)
    }

    pub(crate) fn work(&self, pieces: usize) -> Result<()> {
        for _ in 0..pieces {
            if self.engine.step()? != Step::Worked {
                break;
            }
        }
        Ok(())
    }
}

/// What an entry led to.
pub(crate) type Answer = std::result::Result<Response, Error>;

/// A story, and what it comes to.
pub(crate) struct Story {
    sentences: Vec<Tell>,
    entries: Vec<CommittedEntry>,
    pub(crate) answers: Vec<Answer>,
    /// Revision and hash behind each entry; before the first one too.
    states: Vec<(i64, u32)>,
}

impl Story {
    pub(crate) fn new(sentences: impl IntoIterator<Item = Tell>) -> Story {
        let sentences: Vec<Tell> = sentences.into_iter().collect();
        let requests = sentences.iter().filter_map(|sentence| match sentence {
            Tell::Execute(request) => Some(request.encode_to_vec().into()),
            _ => None,
        });
        let entry = |(index, data)| CommittedEntry { index, term: 1, data };
        let entries: Vec<_> = (1..).zip(requests).map(entry).collect();
        let mut oracle = Member::on(Arc::new(Oracle::new())).expect(NEVER_FAILS);
        let state = |member: &Member| {
            (member.store.revision(), member.store.hash_kv(0).expect(NEVER_FAILS).hash)
        };
        let mut states = vec![state(&oracle)];
        let mut answers = Vec::new();
        for entry in &entries {
            answers.push(oracle.execute(entry).expect(NEVER_FAILS));
            oracle.applier.publish().expect(NEVER_FAILS);
            states.push(state(&oracle));
        }
        Story { sentences, entries, answers, states }
    }

    /// Tells it to a member on `disk`, which is opened for it. Ends with the first error.
    fn tell(&self, open: Open, disk: &CrashVfs) -> Result<Member> {
        let mut member = Member::open(open, disk)?;
        let mut entries = self.entries.iter();
        for sentence in &self.sentences {
            match sentence {
                Tell::Execute(_) => {
                    let entry = entries.next().expect("there is an entry for each");
                    let answer = member.execute(entry)?;
                    assert_eq!(answer, self.answers[entry.index as usize - 1]);
                }
                Tell::Publish => member.applier.publish()?,
                Tell::Flush => member.engine.request_flush()?,
                Tell::Defragment => member.engine.request_merge()?,
                Tell::Work(pieces) => member.work(*pieces)?,
            }
        }
        Ok(member)
    }

    /// Opens what is on `disk`, which must be the state behind the entry that it names, and goes on
    /// to the end of the entries: to the same answers, revision and hash.
    fn recover(&self, open: Open, disk: &CrashVfs) -> Member {
        let mut member = Member::open(open, disk).expect("a crash leaves what can be opened");
        let found = member.engine.applied().index as usize;
        self.check(&member, found);
        for (entry, answer) in self.entries.iter().zip(&self.answers).skip(found) {
            let again = member.execute(entry).expect(NEVER_FAILS);
            assert_eq!(again, *answer, "entry {} has another effect", entry.index);
            member.applier.publish().expect(NEVER_FAILS);
        }
        self.check(&member, self.entries.len());
        member
    }

    fn check(&self, member: &Member, index: usize) {
        let store = &member.store;
        assert_eq!(store.applied_index(), index as u64);
        assert_eq!(store.revision(), self.states[index].0, "revision behind entry {index}");
        let hash = store.hash_kv(0).expect(NEVER_FAILS).hash;
        assert_eq!(hash, self.states[index].1, "hash behind entry {index}");
    }

    /// On each engine, stops the machine at each operation of the story, and hands over what
    /// recovers, before and after everything that is due is done. Gives the least number of
    /// operations that there were.
    pub(crate) fn crash_everywhere(&self, check: impl Fn(&Member)) -> u64 {
        let operations = ENGINES.map(|(name, open)| {
            let operations = self.crash_engine(open, &check);
            println!("{name}: crashes at {operations} operations");
            operations
        });
        operations.into_iter().min().expect("there are engines")
    }

    fn crash_engine(&self, open: Open, check: &impl Fn(&Member)) -> u64 {
        let whole = CrashVfs::new();
        let member = self.tell(open, &whole).expect(NEVER_FAILS);
        let operations = whole.operations();
        check(&member);
        for operation in 1..=operations {
            println!("crash at {operation}");
            let disk = CrashVfs::new();
            disk.stop_at(operation);
            assert!(self.tell(open, &disk).is_err(), "the machine has stopped");
            let member = self.recover(open, &disk.crash(operation));
            check(&member);
            member.engine.request_merge().expect(NEVER_FAILS);
            member.work(ALL).expect(NEVER_FAILS);
            self.check(&member, self.entries.len());
            check(&member);
        }
        operations
    }
}

/// What a watch of everything from `revision` on gets: `REVISION:KEY=VALUE` or `REVISION:-KEY`, or
/// `compacted REVISION`.
pub(crate) fn watched(store: &Arc<Store>, revision: i64) -> Vec<String> {
    let events = match heard(store, revision) {
        Ok(events) => events,
        Err(compacted) => return vec![format!("compacted {compacted}")],
    };
    let tell = |event: Event| {
        let is_delete = event.r#type() == EventType::Delete;
        let pair = event.kv.expect("an event has a pair");
        let (key, value) = (pair.key.escape_ascii(), pair.value.escape_ascii());
        match is_delete {
            true => format!("{}:-{key}", pair.mod_revision),
            false => format!("{}:{key}={value}", pair.mod_revision),
        }
    };
    events.into_iter().map(tell).collect()
}
