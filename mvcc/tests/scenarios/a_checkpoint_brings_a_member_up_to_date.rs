//! A member has missed most of a history and takes over a checkpoint of another one while it is
//! open: keys, leases, hashes and counts are the other one's from then on, watchers are told what
//! they missed, or that it is compacted, and both go on alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use retcd_engine::{Engine, Lsm, Options, Replaceable, Step};
use retcd_mvcc::{Applier, CommittedEntry, KvHash, Store};
use retcd_vfs::{MemVfs, Vfs};

use crate::history::parse;
use crate::support::{config, list, refused};
use crate::watching::{hear, heard, watch};

struct OnDisk {
    engine: Arc<Replaceable>,
    store: Arc<Store>,
    applier: Applier,
}

impl OnDisk {
    fn open(vfs: &Arc<dyn Vfs>, dir: &str) -> OnDisk {
        let files = Arc::clone(vfs);
        let opener = move |dir: &Path| -> retcd_engine::Result<Arc<dyn Engine>> {
            let options =
                Options { memtable_bytes: 1 << 10, slice_bytes: 100, ..Options::default() };
            Ok(Arc::new(Lsm::open(Arc::clone(&files), dir, options)?))
        };
        let engine = Replaceable::open(Arc::clone(vfs), dir.as_ref(), Box::new(opener));
        let engine = Arc::new(engine.expect("nothing was planned"));
        let opened = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, config());
        let (store, applier) = opened.expect("nothing was planned");
        OnDisk { engine, store, applier }
    }

    fn execute(&mut self, index: usize, line: &str) {
        let data = parse(line).encode_to_vec().into();
        let entry = CommittedEntry { index: index as u64 + 1, term: 1, data };
        self.applier.apply(&entry, Duration::ZERO).expect("nothing was planned");
        self.applier.publish().expect("nothing was planned");
    }

    fn settle(&self) {
        while self.engine.step().expect("nothing was planned") != Step::Idle {}
    }

    /// Takes over everything that `other` has.
    fn receive(&mut self, other: &OnDisk, incoming: &Path) {
        other.engine.request_flush().expect("nothing was planned");
        other.settle();
        let mut checkpoint = other.engine.checkpoint(incoming).expect("the name is free");
        while checkpoint.step().expect("nothing was planned").is_none() {}
        let next = self.engine.replace(incoming).expect("nothing was planned");
        let state = Arc::clone(next.engine());
        let replaced = self.applier.replace(&*state, || drop(next.switch()));
        replaced.expect("the state can be read");
        self.settle();
    }

    fn hashes(&self) -> Vec<KvHash> {
        let now = self.store.hash_kv(0).expect("nothing was planned");
        let first = now.compact_revision.max(1);
        let hash = |revision| self.store.hash_kv(revision).map_err(refused);
        (first..=now.current_revision).map(|revision| hash(revision).expect("kept")).collect()
    }

    fn assert_like(&self, other: &OnDisk) {
        assert_eq!(self.hashes(), other.hashes());
        let (own, others) = (&self.store, &other.store);
        assert_eq!(own.applied_index(), others.applied_index());
        assert_eq!(own.compacted_revision(), others.compacted_revision());
        assert_eq!(own.key_count(), others.key_count());
        let sorted = |store: &Store| {
            let mut leases = store.leases();
            leases.sort_unstable();
            leases
        };
        assert_eq!(sorted(own), sorted(others));
        for lease in own.leases() {
            let keys = |store: &Store| store.lease_keys(lease).expect("nothing was planned");
            assert_eq!(keys(own), keys(others), "lease {lease}");
        }
        let all = list("\0", "\0");
        let answer = |store: &Store| store.range(&all).expect("the current revision is kept");
        assert_eq!(answer(own), answer(others));
        let from = own.compacted_revision().max(1);
        assert_eq!(heard(own, from), heard(others, from));
    }
}

#[test]
fn a_checkpoint_brings_a_member_up_to_date() {
    let lines = include_str!("hash_kv.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', 'h']));
    let lines: Vec<&str> = lines.collect();
    let (mut missed_some, mut missed_compacted) = (0, 0);
    for behind in (0..lines.len()).step_by(5) {
        for ahead in (behind..lines.len()).step_by(7) {
            let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
            let mut source = OnDisk::open(&vfs, "/source/db");
            let mut member = OnDisk::open(&vfs, "/member/db");
            let mut stream = watch(&member.store, 2);
            for (index, line) in lines[..ahead].iter().enumerate() {
                source.execute(index, line);
                if index < behind {
                    member.execute(index, line);
                }
            }
            let seen = hear(&mut stream).expect("nothing was compacted when it came");
            let next = member.store.revision() + 1;
            member.receive(&source, Path::new("/member/incoming"));
            member.assert_like(&source);
            match hear(&mut stream) {
                Ok(events) => {
                    let all = seen.iter().chain(&events);
                    let revisions = all.map(|event| event.kv.as_ref().map(|kv| kv.mod_revision));
                    let revisions: Vec<_> = revisions.collect();
                    assert!(revisions.is_sorted(), "{revisions:?}");
                    assert_eq!(Ok(&events), heard(&source.store, next).as_ref());
                    missed_some += usize::from(!events.is_empty());
                }
                Err(compacted) => {
                    assert_eq!(compacted, source.store.compacted_revision());
                    assert!(next < compacted, "{next} isn't below {compacted}");
                    missed_compacted += 1;
                }
            }
            for (index, line) in lines.iter().enumerate().skip(ahead) {
                source.execute(index, line);
                member.execute(index, line);
            }
            member.assert_like(&source);
        }
    }
    assert!(missed_some > 5 && missed_compacted > 2, "{missed_some}, {missed_compacted}");
}
