//! The stall as it is counted, and a whole member on a disk that stalls: the test is its peers.

use super::LogStall;
use crate::flags::MetricsDetail;
use crate::member::handle::Event;
use crate::member::{
    Batching, Carries, Grouping, Inboxes, Limits, MemberOptions, RunningMember, mailbox, start,
};
use crate::metrics::{Facts, Metrics, Numbers};
use crate::peers::{Local, Peers};
use crossbeam_channel::{Receiver, bounded, unbounded};
use parking_lot::{Condvar, Mutex};
use retcd_api::etcdserverpb::PutRequest;
use retcd_api::raftpb::{Message, MessageType};
use retcd_engine::Engine;
use retcd_engine::lsm::{self, Lsm};
use retcd_raft_glue::{
    BootstrapOptions, DataDir, FoundingMember, Input, Member as Consensus, Role, Status, bootstrap,
};
use retcd_vfs::{
    AlignedBuf, AppendFile, FileLock, LogFile, LogMode, MemVfs, PageFile, ReadFile, Vfs,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_stall_lasts_from_what_was_made_durable_last() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let lasts = |stall: &LogStall, millis| stall.lasts(at(millis)).map(|time| time.as_millis());
    let mut stall = LogStall::default();
    assert_eq!(lasts(&stall, 900), None, "nothing was given");
    stall.handed_over(1, at(1000));
    stall.handed_over(2, at(1300));
    assert_eq!(lasts(&stall, 1400), Some(400), "from the first on");
    stall.persisted(1, at(1500));
    assert_eq!(lasts(&stall, 1600), Some(100), "the disk works");
    stall.persisted(2, at(1700));
    assert_eq!(lasts(&stall, 2000), None);
    // The parts of a split group but the last have the number of the group before.
    stall.handed_over(2, at(2100));
    stall.handed_over(3, at(2100));
    stall.persisted(2, at(2200));
    assert_eq!(lasts(&stall, 2300), Some(100));
}

/// Holds up whoever writes to the log while it is closed.
#[derive(Default)]
struct Door {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Door {
    fn close(&self) {
        *self.is_closed.lock() = true;
    }

    fn open(&self) {
        *self.is_closed.lock() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_closed = self.is_closed.lock();
        while *is_closed {
            self.opened.wait(&mut is_closed);
        }
    }
}

/// Files in memory, but for a log that can be made to stall.
struct StallingDisk {
    files: MemVfs,
    door: Arc<Door>,
}

struct StallingLog {
    file: Box<dyn LogFile>,
    door: Arc<Door>,
}

impl LogFile for StallingLog {
    fn submit(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()> {
        self.door.pass();
        self.file.submit(offset, buf)
    }

    fn complete(&mut self) -> io::Result<Option<AlignedBuf>> {
        self.file.complete()
    }

    fn depth(&self) -> usize {
        self.file.depth()
    }
}

impl Vfs for StallingDisk {
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.files.open_read(path)
    }

    fn create_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.files.create_append(path)
    }

    fn open_log(&self, path: &Path, mode: LogMode) -> io::Result<Box<dyn LogFile>> {
        let (file, door) = (self.files.open_log(path, mode)?, self.door.clone());
        Ok(Box::new(StallingLog { file, door }))
    }

