//! The sweep: compaction by revision, made physical, and the file made dense again.
//!
//! Compaction is logical at once. A sweep goes through the buckets behind it, a few pages in each
//! step, and removes what retention allows to lose; what a commit has lost already it doesn't meet.
//! Of `rev` it goes through the records below the watermark only. Each step that found something is
//! a transaction of its own, which also says where the sweep goes on, so a restart resumes it.
//!
//! A *full* sweep is what defragmentation asks for: it goes through everything, and writes pages
//! anew that lie behind where the file could end, or that are less than half full. New pages are
//! taken from the front, so the end becomes free and is cut off.
//!
//! A tombstone goes together with the older versions that it hides. If a step ends among them it
//! stays, and the next sweep takes it.

use bytes::Bytes;

use super::ledger::{Ledger, Says, Trimming};
use super::node::Node;
use super::pager::CAPACITY_BYTES;
use super::record::{Stored, user_part};
use super::system::{SweepPlace, Swept};
use super::tree::decode;
use super::update::{Change, ChangeKind, Losing};
use super::walk::Walk;
use crate::bolt::PAGE_BYTES;
use crate::retention::{Retention, Verdict};
use crate::{Keyspace, Result};

/// The order of the buckets: what gives most for the least comes first.
const KEYSPACES: [Keyspace; 4] = [Keyspace::Rev, Keyspace::Kv, Keyspace::Lease, Keyspace::Meta];

/// Transactions at the end of a full sweep: each frees what the one before left.
const LAST_TRANSACTIONS: u32 = 3;

/// See the module's text.
#[derive(Clone)]
pub(super) struct Sweep {
    watermark: u64,
    /// The buckets ahead, the one under way last.
    ahead: Vec<Keyspace>,
    /// Where it goes on there.
    key: Bytes,
    retention: Retention,
    /// For a full one: pages from this one on are to be moved.
    move_from: Option<u64>,
    last_transactions: u32,
}

/// What became of a step.
pub(super) enum SweepStep {
    More(Box<Sweep>),
    Done,
    /// The disk is full; nothing was changed, and it is where it was before.
    OutOfSpace(Box<Sweep>),
}

/// What a step found.
struct Found {
    changes: Vec<Change>,
    /// Where the next one goes on; `None` if the bucket is done.
    key: Option<Bytes>,
    retention: Retention,
}

impl Sweep {
    /// A sweep that is due, or goes on after a restart; `None` if there is nothing to sweep.
    pub(super) fn due(ledger: &Ledger) -> Option<Sweep> {
        let watermark = ledger.tree.applied.watermark;
        match &ledger.swept.under_way {
            Some(place) => {
                let mut ahead = ahead();
                while ahead.last().is_some_and(|keyspace| *keyspace != place.keyspace) {
                    ahead.pop();
                }
                Some(Sweep { key: place.key.clone(), ..Sweep::new(place.watermark, ahead) })
            }
            None if ledger.swept.watermark < watermark => Some(Sweep::new(watermark, ahead())),
            None => None,
        }
    }

    /// A sweep through everything.
    pub(super) fn full(ledger: &Ledger) -> Sweep {
        let used = ledger.used_pages();
        Sweep {
            move_from: Some(used + used / 64 + 8),
            last_transactions: LAST_TRANSACTIONS,
            ..Sweep::new(ledger.tree.applied.watermark, ahead())
        }
    }

    fn new(watermark: u64, ahead: Vec<Keyspace>) -> Sweep {
        let retention = Retention::new(ahead.last().copied().unwrap_or(Keyspace::Kv));
        let key = Bytes::new();
        Sweep { watermark, ahead, key, retention, move_from: None, last_transactions: 1 }
    }

    /// Goes through about `slice_bytes` of pages.
    pub(super) fn step(
        mut self: Box<Sweep>,
        ledger: &mut Ledger,
        slice_bytes: u64,
    ) -> Result<SweepStep> {
        let before = self.clone();
        let Some(&keyspace) = self.ahead.last() else {
            if self.last_transactions == 0 {
                return Ok(SweepStep::Done);
            }
            self.last_transactions -= 1;
            return self.commit(ledger, before, Keyspace::Kv, &[]);
        };
        let pages_max = (slice_bytes / u64::from(PAGE_BYTES)).max(1);
        let found = self.find(ledger.tree.walk(keyspace), keyspace, pages_max)?;
        match found.key {
            Some(key) => (self.key, self.retention) = (key, found.retention),
            None => {
                self.ahead.pop();
                self.key = Bytes::new();
                self.retention = Retention::new(self.ahead.last().copied().unwrap_or(keyspace));
            }
        }
        match found.changes.is_empty() {
            true => Ok(SweepStep::More(self)),
            false => self.commit(ledger, before, keyspace, &found.changes),
        }
    }

