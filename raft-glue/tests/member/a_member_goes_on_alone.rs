//! Most voters are lost for good, and one member makes itself the only one. It keeps what it knows
//! to be committed, leads by itself, and is an ordinary member from then on. Its machine stops at
//! every single operation of that: from whatever the crash leaves it starts again, with the wish to
//! be alone or without, in the old membership or in the new one, and nothing is lost.

use crate::support::{DATA, Kind, options, put};
use prost::Message as _;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::raftpb::{ConfState, Entry, EntryType, Message, MessageType};
use retcd_engine::Engine;
use retcd_mvcc::membership::{self, MemberChange, Refusal};
use retcd_raft_glue::{
    BootstrapOptions, DataDir, Error, FoundingMember, Inline, Input, KIND_CONF_CHANGE, Result,
    Role, StoodAlone, bootstrap,
};
use retcd_vfs::{CrashVfs, Vfs};
use retcd_wal::{Identity, LogEntry};
use std::path::Path;
use std::sync::Arc;

/// The term of the leader that the tests play.
const TERM: u64 = 2;
const LEARNER: u64 = 77;

fn founder(number: usize) -> FoundingMember {
    let peer_urls = vec![format!("http://127.0.0.1:{}", 2380 + number)];
    FoundingMember { name: format!("m{number}"), peer_urls }
}

/// How a start is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Ordinary,
    Alone,
}

fn of_three(start: Start) -> BootstrapOptions {
    BootstrapOptions {
        name: founder(0).name,
        initial_cluster: (0..3).map(founder).collect(),
        stands_alone: (start == Start::Alone).then(|| founder(0)),
        ..options()
    }
}

fn open(kind: Kind, files: &CrashVfs, options: BootstrapOptions) -> Result<Inline> {
    let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
    let data_dir = DataDir::open(vfs.clone(), Path::new(DATA), None)?;
    Ok(Inline::new(bootstrap(data_dir, options, move |dir| kind.open(&vfs, dir))?))
}

fn conf_state(member: &Inline) -> ConfState {
    ConfState::decode(member.store().conf_state()).expect("it was encoded here")
}

fn id(member: &Inline) -> u64 {
    member.parts().identity.member
}

fn has(member: &Inline, key: &str) -> bool {
    let request = RangeRequest { key: key.to_owned().into(), ..RangeRequest::default() };
    !member.store().range(&request).expect("it can be read").kvs.is_empty()
}

/// Puts a key and says whether that was answered.
fn put_key(member: &mut Inline, key: &str) -> bool {
    let data = put(1, key.as_bytes(), b"value");
    let settled = member.step(Input::Propose { token: 1, data }).and_then(|()| member.settle());
    let outcomes = member.told().outcomes;
    assert!(settled.is_err() || outcomes.iter().any(|outcome| outcome.request_id == 1));
    outcomes.iter().any(|outcome| outcome.request_id == 1 && outcome.result.is_ok())
}

fn assert_alone(member: &Inline) {
    let members = member.store().members();
    assert_eq!(members.iter().map(|member| member.id).collect::<Vec<_>>(), [id(member)]);
    assert!(!members[0].is_learner);
    let alone = ConfState { voters: vec![id(member)], ..ConfState::default() };
    assert_eq!(conf_state(member), alone);
    assert_eq!(member.parts().consensus.status().role, Role::Leader);
}

/// A follower, whose leader the test plays.
struct Follower {
    member: Inline,
    leader: u64,
    last: u64,
    last_term: u64,
}

impl Follower {
    /// One of three founders, with a log of three entries.
    fn founder(kind: Kind, files: &CrashVfs) -> Follower {
        let mut member = open(kind, files, of_three(Start::Ordinary)).expect("a new member");
        member.settle().expect("nothing fails");
        let own = id(&member);
        let voters = conf_state(&member).voters;
        let leader = *voters.iter().find(|&&voter| voter != own).expect("three of them");
        Follower { member, leader, last: 3, last_term: 1 }
    }

    /// One that the cluster was told of, and that has nothing yet. Behind it what founders begin
    /// with.
    fn joiner(files: &CrashVfs) -> (Follower, Vec<Entry>) {
        let elsewhere = Follower::founder(Kind::Lsm, &CrashVfs::new());
        let parts = elsewhere.member.parts();
        let founding = parts.log.reader().entries(1, 4, u64::MAX).expect("they are there");
        let identity = Identity { member: LEARNER, ..parts.identity };
        let options = BootstrapOptions { joins: Some(identity), ..options() };
        let mut member = open(Kind::Lsm, files, options).expect("a new member");
        member.settle().expect("nothing fails");
        let leader = id(&elsewhere.member);
        let follower = Follower { member, leader, last: 0, last_term: 0 };
        (follower, founding.into_iter().map(of_log).collect())
    }