    fn open_pages(&self, path: &Path) -> io::Result<Arc<dyn PageFile>> {
        self.files.open_pages(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.files.remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.files.exists(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.files.sync_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.files.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.files.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.files.is_locked(path)
    }

    fn leads_into(&self, path: &Path, folder: &Path) -> io::Result<bool> {
        self.files.leads_into(path, folder)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.files.free_bytes(folder)
    }
}

/// Nothing that is waited for takes longer, unless it will never come.
const PATIENCE: Duration = Duration::from_secs(60);

const TICK: Duration = Duration::from_millis(50);
const ELECTION_TICKS: usize = 10;

/// One of three founders with its threads. The others are the test's, and hear nothing: they say
/// what the member needs to hear.
struct Founder {
    running: RunningMember,
    metrics: Arc<Metrics>,
    other: u64,
    /// Whose tasks are the peers', which never get to run.
    _runtime: tokio::runtime::Runtime,
    _failed: Receiver<crate::member::Failure>,
}

impl Founder {
    fn start(door: &Arc<Door>) -> Founder {
        let disk = StallingDisk { files: MemVfs::new(), door: door.clone() };
        let vfs: Arc<dyn Vfs> = Arc::new(disk);
        let data_dir = DataDir::open(vfs.clone(), Path::new("data"), None).expect("memory");
        let opener = move |dir: &Path| -> retcd_engine::Result<Arc<dyn Engine>> {
            Ok(Arc::new(Lsm::open(vfs.clone(), dir, lsm::Options::default())?))
        };
        let parts = bootstrap(data_dir, founding(), opener).expect("memory");
        let metrics = Arc::new(Metrics::new(&Facts {
            member_id: parts.identity.member,
            quota_bytes: None,
            log_io: "direct".to_owned(),
            log_depth: 1,
            detail: MetricsDetail::Basic,
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let retcd_wal::Identity { cluster, member } = parts.identity;
        let local = Local { cluster, member, peer_urls: Vec::new() };
        let (mail, (_, closing)) = (mailbox(), tokio::sync::watch::channel(false));
        let handles = vec![runtime.handle().clone()];
        let peers = Peers::new(local, mail.0.clone(), metrics.clone(), handles, closing);
        let (failures, failed) = unbounded();
        let inboxes = Inboxes::new(1);
        let running = start(parts, options(), metrics.clone(), inboxes, mail, peers, failures);
        let running = running.expect("threads");
        let applied = Instant::now() + PATIENCE;
        let other = loop {
            let members = running.member.store.members();
            let other = members.iter().find(|other| other.id != member);
            assert!(Instant::now() < applied, "the founding members aren't applied");
            match other {
                Some(other) => break other.id,
                None => std::thread::yield_now(),
            }
        };
        Founder { running, metrics, other, _runtime: runtime, _failed: failed }
    }

    fn look(&self) -> Status {
        let (sender, status) = bounded(1);
        let look = Box::new(move |consensus: &Consensus| {
            sender.send(consensus.status()).expect("the test waits for it");
        });
        self.running.member.events.send(Event::Inspect(look)).expect("the raft thread runs");
        status.recv().expect("the raft thread runs")
    }

    /// Says for another member what a leader hears of it, and a candidate if it is to be elected,
    /// until something holds.
    fn play_until(&self, elects: Elects, holds: impl Fn(&Status) -> bool) {
        let ends = Instant::now() + PATIENCE;
        loop {
            let status = self.look();
            if holds(&status) {
                return;
            }
            assert!(Instant::now() < ends, "it will never come: {status:?}");
            let leads = status.role == Role::Leader;
            if leads {
                self.say(MessageType::MsgHeartbeatResp, status.term, 0);
                self.say(MessageType::MsgAppResp, status.term, status.last);
            } else if elects == Elects::Yes {
                self.say(MessageType::MsgPreVoteResp, status.term + 1, 0);
                self.say(MessageType::MsgVoteResp, status.term, 0);
            }
            std::thread::sleep(TICK / 10);
        }
    }

    fn say(&self, kind: MessageType, term: u64, index: u64) {
        let to = self.running.member.identity.member;
        let from = self.other;
        let message = Message { r#type: kind.into(), to, from, term, index, ..Message::default() };
        let event = Event::Input(Input::Message(Box::new(message)));
        self.running.member.events.send(event).expect("the raft thread runs");
    }

    fn put(&self) {
        let (key, value) = ("key".into(), "value".into());
        let request = PutRequest { key, value, ..PutRequest::default() };
        self.running.member.propose_unattended(Carries::Put, &request);
    }

    fn step_downs(&self) -> u64 {
        let text = String::from_utf8(self.metrics.text(&Numbers::default())).expect("text");
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix("retcd_raft_step_downs_total "));
        value.expect("the metric is there").parse().expect("a number")
    }
}

/// Whether the others vote for the member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Elects {
    Yes,
    No,
}

fn founding() -> BootstrapOptions {
    let founder = |number: u16| FoundingMember {
        name: format!("m{number}"),
        // Nobody dials it.
        peer_urls: vec![format!("http://127.0.0.1:{}", 1 + number)],
    };
    BootstrapOptions {
        name: "m0".to_owned(),
        initial_cluster: (0..3).map(founder).collect(),
        initial_cluster_token: String::new(),
        joins: None,
        stands_alone: None,
        log: retcd_wal::Options { segment_bytes: 1 << 20, ..retcd_wal::Options::default() },
        store: retcd_mvcc::Config::default(),
        election_ticks: ELECTION_TICKS,
        pre_vote: true,
        seed: 1,
    }
}

fn options() -> MemberOptions {
    MemberOptions {
        tick: TICK,
        election_timeout: TICK * ELECTION_TICKS as u32,
        limits: Limits {
            request_bytes_max: 1 << 20,
            txn_ops_max: 128,
            request_timeout: PATIENCE,
            strict_reconfig: true,
        },
        grouping: Grouping { bytes_max: 1 << 20, delay: Duration::ZERO },
        engine: "lsm",
        batching: Batching { limit: 10_000, interval: Duration::from_millis(100) },
        commit_interval: None,
        slow_apply: PATIENCE,
        segments_max: 0,
        maintenance_threads: 1,
        scrub: None,
    }
}

/// The others hear the leader all the while, so nobody else would end its leadership.
#[test]
fn a_leader_whose_disk_stalls_lets_others_lead_until_the_disk_works_again() {
    let door = Arc::<Door>::default();
    let founder = Founder::start(&door);
    let member = founder.running.member.clone();
    founder.play_until(Elects::Yes, |status| status.role == Role::Leader);
    founder.put();
    founder.play_until(Elects::Yes, |_| member.store.revision() == 2);

    // It may have been elected again meanwhile, if this machine was slow.
    founder.play_until(Elects::Yes, |status| status.role == Role::Leader);
    let before = founder.step_downs();
    door.close();
    founder.put();
    founder.play_until(Elects::No, |_| founder.step_downs() > before);
    founder.play_until(Elects::No, |status| status.role != Role::Leader);

    door.open();
    founder.play_until(Elects::Yes, |status| status.role == Role::Leader);
    founder.put();
    founder.play_until(Elects::Yes, |_| member.store.revision() >= 3);
    founder.running.stop();
}
