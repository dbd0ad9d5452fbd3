//! Which records a flush or a merge writes again, and which vanish: compaction by revision.
//!
//! For one key, with the watermark W that the files' own edit makes durable: everything above W
//! stays, and so does the newest at or below W, unless it is a tombstone and nothing older of the
//! key can exist elsewhere. Nobody reads below W, so no read can tell the difference.
//!
//! `Lease` and `Meta` follow the same rule with W above everything: only the newest counts. `Rev`
//! has one version of a key, and loses those below W.
//!
//! Counts add up what each record says that it adds. So the record that stays at or below W takes
//! over what the older ones, which vanish, would have added: the sum at or above W is as before.

use crate::table::{Age, RecordRef};
use crate::{Keyspace, Result, Version};

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is written.
    Keep(Age),
    /// It is written as the last one of its key: all older ones vanish. How many keys it adds then
    /// is known when they have been seen, from [`Retention::keys_added`].
    KeepLast(Age),
    /// It is a pair's tombstone over nothing, and vanishes with all older ones if together they add
    /// no keys. Otherwise it is written with what they add: an earlier merge has moved a part of
    /// the sum to a newer record elsewhere, and the sums only balance together.
    Vanish(Age),
    /// It vanishes.
    Drop,
}

/// Decides over records that come keys ascending, versions of one key descending.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    keyspace: Keyspace,
    /// What was seen last.
    key: Vec<u8>,
    version: Version,
    /// Whether a record was seen, so that `key` means something.
    started: bool,
    /// Whether a record of `key` was kept.
    kept: bool,
    /// Whether a record of `key` at or below the watermark was seen: all older ones vanish.
    settled: bool,
    /// How many keys that record and those older ones add together.
    keys_added: Option<i8>,
    /// Whether that record is a tombstone.
    is_gone: bool,
}

impl Retention {
    pub(crate) fn new(keyspace: Keyspace) -> Retention {
        Retention {
            keyspace,
            key: Vec::new(),
            version: Version::default(),
            started: false,
            kept: false,
            settled: false,
            keys_added: None,
            is_gone: false,
        }
    }

    /// How many keys the one record at or below the watermark of the last key adds, with those that
    /// vanished behind it.
    pub(crate) fn keys_added(&self) -> Option<i8> {
        self.keys_added
    }

    /// As [`Retention::keys_added`], where all records of the keyspace have been seen: what comes
    /// before that record is nowhere, so it alone says whether the key is there.
    pub(crate) fn keys_added_by_all(&self) -> Option<i8> {
        Some(i8::from(!self.is_gone))
    }

    /// Whether `key` is another one than that of the last record.
    pub(crate) fn starts_key(&self, key: &[u8]) -> bool {
        !self.started || self.key != key
    }

    /// What happens to `record`. `older_elsewhere` is asked only for tombstones that could vanish.
    /// The watermark may rise from call to call.
    ///
    /// # Errors
    /// Those of asking.
    pub(crate) fn decide(
        &mut self,
        record: RecordRef<'_>,
        watermark: u64,
        older_elsewhere: impl FnOnce() -> Result<bool>,
    ) -> Result<Verdict> {
        if self.starts_key(record.key) {
            self.key.clear();
            self.key.extend_from_slice(record.key);
            (self.started, self.kept, self.settled) = (true, false, false);
        } else if self.version == record.version {
            return Ok(Verdict::Drop); // The same record from another source.
        }
        self.version = record.version;
        let settled = self.settled;
        let keep = match self.keyspace {
            Keyspace::Rev => record.version.main >= watermark,
            Keyspace::Kv => self.keep(record, Version::end_of(watermark), older_elsewhere)?,
            Keyspace::Lease | Keyspace::Meta => self.keep(record, Version::MAX, older_elsewhere)?,
        };
        let age = if self.kept { Age::Superseded } else { Age::Newest };
        if !keep {
            let settles = self.settled && !settled;
            let vanishes = settles && self.keyspace == Keyspace::Kv;
            return Ok(if vanishes { Verdict::Vanish(age) } else { Verdict::Drop });
        }
        self.kept = true;
        Ok(if self.settled { Verdict::KeepLast(age) } else { Verdict::Keep(age) })
    }

    fn keep(
        &mut self,
        record: RecordRef<'_>,
        watermark: Version,
        older_elsewhere: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        if record.version > watermark {
            return Ok(true);
        }
        if std::mem::replace(&mut self.settled, true) {
            self.keys_added = sum(self.keys_added, record.keys_added);
            return Ok(false);
        }
        self.keys_added = record.keys_added;
        self.is_gone = record.tombstone;
        if record.tombstone { older_elsewhere() } else { Ok(true) }
    }
}

