//! Readers that hold on to a revision, whatever is compacted and merged in the meantime.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use retcd_api::Error;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_engine::{Direction, KeyRange, Keyspace, Projection, Record, Version, View};

use crate::actions::resolve;
use crate::member::Member;
use crate::model::Model;

/// A picture of the engine, and the revision that is read in it.
pub(crate) struct Pinned {
    view: Box<dyn View>,
    revision: i64,
}

impl Pinned {
    /// Pins a revision that can be read; `None` if it can't.
    pub(crate) fn new(member: &Member, model: &Model, at: i64) -> Option<Pinned> {
        let revision = resolve(at, model.revision(), model.compacted());
        let readable = model.compacted().max(1)..=model.revision();
        let view = readable.contains(&revision).then(|| member.engine().view())?;
        Some(Pinned { view, revision })
    }

    /// What was pinned must be there for ever; for others only until it is compacted.
    pub(crate) fn check(&self, member: &Member, model: &Model) -> Result<(), TestCaseError> {
        let expected: Vec<_> = model.pairs_at(self.revision).cloned().collect();
        let mut found = Vec::new();
        let at = Version::end_of(self.revision.cast_unsigned());
        let all = KeyRange { start: b"", end: None };
        let scan = self.view.scan(Keyspace::Kv, all, at, Direction::Forward, Projection::Full);
        let mut cursor = scan.expect("no error was planned");
        while let Some(record) = cursor.next().expect("no error was planned") {
            found.push(record);
        }
        let told =
            |record: &Record| (record.key.clone(), record.version.main, record.value.clone());
        let expect = expected
            .iter()
            .map(|pair| (pair.key.clone(), pair.mod_revision.cast_unsigned(), pair.value.clone()));
        prop_assert_eq!(
            found.iter().map(told).collect::<Vec<_>>(),
            expect.collect::<Vec<_>>(),
            "pinned revision {}",
            self.revision
        );
        let request = RangeRequest {
            key: "\0".into(),
            range_end: "\0".into(),
            revision: self.revision,
            ..RangeRequest::default()
        };
        let published = member.store().compacted_revision();
        match member.range(&request) {
            Err(error) => {
                prop_assert!(self.revision < published);
                prop_assert_eq!(error, Error::Compacted);
            }
            Ok(response) => prop_assert_eq!(response.kvs, expected),
        }
        Ok(())
    }
}
