//! Random requests, against a model that keeps a whole map for every revision and does everything
//! the simplest way. Answers, pieces of the past, hashes and counts must be equal, however entries
//! are gathered into batches and whenever the member is restarted.

mod actions;
mod member;
mod model;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use actions::{Action, actions};
use member::{EngineKind, Member};
use model::Model;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn agree_with_the_model_on_the_oracle(
        actions in prop::collection::vec(actions(), 1..60)
    ) {
        play(EngineKind::Oracle, actions)?;
    }

    #[test]
    fn agree_with_the_model_on_the_log_structured_engine(
        actions in prop::collection::vec(actions(), 1..100)
    ) {
        play(EngineKind::Lsm, actions)?;
    }

    #[test]
    fn agree_with_the_model_on_the_tree(
        actions in prop::collection::vec(actions(), 1..100)
    ) {
        play(EngineKind::Btree, actions)?;
    }
}

fn play(kind: EngineKind, actions: Vec<Action>) -> Result<(), TestCaseError> {
    let mut member = Member::new(kind);
    let mut model = Model::new();
    for action in actions {
        step(&mut member, &mut model, action)?;
    }
    member.publish();
    check_state(&member, &model)
}

fn step(member: &mut Member, model: &mut Model, action: Action) -> Result<(), TestCaseError> {
    match action {
        Action::Write(request) => {
            let request = request.at(model.revision(), model.compacted());
            let expected = model.write(&request);
            prop_assert_eq!(member.apply(request), expected);
        }
        Action::Read(request) => {
            member.publish();
            let request = actions::resolved(&request, model.revision(), model.compacted());
            let expected = model.range(&request);
            prop_assert_eq!(member.range_as_bytes(&request), expected.clone());
            if let Ok(expected) = &expected {
                check_stream(member, &request, expected)?;
            }
            prop_assert_eq!(member.range(&request), expected);
        }
        Action::ReadTxn(request) => {
            member.publish();
            let request = actions::resolved_txn(&request, model.revision(), model.compacted());
            prop_assert_eq!(member.read_txn(&request), model.read_txn(&request));
        }
        Action::Past { back, length, scanned } => {
            member.publish();
            let first = (model.revision() - back).max(1);
            let revisions = first..=first + length;
            prop_assert_eq!(member.past(revisions.clone(), scanned), model.past(revisions));
        }
        Action::Publish => member.publish(),
        Action::Work { steps } => member.work(steps),
        Action::Restart => member.restart(),
        Action::Check => {
            member.publish();
            check_state(member, model)?;
        }
    }
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

fn check_state(member: &Member, model: &Model) -> Result<(), TestCaseError> {
    let store = member.store();
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
    let file: Vec<_> = model.file().into_iter().map(|(_, key, value)| (key, value)).collect();
    prop_assert_eq!(member.database_pairs(), file);
    Ok(())
}