/// What a stretch of a key's history adds, if both of its parts are known: a key comes and goes in
/// turns, so that is one at most.
fn sum(newer: Option<i8>, older: Option<i8>) -> Option<i8> {
    let sum = newer?.checked_add(older?)?;
    (-1..=1).contains(&sum).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    const WATERMARK: u64 = 10;

    fn record(key: &[u8], main: u64, tombstone: bool) -> RecordRef<'_> {
        let header = Header::default();
        RecordRef { key, version: Version { main, sub: 0 }, tombstone, header, keys_added: None }
    }

    /// What is decided where it is known whether anything older is elsewhere.
    fn decide(retention: &mut Retention, record: RecordRef<'_>, older_elsewhere: bool) -> Verdict {
        let verdict = retention.decide(record, WATERMARK, || Ok(older_elsewhere));
        verdict.expect("nothing is read")
    }

    /// The mains that stay of one key's, newest first; negative ones are tombstones.
    fn kept(keyspace: Keyspace, mains: &[i64], older_elsewhere: bool) -> Vec<i64> {
        let mut retention = Retention::new(keyspace);
        let mut stays = |main: &&i64| {
            let record = record(b"k", main.unsigned_abs(), **main < 0);
            let verdict = decide(&mut retention, record, older_elsewhere);
            !matches!(verdict, Verdict::Drop | Verdict::Vanish(_))
        };
        mains.iter().filter(|main| stays(main)).copied().collect()
    }

    #[test]
    fn kv_keeps_what_readers_at_or_above_the_watermark_see() {
        assert_eq!(kept(Keyspace::Kv, &[14, -12, 10, 9, -3], false), [14, -12, 10]);
        assert_eq!(kept(Keyspace::Kv, &[11, 7, 6], true), [11, 7]);
        assert_eq!(kept(Keyspace::Kv, &[12, 11], false), [12, 11]);
    }

    #[test]
    fn a_tombstone_at_the_watermark_stays_only_over_something_older() {
        assert_eq!(kept(Keyspace::Kv, &[12, -10, 9], true), [12, -10]);
        assert_eq!(kept(Keyspace::Kv, &[12, -10, 9], false), [12]);
        assert_eq!(kept(Keyspace::Kv, &[-8, 7], false), [0; 0]);
    }

    #[test]
    fn lease_and_meta_keep_the_newest() {
        for keyspace in [Keyspace::Lease, Keyspace::Meta] {
            assert_eq!(kept(keyspace, &[90, 80, -7], false), [90]);
            assert_eq!(kept(keyspace, &[-90, 80], true), [-90]);
            assert_eq!(kept(keyspace, &[-90, 80], false), [0; 0]);
        }
    }

    #[test]
    fn rev_loses_what_is_below_the_watermark() {
        assert_eq!(kept(Keyspace::Rev, &[10], false), [10]);
        assert_eq!(kept(Keyspace::Rev, &[9], true), [0; 0]);
    }

    #[test]
    fn a_record_that_comes_twice_stays_once() {
        assert_eq!(kept(Keyspace::Kv, &[14, 14, 12, 10, 10, 9], false), [14, 12, 10]);
        assert_eq!(kept(Keyspace::Meta, &[14, 14], false), [14]);
        assert_eq!(kept(Keyspace::Rev, &[14, 14], false), [14]);
    }

    #[test]
    fn the_last_record_that_stays_adds_what_vanished_behind_it() {
        // Mains of one key, newest first, with what each adds.
        let added = |versions: &[(u64, Option<i8>)]| {
            let mut retention = Retention::new(Keyspace::Kv);
            for &(main, keys_added) in versions {
                let record = RecordRef { keys_added, ..record(b"k", main, keys_added == Some(-1)) };
                decide(&mut retention, record, true);
            }
            retention.keys_added()
        };
        assert_eq!(added(&[(10, Some(0))]), Some(0));
        assert_eq!(added(&[(12, Some(0)), (10, Some(0)), (9, Some(0)), (7, Some(1))]), Some(1));
        assert_eq!(added(&[(10, Some(-1)), (9, Some(0)), (7, Some(1))]), Some(0));
        assert_eq!(added(&[(10, Some(1)), (9, Some(-1)), (7, Some(0))]), Some(0));
        assert_eq!(added(&[(10, Some(-1)), (9, Some(0))]), Some(-1));
        assert_eq!(added(&[(10, Some(0)), (10, Some(0)), (9, Some(1)), (9, Some(1))]), Some(1));
        assert_eq!(added(&[(10, Some(0)), (9, None)]), None);
        assert_eq!(added(&[(10, Some(1)), (9, Some(1))]), None, "that can't be");
    }

    #[test]
    fn a_tombstone_over_nothing_tells_what_it_would_take_along() {
        // What a merge that passed over a run in the middle leaves: the tombstone's own 1 has gone
        // into a newer record elsewhere, so its -1 must not go without it.
        let mut retention = Retention::new(Keyspace::Kv);
        let alone = RecordRef { keys_added: Some(-1), ..record(b"k", 10, true) };
        assert_eq!(decide(&mut retention, alone, false), Verdict::Vanish(Age::Newest));
        assert_eq!(retention.keys_added(), Some(-1));
        let put = RecordRef { keys_added: Some(1), ..record(b"k", 9, false) };
        assert_eq!(decide(&mut retention, put, false), Verdict::Drop);
        assert_eq!(retention.keys_added(), Some(0));
        let lease = record(b"k", 10, true);
        let verdict = decide(&mut Retention::new(Keyspace::Lease), lease, false);
        assert_eq!(verdict, Verdict::Drop, "nobody adds leases up");
    }

    #[test]
    fn only_the_first_kept_record_of_a_key_is_its_newest() {
        let mut retention = Retention::new(Keyspace::Kv);
        let mut decide =
            |key, main| decide(&mut retention, record(key, main, main % 2 == 1), false);
        assert_eq!(decide(b"", 12), Verdict::Keep(Age::Newest));
        assert_eq!(decide(b"", 11), Verdict::Keep(Age::Superseded));
        assert_eq!(decide(b"a", 9), Verdict::Vanish(Age::Newest));
        assert_eq!(decide(b"b", 8), Verdict::KeepLast(Age::Newest));
        assert_eq!(decide(b"b", 6), Verdict::Drop);
    }
}
