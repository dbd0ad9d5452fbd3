//! Of three members one was away until the others' logs had let go of what it lacks. It comes back,
//! is sent a checkpoint, and goes on from there. Its machine stops at every single operation of
//! that: from whatever the crash leaves it starts again, in the old state or in the new one, and
//! ends like the others.

use crate::support::{DATA, Kind, options, put};
use retcd_engine::{Engine, Step};
use retcd_raft_glue::{
    BootstrapOptions, DataDir, FoundingMember, Inline, Input, Result, Role, SnapshotOrder,
    SnapshotOutcome, bootstrap, snapshot_message,
};
use retcd_vfs::{CrashVfs, Vfs};
use std::path::Path;
use std::sync::Arc;

/// Ticks after which something must have happened.
const TICKS_MAX: usize = 200;

const INCOMING: &str = "data/member/snap/incoming";
const SENDING: &str = "data/member/snap/sending";

fn options_of(number: usize) -> BootstrapOptions {
    let member = |number: usize| FoundingMember {
        name: format!("m{number}"),
        peer_urls: vec![format!("http://127.0.0.1:{}", 2380 + number)],
    };
    BootstrapOptions {
        name: format!("m{number}"),
        initial_cluster: (0..3).map(member).collect(),
        ..options()
    }
}

fn open(kind: Kind, number: usize, files: &CrashVfs) -> Result<Inline> {
    let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
    let data_dir = DataDir::open(vfs.clone(), Path::new(DATA), None)?;
    let opener = move |dir: &Path| kind.open(&vfs, dir);
    Ok(Inline::new(bootstrap(data_dir, options_of(number), opener)?))
}

/// Three members, of whom the last may be away.
struct Cluster {
    files: Vec<CrashVfs>,
    members: Vec<Option<Inline>>,
    orders: Vec<SnapshotOrder>,
    proposed: u64,
}

/// The one that lags.
const LAGGING: usize = 2;

impl Cluster {
    fn open(kind: Kind, files: Vec<CrashVfs>) -> Cluster {
        let member = |(number, files)| Some(open(kind, number, files).expect("it opens"));
        let members = files.iter().enumerate().map(member).collect();
        Cluster { files, members, orders: Vec::new(), proposed: 0 }
    }

    fn id(&self, number: usize) -> u64 {
        self.members[number].as_ref().map_or(0, |member| member.parts().identity.member)
    }

    fn leader(&self) -> Option<usize> {
        let leads = |member: &Option<Inline>| {
            let status = member.as_ref().map(|member| member.parts().consensus.status());
            status.is_some_and(|status| status.role == Role::Leader)
        };
        self.members.iter().position(leads)
    }

    /// Everything that is due is done, messages arrive at once. Fails if the lagging member does,
    /// which is away then.
    fn settle(&mut self) -> Result<()> {
        loop {
            let mut messages = Vec::new();
            for number in 0..self.members.len() {
                let Some(member) = &mut self.members[number] else { continue };
                let mut settled = member.settle();
                let told = member.told();
                messages.extend(told.messages);
                self.orders.extend(told.snapshots);
                if let Some(install) = told.install {
                    settled = settled.and_then(|()| member.install(&install));
                    settled = settled.and_then(|()| member.settle());
                    messages.extend(member.told().messages);
                }
                if settled.is_err() {
                    assert_eq!(number, LAGGING, "only the lagging member's machine stops");
                    self.members[number] = None;
                    return settled;
                }
            }
            if messages.is_empty() {
                return Ok(());
            }
            for message in messages {
                let to = (0..3).find(|number| self.id(*number) == message.to);
                if let Some(member) = to.and_then(|to| self.members[to].as_mut()) {
                    // Whoever has stopped says so when it is to settle.
                    let _ = member.step(Input::Message(Box::new(message)));
                }
            }
        }
    }

    /// Lets time pass until something holds.
    fn tick_until(&mut self, holds: impl Fn(&Cluster) -> bool) -> Result<()> {
        for _ in 0..TICKS_MAX {
            self.settle()?;
            if holds(self) {
                return Ok(());
            }
            for member in self.members.iter_mut().flatten() {
                let _ = member.step(Input::Tick);
            }
        }
        panic!("nothing happens any more");
    }

    fn leading(&mut self) -> &mut Inline {
        let leader = self.leader().expect("somebody leads");
        assert_ne!(leader, LAGGING, "it can't lead with a short log");
        self.members[leader].as_mut().expect("it is there")
    }

    fn put(&mut self, count: u64) {
        for _ in 0..count {
            self.proposed += 1;
            let id = self.proposed;
            let data = put(id, format!("key-{}", id % 40).as_bytes(), &[id as u8; 700]);
            self.leading().step(Input::Propose { token: id, data }).expect("nothing was planned");
            self.settle().expect("nothing was planned");
        }
    }

    /// Makes a checkpoint of the leader and puts it where the lagging member receives it, offered.
    fn transfer(&mut self, order: SnapshotOrder) -> Result<()> {
        let leader = self.leader().expect("somebody leads");
        let from = self.files[leader].clone();
        let engine = self.leading().parts().engine.clone();
        engine.request_flush().expect("nothing was planned");
        while engine.step().expect("nothing was planned") != Step::Idle {}
        let mut checkpoint = engine.checkpoint(SENDING.as_ref()).expect("the name is free");
        let applied = loop {
            if let Some(applied) = checkpoint.step().expect("nothing was planned") {
                break applied;
            }
        };
        assert!(applied.index >= order.message.snapshot.metadata.index);
        let message = snapshot_message(order.message, &applied).expect("the state can be read");
        let copied = copy(&from, SENDING.as_ref(), &self.files[LAGGING], INCOMING.as_ref());
        for name in from.list(SENDING.as_ref()).expect("it is there") {
            from.remove_file(&Path::new(SENDING).join(name)).expect("it is there");
        }
        from.remove_dir(SENDING.as_ref()).expect("it is empty");
        let result = match (copied, &mut self.members[LAGGING]) {
            (Ok(()), Some(member)) => member.step(Input::Snapshot(Box::new(message))),
            _ => Err(retcd_raft_glue::Error::Stopped),
        };
        let outcome = match result {
            Ok(()) => SnapshotOutcome::Sent,
            Err(_) => SnapshotOutcome::Failed,
        };
        let report = Input::SnapshotReport { to: order.to, outcome };
        self.leading().step(report).expect("nothing was planned");
        if result.is_err() {
            self.members[LAGGING] = None;
        }
        result
    }

