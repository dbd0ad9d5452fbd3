//! A member's state is copied by a checkpoint at several moments of a history, while its engine
//! goes on. Each copy has the same checksum at every revision that can be asked for, and having
//! applied the rest of the history it has that of the member.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use retcd_engine::{Engine, Lsm, Options, Step};
use retcd_mvcc::{Applier, CommittedEntry, KvHash, Store};
use retcd_vfs::{CrashVfs, Vfs};

use crate::history::parse;
use crate::support::{config, refused};

/// Entries between two checkpoints.
const STRIDE: usize = 12;

struct OnDisk {
    engine: Arc<Lsm>,
    store: Arc<Store>,
    applier: Applier,
}

impl OnDisk {
    fn open(vfs: &Arc<dyn Vfs>, dir: &Path) -> OnDisk {
        let options = Options { memtable_bytes: 1 << 10, slice_bytes: 100, ..Options::default() };
        let engine = Lsm::open(Arc::clone(vfs), dir, options).expect("nothing was planned");
        let engine = Arc::new(engine);
        let opened = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, config());
        let (store, applier) = opened.expect("nothing was planned");
        OnDisk { engine, store, applier }
    }

    fn execute(&mut self, line: &str) {
        let data = parse(line).encode_to_vec().into();
        let entry = CommittedEntry { index: self.applier.index() + 1, term: 1, data };
        self.applier.apply(&entry, Duration::ZERO).expect("nothing was planned");
        self.applier.publish().expect("nothing was planned");
    }

    fn settle(&self) {
        while self.engine.step().expect("nothing was planned") != Step::Idle {}
    }

    /// The checksums at all revisions that can be asked for.
    fn hashes(&self) -> Vec<KvHash> {
        let now = self.store.hash_kv(0).expect("nothing was planned");
        let first = now.compact_revision.max(1);
        let hash = |revision| self.store.hash_kv(revision).map_err(refused);
        (first..=now.current_revision).map(|revision| hash(revision).expect("kept")).collect()
    }
}

#[test]
fn a_checkpoint_goes_on_like_its_source() {
    for files in [CrashVfs::new(), CrashVfs::without_hard_links()] {
        let vfs: Arc<dyn Vfs> = Arc::new(files);
        let lines = include_str!("hash_kv.txt").lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', 'h']));
        let lines: Vec<&str> = lines.collect();
        let mut member = OnDisk::open(&vfs, Path::new("/member"));
        let mut copies: Vec<(PathBuf, usize)> = Vec::new();
        let mut done = 0;
        while done < lines.len() {
            let (now, later) = lines[done..].split_at(STRIDE.min(lines.len() - done));
            now.iter().for_each(|line| member.execute(line));
            done += now.len();
            member.engine.request_flush().expect("nothing was planned");
            member.settle();
            let expected = member.hashes();
            let to = PathBuf::from(format!("/copies/{done}"));
            let mut checkpoint = member.engine.checkpoint(&to).expect("nothing was planned");
            if later.is_empty() {
                member.engine.request_merge().expect("nothing was planned");
            }
            while checkpoint.step().expect("nothing was planned").is_none() {
                member.engine.step().expect("nothing was planned");
            }
            let copy = OnDisk::open(&vfs, &to);
            assert_eq!(copy.hashes(), expected, "after {done} entries");
            copies.push((to, done));
        }
        let expected = (member.hashes(), member.store.hash().expect("nothing was planned"));
        assert!(copies.len() > 3, "{copies:?}");
        for (to, done) in copies {
            let mut copy = OnDisk::open(&vfs, &to);
            lines[done..].iter().for_each(|line| copy.execute(line));
            let found = (copy.hashes(), copy.store.hash().expect("nothing was planned"));
            assert_eq!(found, expected, "from {done} entries on");
        }
    }
}
