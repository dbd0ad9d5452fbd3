//! Random requests, against a model that keeps a whole map for every revision and does everything
//! the simplest way. Answers, pieces of the past, watches, hashes and counts must be equal, however
//! entries are gathered into batches, whenever the engine flushes, merges and compacts, whoever
//! holds on to old revisions meanwhile, and whenever the member is restarted or crashes.
//!
//! They are equal for every engine under whatever options: these are drawn at random, and anew at
//! every start. So any two members with the same entries are equal.

mod actions;
mod engines;
mod member;
mod model;
mod pinned;
#[path = "../shared/watching.rs"]
mod watching;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::mvccpb::event::EventType;
use retcd_mvcc::{ChangeKind, Store};

use actions::{Action, actions};
use engines::{Draw, ENGINES, Open, draws};
use member::Member;
use model::Model;
use pinned::Pinned;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn agree_with_the_model_on_every_engine_under_any_options(
        draw in draws(),
        actions in prop::collection::vec(actions(), 1..100),
    ) {
        for (_, open) in ENGINES {
            play(open, draw, &actions)?;
        }
    }
}

/// A member, the model, and those who hold on to what they have seen.
struct World {
    member: Member,
    model: Model,
    pinned: Vec<Pinned>,
}

fn play(open: Open, draw: Draw, actions: &[Action]) -> Result<(), TestCaseError> {
    let member = Member::new(open, draw);
    let mut world = World { member, model: Model::new(), pinned: Vec::new() };
    for action in actions {
        world.step(action.clone())?;
    }
    world.member.publish();
    world.check_pinned()?;
    check_state(&world.member, &world.model)?;
    world.member.defragment();
    world.check_pinned()?;
    check_state(&world.member, &world.model)
}

impl World {
    fn step(&mut self, action: Action) -> Result<(), TestCaseError> {
        let World { member, model, pinned } = self;
        match action {
            Action::Write(request) => {
                let request = request.at(model.revision(), model.compacted());
                let expected = model.write(&request);
                prop_assert_eq!(member.apply(request), expected);
            }
            Action::Read(_) | Action::ReadTxn(_) | Action::Past { .. } | Action::Watch { .. } => {
                member.publish();
                return check_read(member, model, action);
            }
            Action::Pin { at } => {
                member.publish();
                pinned.extend(Pinned::new(member, model, at));
            }
            Action::AskPinned => self.check_pinned()?,
            Action::Publish => member.publish(),
            Action::Flush => member.engine().request_flush().expect("no error was planned"),
            Action::Defragment => member.engine().request_merge().expect("no error was planned"),
            Action::Work { steps } => member.work(steps),
            Action::Restart { draw } => {
                pinned.clear();
                member.restart(draw);
            }
            Action::Crash { seed, draw } => {
                pinned.clear();
                member.crash(seed, draw);
            }
            Action::Check => {
                member.publish();
                check_state(member, model)?;
            }
        }
        Ok(())
    }

    fn check_pinned(&self) -> Result<(), TestCaseError> {
        self.pinned.iter().try_for_each(|pinned| pinned.check(&self.member, &self.model))
    }
}

/// An action that reads what is published, which is everything.
fn check_read(member: &Member, model: &Model, action: Action) -> Result<(), TestCaseError> {
    match action {
        Action::Read(request) => {
            let request = actions::resolved(&request, model.revision(), model.compacted());
            let expected = model.range(&request);
            prop_assert_eq!(member.range_as_bytes(&request), expected.clone());
            if let Ok(expected) = &expected {
                check_stream(member, &request, expected)?;
            }
            prop_assert_eq!(member.range(&request), expected);
        }
        Action::ReadTxn(request) => {
            let request = actions::resolved_txn(&request, model.revision(), model.compacted());
            prop_assert_eq!(member.read_txn(&request), model.read_txn(&request));
        }
        Action::Past { back, length, scanned } => {
            let first = (model.revision() - back).max(1);
            let revisions = first..=first + length;
            prop_assert_eq!(member.past(revisions.clone(), scanned), model.past(revisions));
        }
        Action::Watch { from } => {
            let from = actions::resolve(from, model.revision(), model.compacted()).max(1);
            check_watch(member, model, from)?;
        }
        other => panic!("{other:?} reads nothing"),
    }
    Ok(())
}

/// A watch that begins at a revision gets all changes from there on, or is told that they are
/// compacted.
fn check_watch(member: &Member, model: &Model, from: i64) -> Result<(), TestCaseError> {
    let heard = watching::heard(member.store(), from);
    let Ok(expected) = model.past(from..=model.revision().max(from)) else {
        prop_assert_eq!(heard, Err(model.compacted()));
        return Ok(());
    };
    let expected = expected.iter().flat_map(|commit| {
        commit.changes.iter().map(|change| {
            let is_delete = change.kind == ChangeKind::Delete;
            (commit.revision, change.key.clone(), is_delete)
        })
    });
    let heard = heard.expect("nothing of it is compacted").into_iter().map(|event| {
        let is_delete = event.r#type() == EventType::Delete;
        let pair = event.kv.expect("an event has a pair");
        (pair.mod_revision, pair.key, is_delete)
    });
    prop_assert_eq!(heard.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    Ok(())
}

/// What is streamed is what is answered at once, if the request can be streamed at all.
fn check_stream(
    member: &Member,
    request: &retcd_api::etcdserverpb::RangeRequest,
    expected: &retcd_api::etcdserverpb::RangeResponse,
) -> Result<(), TestCaseError> {
    if let Some(streamed) = member.streamed(request) {
        prop_assert_eq!(&streamed, expected);
    }
    Ok(())
}

/// The state, its database, and the state that comes of that database elsewhere.
fn check_state(member: &Member, model: &Model) -> Result<(), TestCaseError> {
    check_store(member.store(), model)?;
    let file: Vec<_> = model.file().into_iter().map(|(_, key, value)| (key, value)).collect();
    prop_assert_eq!(member.database_pairs(), file);
    check_store(&member.moved(), model)
}

fn check_store(store: &Store, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(store.revision(), model.revision());
    prop_assert_eq!(store.compacted_revision(), model.compacted());
    prop_assert_eq!(store.key_count(), model.key_count());
    for lease in actions::LEASES {
        let keys = store.lease_keys(lease).expect("the in-memory engine doesn't fail");
        prop_assert_eq!(keys, model.lease_keys(lease));
    }
    for revision in model.compacted().max(1)..=model.revision() {
        let hash = store.hash_kv(revision).expect("the revision can be read");
        prop_assert_eq!(hash.hash, model.hash(revision), "hash of revision {}", revision);
    }
    let all = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    for revision in [0, model.compacted().max(1)] {
        let request = RangeRequest { revision, ..all.clone() };
        let expected = model.range(&request);
        prop_assert_eq!(store.range(&request).map_err(member::refused), expected);
    }
    Ok(())
}