    fn find(&self, mut walk: Walk, keyspace: Keyspace, pages_max: u64) -> Result<Found> {
        let mut changes: Vec<Change> = Vec::new();
        let mut retention = self.retention.clone();
        // The tombstone among the changes whose older versions are being removed.
        let mut tombstone: Option<usize> = None;
        let mut pages = 0;
        let mut moves = false;
        walk.seek(&self.key)?;
        while let Some(stored) = decode(&walk, keyspace)? {
            let key = walk.key().map(Bytes::copy_from_slice).unwrap_or_default();
            if self.is_past(keyspace, &stored) {
                return Ok(Found { changes, key: None, retention });
            }
            if pages == 0 || walk.leaf().is_some_and(|(_, is_first)| is_first) {
                pages += 1;
                if pages > pages_max {
                    withhold(&mut changes, tombstone, keyspace, &key);
                    return Ok(Found { changes, key: Some(key), retention });
                }
                moves = self.moves(&walk);
            }
            let starts = retention.starts_key(&stored.key);
            if starts {
                tombstone = None;
            }
            match retention.decide(stored.as_record(), self.watermark, || Ok(false))? {
                Verdict::Drop | Verdict::Vanish(_) => {
                    if stored.tombstone && tombstone.is_none() {
                        tombstone = Some(changes.len());
                    }
                    changes.push(Change { key, kind: ChangeKind::Remove });
                    moves = false;
                }
                Verdict::Keep(_) | Verdict::KeepLast(_) if moves => {
                    changes.push(Change { key, kind: ChangeKind::Move });
                    moves = false;
                }
                Verdict::Keep(_) | Verdict::KeepLast(_) => {}
            }
            walk.next()?;
        }
        Ok(Found { changes, key: None, retention })
    }

    /// Whether nothing behind this record is of interest.
    fn is_past(&self, keyspace: Keyspace, stored: &Stored) -> bool {
        let is_kept = keyspace == Keyspace::Rev && stored.version.main >= self.watermark;
        is_kept && self.move_from.is_none()
    }

    /// Whether the leaf where `walk` is has to be written anew.
    fn moves(&self, walk: &Walk) -> bool {
        let Some(from) = self.move_from else {
            return false;
        };
        let is_loose = walk
            .leaf()
            .and_then(|(page, _)| Node::of_page(page))
            .is_some_and(|leaf| leaf.bytes() < CAPACITY_BYTES / 2);
        is_loose || walk.numbers().any(|number| number >= from)
    }

    /// Where it is, for the disk.
    fn swept(&self, ledger: &Ledger) -> Swept {
        match self.ahead.last() {
            None => Swept { watermark: self.watermark, under_way: None },
            Some(&keyspace) => {
                let place =
                    SweepPlace { watermark: self.watermark, keyspace, key: self.key.clone() };
                Swept { under_way: Some(place), ..ledger.swept }
            }
        }
    }

    /// Makes `changes` durable; gives them up if there is no room.
    fn commit(
        self: Box<Sweep>,
        ledger: &mut Ledger,
        before: Box<Sweep>,
        keyspace: Keyspace,
        changes: &[Change],
    ) -> Result<SweepStep> {
        let mut open = ledger.begin()?;
        let applied = ledger.tree.applied.clone();
        let trimming = match self.move_from {
            Some(_) => Trimming::All,
            None => Trimming::Large,
        };
        let says = Says { applied, swept: self.swept(ledger), trimming };
        let updated = match changes.is_empty() {
            true => Ok(()),
            false => ledger.update(&mut open, keyspace, Losing::Nothing, changes),
        };
        match updated.and_then(|()| ledger.prepare(open, says)) {
            Ok(prepared) => {
                ledger.seal(prepared)?;
                Ok(SweepStep::More(self))
            }
            Err(error) if error.is_out_of_space() => {
                ledger.give_up()?;
                Ok(SweepStep::OutOfSpace(before))
            }
            Err(error) => Err(error),
        }
    }
}

fn ahead() -> Vec<Keyspace> {
    KEYSPACES.into_iter().rev().collect()
}

/// If the element at `next` is an older version of what `tombstone` hides, that stays.
fn withhold(changes: &mut Vec<Change>, tombstone: Option<usize>, keyspace: Keyspace, next: &[u8]) {
    let Some(position) = tombstone else {
        return;
    };
    let hides = |change: &Change| user_part(keyspace, &change.key) == user_part(keyspace, next);
    if changes.get(position).is_some_and(hides) {
        changes.remove(position);
    }
}