    /// The lagging member is sent what it lacks, until all are alike.
    fn catch_up(&mut self) -> Result<u64> {
        let mut sent = 0;
        let alike = |cluster: &Cluster| {
            let applied = |member: &Option<Inline>| {
                member.as_ref().map(|member| member.parts().consensus.status().applied)
            };
            cluster.leader().is_some()
                && cluster.members.iter().all(|m| applied(m) == applied(&cluster.members[0]))
        };
        while !alike(self) {
            self.tick_until(|cluster| alike(cluster) || !cluster.orders.is_empty())?;
            if let Some(order) = self.orders.pop() {
                sent += 1;
                self.transfer(order)?;
            }
        }
        Ok(sent)
    }

    fn assert_alike(&self) {
        let mut hashes = self.members.iter().map(|member| {
            let store = member.as_ref().expect("all are there").store();
            (store.hash_kv(0).expect("it can be read"), store.key_count(), store.conf_state())
        });
        let first = hashes.next().expect("three of them");
        assert!(hashes.all(|hash| hash == first), "the members differ");
    }
}

/// Copies a folder's files, durably; what is there already goes.
fn copy(from: &CrashVfs, source: &Path, to: &CrashVfs, target: &Path) -> std::io::Result<()> {
    if to.exists(target)? {
        for name in to.list(target)? {
            to.remove_file(&target.join(name))?;
        }
    }
    to.create_dir_all(target)?;
    for name in from.list(source)? {
        let file = from.open_read(&source.join(&name))?;
        let mut bytes = vec![0; file.len()? as usize];
        file.read_exact_at(0, &mut bytes)?;
        let mut copy = to.create_append(&target.join(&name))?;
        copy.append(&bytes)?;
        copy.sync()?;
    }
    to.sync_dir(target)
}

/// The disks of three members, of whom one lacks what the others' logs don't have any more.
fn disks(kind: Kind) -> Vec<CrashVfs> {
    let mut cluster = Cluster::open(kind, (0..3).map(|_| CrashVfs::new()).collect());
    // The one that will lag doesn't lead: it isn't there when somebody is chosen.
    cluster.tick_until(|cluster| cluster.leader().is_some()).expect("nothing was planned");
    cluster.members[LAGGING] = None;
    cluster.tick_until(|cluster| cluster.leader().is_some()).expect("nothing was planned");
    cluster.put(140);
    for member in cluster.members.iter_mut().flatten() {
        while member.purge_beyond(1).expect("nothing was planned") {}
    }
    let files = std::mem::take(&mut cluster.files);
    drop(cluster);
    files.iter().for_each(CrashVfs::settle);
    files
}

/// The same disks again.
fn again(disks: &[CrashVfs]) -> Vec<CrashVfs> {
    disks.iter().map(|files| files.crash(0)).collect()
}

#[test]
fn it_ends_like_the_others() {
    for kind in [Kind::Lsm, Kind::Btree] {
        let mut cluster = Cluster::open(kind, disks(kind));
        assert!(cluster.catch_up().expect("nothing was planned") > 0, "no snapshot was needed");
        cluster.assert_alike();
        cluster.put(30);
        assert_eq!(cluster.catch_up().expect("nothing was planned"), 0, "the log was enough");
        cluster.assert_alike();
    }
}

fn crash_everywhere(kind: Kind, stride: usize) {
    let disks = disks(kind);
    let mut quiet = Cluster::open(kind, again(&disks));
    let before = quiet.files[LAGGING].operations();
    quiet.catch_up().expect("nothing was planned");
    let operations = quiet.files[LAGGING].operations();
    let applied = |member: &Inline| member.store().applied_index();
    let start = applied(&open(kind, LAGGING, &again(&disks)[LAGGING]).expect("it opens"));
    let (mut old, mut new) = (0, 0);
    for stop in (before + 1..=operations).step_by(stride) {
        let mut cluster = Cluster::open(kind, again(&disks));
        cluster.files[LAGGING].stop_at(stop);
        if cluster.catch_up().is_ok() {
            // The way there isn't always the same.
            continue;
        }
        let left = cluster.files[LAGGING].crash(stop);
        let member = open(kind, LAGGING, &left);
        let member = member.unwrap_or_else(|error| panic!("stop {stop}: {error}"));
        let is_old = applied(&member) <= start;
        *(if is_old { &mut old } else { &mut new }) += 1;
        cluster.files[LAGGING] = left;
        cluster.members[LAGGING] = Some(member);
        let caught_up = cluster.catch_up();
        caught_up.unwrap_or_else(|error| panic!("stop {stop}: {error}"));
        cluster.assert_alike();
    }
    assert!(old > 5 && new > 5, "{old} in the old state, {new} in the new one");
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_state_or_the_new_one() {
    crash_everywhere(Kind::Lsm, 1);
}

#[test]
fn so_it_does_on_the_tree() {
    crash_everywhere(Kind::Btree, 2);
}