    /// The leader says that entries come next, and up to where all are committed.
    fn hear(&mut self, entries: Vec<Entry>, commit: u64) {
        let (index, log_term) = (self.last, self.last_term);
        if let Some(last) = entries.last() {
            (self.last, self.last_term) = (last.index, last.term);
        }
        let message = Message {
            r#type: MessageType::MsgApp.into(),
            to: id(&self.member),
            from: self.leader,
            term: TERM,
            log_term,
            index,
            entries,
            commit,
            ..Message::default()
        };
        self.member.step(Input::Message(Box::new(message))).expect("nothing fails");
        self.member.settle().expect("nothing fails");
        assert_eq!(self.member.parts().consensus.status().last, self.last);
    }
}

fn of_log(entry: LogEntry) -> Entry {
    let LogEntry { index, term, kind, data } = entry;
    let kind = match kind {
        KIND_CONF_CHANGE => EntryType::EntryConfChange,
        _ => EntryType::EntryNormal,
    };
    Entry { r#type: kind.into(), term, index, data: Some(data) }
}

fn put_entry(index: u64, key: &str) -> Entry {
    let data = Some(put(index, key.as_bytes(), &[7; 200]));
    Entry { term: TERM, index, data, ..Entry::default() }
}

fn change_entry(index: u64, change: &MemberChange) -> Entry {
    let data = Some(change.to_conf_change(index).encode_to_vec().into());
    Entry { r#type: EntryType::EntryConfChange.into(), term: TERM, index, data }
}

fn learner(id: u64) -> MemberChange {
    let peer_urls = vec!["http://127.0.0.1:9".to_owned()];
    let member = membership::Member { id, peer_urls, is_learner: true, ..Default::default() };
    MemberChange::Add(member)
}

/// What was committed when the others were lost.
const KEPT: u64 = 36;

/// A founder's disk: some of it is in the engine, some in the log, the last two entries aren't
/// known to be committed, and one of them removes a member.
fn disk(kind: Kind) -> CrashVfs {
    let files = CrashVfs::new();
    let mut follower = Follower::founder(kind, &files);
    for index in 4..KEPT - 1 {
        follower.hear(vec![put_entry(index, &format!("key-{index}"))], index - 1);
    }
    let tail = vec![change_entry(KEPT - 1, &learner(LEARNER)), put_entry(KEPT, "last")];
    follower.hear(tail, KEPT - 2);
    let removal = MemberChange::Remove(follower.leader);
    let unknown = vec![put_entry(KEPT + 1, "unknown"), change_entry(KEPT + 2, &removal)];
    follower.hear(unknown, KEPT);
    let flushed = follower.member.parts().engine.flushed().index;
    assert!((4..KEPT - 1).contains(&flushed), "{flushed}");
    drop(follower);
    files.settle();
    files
}

#[test]
fn it_keeps_what_is_committed_and_is_an_ordinary_member() {
    for kind in [Kind::Lsm, Kind::Btree] {
        let files = disk(kind);
        let mut member = open(kind, &files, of_three(Start::Alone)).expect("it opens");
        let own = id(&member);
        let mut others: Vec<u64> = member.store().members().iter().map(|one| one.id).collect();
        others.retain(|&other| other != own);
        others.push(LEARNER);
        let StoodAlone { kept, dropped, mut removed } =
            member.parts().stood_alone.clone().expect("it wasn't alone");
        assert_eq!((kept, dropped), (KEPT, 2));
        others.sort_unstable();
        others.dedup();
        removed.sort_unstable();
        assert_eq!(removed, others);
        let term = member.parts().log.reader().term(KEPT + 1).expect("it was just written");
        assert!(term > TERM, "another member has an entry of this index and term");
        member.settle().expect("nothing fails");
        assert_alone(&member);
        assert!(has(&member, "last") && !has(&member, "unknown"));
        assert!((4..KEPT - 1).all(|index| has(&member, &format!("key-{index}"))));
        assert!(put_key(&mut member, "after"));
        for start in [Start::Ordinary, Start::Alone] {
            drop(member);
            member = open(kind, &files, of_three(start)).expect("it opens");
            assert_eq!(member.parts().stood_alone, None, "it is alone already");
            member.settle().expect("nothing fails");
            assert_alone(&member);
            assert!(has(&member, "last") && has(&member, "after"));
        }
    }
}

/// It grows again, by others than those who are gone.
#[test]
fn who_was_removed_does_not_come_back() {
    let files = disk(Kind::Lsm);
    let mut member = open(Kind::Lsm, &files, of_three(Start::Alone)).expect("it opens");
    member.settle().expect("nothing fails");
    member.told();
    for (token, id, is_taken) in [(1, LEARNER, false), (2, LEARNER + 1, true)] {
        let data = learner(id).to_conf_change(token).encode_to_vec().into();
        member.step(Input::ProposeConfChange { token, data }).expect("nothing fails");
        member.settle().expect("nothing fails");
        let outcomes = member.told().outcomes;
        let outcome = outcomes.iter().find(|outcome| outcome.request_id == token);
        assert_eq!(outcome.expect("an answer").result.is_ok(), is_taken);
    }
}

#[test]
fn a_lone_member_loses_nothing_by_it() {
    let files = CrashVfs::new();
    let mut member = open(Kind::Lsm, &files, options()).expect("a new member");
    member.settle().expect("nothing fails");
    for number in 0..10 {
        assert!(put_key(&mut member, &format!("key-{number}")));
        let left = files.crash(number);
        let stands_alone = Some(founder(0));
        let again = BootstrapOptions { stands_alone, ..options() };
        let mut again = open(Kind::Lsm, &left, again).expect("it opens");
        assert_eq!(again.parts().stood_alone, None);
        again.settle().expect("nothing fails");
        assert!((0..=number).all(|number| has(&again, &format!("key-{number}"))));
    }
}

fn joiner_alone(files: &CrashVfs, own: FoundingMember) -> Result<Inline> {
    files.settle();
    let options = BootstrapOptions { stands_alone: Some(own), ..options() };
    let mut member = open(Kind::Lsm, files, options)?;
    member.settle()?;
    Ok(member)
}

#[test]
fn a_learner_becomes_the_voter() {
    let files = CrashVfs::new();
    let (mut follower, mut entries) = Follower::joiner(&files);
    entries.extend([change_entry(4, &learner(LEARNER)), put_entry(5, "kept")]);
    follower.hear(entries, 5);
    drop(follower);
    let member = joiner_alone(&files, founder(9)).expect("it opens");
    assert_alone(&member);
    assert!(has(&member, "kept"));
    assert_eq!(member.store().members()[0].peer_ur_ls, ["http://127.0.0.1:9"], "what it had");
}

#[test]
fn one_that_the_membership_does_not_know_yet_is_added() {
    let files = CrashVfs::new();
    let (mut follower, mut entries) = Follower::joiner(&files);
    entries.push(put_entry(4, "kept"));
    follower.hear(entries, 4);
    drop(follower);
    let refused = joiner_alone(&files, founder(1)).err().expect("another one has the URL");
    assert!(matches!(refused, Error::CannotStandAlone(Refusal::PeerUrlExists)), "{refused}");
    let member = joiner_alone(&files, founder(9)).expect("it opens");
    assert_alone(&member);
    assert!(has(&member, "kept"));
    assert_eq!(member.store().members()[0].peer_ur_ls, founder(9).peer_urls);
}

#[test]
fn one_that_was_removed_is_refused() {
    let files = CrashVfs::new();
    let mut follower = Follower::founder(Kind::Lsm, &files);
    let removal = change_entry(4, &MemberChange::Remove(id(&follower.member)));
    follower.hear(vec![removal], 4);
    drop(follower);
    files.settle();
    let refused = open(Kind::Lsm, &files, of_three(Start::Alone)).err().expect("it is removed");
    assert!(matches!(refused, Error::CannotStandAlone(Refusal::Removed)), "{refused}");
}

/// Starts the member alone and puts a key; says whether the put was answered.
fn go_on(kind: Kind, files: &CrashVfs) -> bool {
    let Ok(mut member) = open(kind, files, of_three(Start::Alone)) else { return false };
    member.settle().is_ok() && put_key(&mut member, "after")
}

fn crash_everywhere(kind: Kind) {
    let disk = disk(kind);
    let quiet = disk.crash(0);
    assert!(go_on(kind, &quiet));
    let (mut old, mut new, mut answered) = (0, 0, 0);
    for stop in 1..=quiet.operations() {
        let files = disk.crash(0);
        files.stop_at(stop);
        let is_answered = go_on(kind, &files);
        answered += u64::from(is_answered);
        let left = files.crash(stop);

        let ordinary = left.crash(0);
        let member = open(kind, &ordinary, of_three(Start::Ordinary));
        let mut member = member.unwrap_or_else(|error| panic!("stop {stop}: {error}"));
        member.settle().unwrap_or_else(|error| panic!("stop {stop}: {error}"));
        assert!(has(&member, "last"), "stop {stop}");
        if member.store().members().len() == 1 {
            new += 1;
            assert_alone(&member);
            assert!(!has(&member, "unknown"), "stop {stop}");
        } else {
            old += 1;
            assert!(!is_answered, "stop {stop}");
            assert_eq!(conf_state(&member).voters.len(), 3, "stop {stop}");
        }

        let member = open(kind, &left, of_three(Start::Alone));
        let mut member = member.unwrap_or_else(|error| panic!("stop {stop}: {error}"));
        member.settle().unwrap_or_else(|error| panic!("stop {stop}: {error}"));
        assert_alone(&member);
        assert!(has(&member, "last") && !has(&member, "unknown"), "stop {stop}");
        assert!(has(&member, "after") || !is_answered, "stop {stop}: an answered put is lost");
    }
    assert!(old > 2 && new > 5 && answered > 0, "{old} old, {new} new, {answered} answered");
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_membership_or_the_new_one() {
    crash_everywhere(Kind::Lsm);
}

#[test]
fn so_it_does_on_the_tree() {
    crash_everywhere(Kind::Btree);
}
