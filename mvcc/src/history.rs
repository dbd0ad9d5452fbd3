//! The stored past, for watchers that are behind and for previous pairs.
//!
//! The `rev` keyspace says which keys changed in which order; the pairs themselves are looked up by
//! their exact version, and only where somebody wants them.

use std::ops::RangeInclusive;

use retcd_api::mvccpb::KeyValue;
use retcd_engine::{Direction, KeyRange, Keyspace, Projection, Record, Version, View};

use crate::read::{Reader, Snapshot, end_of};
use crate::record::{PairHeader, RevKind, key_value, rev_key, rev_kind};
use crate::watch::{History, HistoryPiece, PieceLimit};
use crate::{Change, ChangeKind, Commit, Error, Result, Store};

impl History for Store {
    fn current_revision(&self) -> i64 {
        self.revision()
    }

    fn compacted_revision(&self) -> i64 {
        Store::compacted_revision(self)
    }

    fn events(
        &self,
        revisions: RangeInclusive<i64>,
        limit: PieceLimit,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<HistoryPiece> {
        let snapshot = self.snapshot();
        let (start, end) = revisions.into_inner();
        if start < snapshot.compacted() {
            return Err(retcd_api::Error::Compacted.into());
        }
        let end = end.min(snapshot.revision());
        let mut piece = Piece::default();
        let next = read_piece(&snapshot, (start, end), limit, wanted, &mut piece)?;
        Ok(HistoryPiece { commits: piece.commits, next: next.unwrap_or(end + 1) })
    }

    fn pair_at(&self, key: &[u8], revision: i64) -> Result<Option<KeyValue>> {
        let snapshot = self.snapshot();
        if revision < snapshot.compacted() {
            return Ok(None);
        }
        let record = snapshot.view.get(Keyspace::Kv, key, end_of(revision), Projection::Full)?;
        record.filter(|record| !record.tombstone).map(key_value).transpose()
    }
}

/// What is collected of a piece.
#[derive(Default)]
struct Piece {
    commits: Vec<Commit>,
    scanned: usize,
    bytes: usize,
}

impl Piece {
    fn is_full(&self, limit: PieceLimit) -> bool {
        self.commits.len() >= limit.revisions
            || self.scanned >= limit.scanned
            || self.bytes >= limit.bytes
    }

    fn push(&mut self, revision: i64, change: Change) {
        self.bytes += change.key.len();
        if let ChangeKind::Put { value, .. } = &change.kind {
            self.bytes += value.len();
        }
        match self.commits.last_mut() {
            Some(commit) if commit.revision == revision => commit.changes.push(change),
            _ => self.commits.push(Commit { revision, changes: vec![change] }),
        }
    }
}

/// Collects wanted changes until the piece is full; then says which revision is next.
fn read_piece(
    snapshot: &Snapshot,
    (start, end): (i64, i64),
    limit: PieceLimit,
    wanted: &dyn Fn(&[u8]) -> bool,
    piece: &mut Piece,
) -> Result<Option<i64>> {
    if start > end {
        return Ok(None);
    }
    let first = |revision: i64| rev_key(Version { main: revision.max(0).cast_unsigned(), sub: 0 });
    let (first_key, end_key) = (first(start), first(end.saturating_add(1)));
    let range = KeyRange { start: &first_key, end: Some(&end_key) };
    let mut cursor = snapshot.view.scan(
        Keyspace::Rev,
        range,
        Version::MAX,
        Direction::Forward,
        Projection::Full,
    )?;
    let mut last_revision = None;
    while let Some(record) = cursor.next()? {
        let revision = record.version.main.cast_signed();
        if last_revision.is_some_and(|last| last != revision) && piece.is_full(limit) {
            return Ok(Some(revision));
        }
        last_revision = Some(revision);
        piece.scanned += 1;
        if wanted(&record.value)
            && let Some(change) = change(&*snapshot.view, snapshot.compacted, &record)?
        {
            piece.push(revision, change);
        }
    }
    Ok(None)
}

/// The change that a record of [`Keyspace::Rev`] stands for. `None` for a put in the compacted
/// revision that a later change of the same revision superseded: the engine may have dropped it.
fn change(view: &dyn View, compacted: i64, record: &Record) -> Result<Option<Change>> {
    let key = record.value.clone();
    let kind = match rev_kind(record)? {
        RevKind::Delete => ChangeKind::Delete,
        RevKind::Put => {
            let revision = record.version.main.cast_signed();
            let at = if revision == compacted { end_of(revision) } else { record.version };
            let pair = view.get(Keyspace::Kv, &key, at, Projection::Full)?;
            let Some(pair) = pair.filter(|pair| pair.version == record.version) else {
                if revision == compacted {
                    return Ok(None);
                }
                return Err(Error::undecodable(Keyspace::Rev, "it names a pair that isn't there"));
            };
            let header = PairHeader::decode(&pair)?;
            ChangeKind::Put {
                create_revision: header.create_revision,
                version: header.version,
                value: pair.value,
                lease: header.lease,
            }
        }
    };
    Ok(Some(Change { key, kind }))
}
