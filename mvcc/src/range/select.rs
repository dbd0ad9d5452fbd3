//! Finds the pairs of a range in the order asked for, and counts those that the limit leaves out.
//!
//! Three ways, from cheap to dear:
//!
//! 1. in key order, either way, without filters: a scan that stops at the limit; what is left is
//!    counted from there, so nothing is visited twice;
//! 2. in key order with filters: the same, but the limit counts pairs that pass;
//! 3. in another order: every pair of the range is looked at, at most twice the limit are kept.
//!    Unless values decide the order, they are read only for the pairs that are answered.
//!
//! The count is of the keys in the range, before limit and filters. Like etcd, a target other than
//! the key *without* an order sorts what the limit left over rather than the whole range.

use std::cmp::Ordering;

use bytes::Bytes;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_engine::{Cursor, Direction, KeyRange, Keyspace, Projection, Record, Version, View};

use super::Span;
use super::counts::{CountMemo, Counting};
use crate::Result;
use crate::record::PairHeader;

/// What an answer says about the range as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Keys in the range, whatever was answered.
    pub(crate) count: i64,
    /// Whether the limit left out pairs that pass the filters.
    pub(crate) more: bool,
}

/// Takes the answered pairs, in order.
pub(crate) type Sink<'a> = dyn FnMut(Record) -> Result<()> + 'a;

/// Hands the pairs that `request` asks for, as of `at`, to `sink`.
pub(crate) fn select(
    view: &dyn View,
    counts: Option<&CountMemo>,
    at: Version,
    request: &RangeRequest,
    sink: &mut Sink<'_>,
) -> Result<Totals> {
    let span = match Span::new(&request.key, &request.range_end) {
        Span::Key(key) => return select_key(view, at, key, request, sink),
        Span::Range(range) => range,
        Span::Empty => {
            return Ok(Totals { count: 0, more: false });
        }
    };
    let limit = usize::try_from(request.limit).unwrap_or(0);
    let counts = counts.filter(|_| request.count_only || limit > 0);
    let counting = counts.map(|counts| counts.begin(span, at.main.cast_signed()));
    let scan = Scan { view, counts, at, span, request, limit };
    if request.count_only {
        let count = scan.total(counting, || Ok(view.count(Keyspace::Kv, span, at)?))?;
        return Ok(Totals { count, more: false });
    }
    match Plan::of(request) {
        Plan::ByKey(direction) => scan.by_key(direction, counting, sink),
        Plan::Sorted { first_by_key } => scan.sorted(first_by_key, counting, sink),
    }
}

fn select_key(
    view: &dyn View,
    at: Version,
    key: &[u8],
    request: &RangeRequest,
    sink: &mut Sink<'_>,
) -> Result<Totals> {
    let projection =
        if request.keys_only || request.count_only { Projection::Keys } else { Projection::Full };
    let record = view.get(Keyspace::Kv, key, at, projection)?;
    let Some(record) = record.filter(|record| !record.tombstone) else {
        return Ok(Totals { count: 0, more: false });
    };
    if !request.count_only && Filter::of(request).passes(&record)? {
        sink(record)?;
    }
    Ok(Totals { count: 1, more: false })
}

/// Which way a request goes.
enum Plan {
    ByKey(Direction),
    Sorted {
        /// Only the first pairs by key, up to the limit, are candidates.
        first_by_key: bool,
    },
}

impl Plan {
    fn of(request: &RangeRequest) -> Plan {
        let target = SortTarget::try_from(request.sort_target);
        match (SortOrder::try_from(request.sort_order), target) {
            (Ok(SortOrder::Descend), Ok(SortTarget::Key)) => Plan::ByKey(Direction::Reverse),
            (_, Ok(SortTarget::Key)) | (_, Err(_)) | (Err(_), _) => Plan::ByKey(Direction::Forward),
            (Ok(SortOrder::None), Ok(_)) => {
                Plan::Sorted { first_by_key: !Filter::of(request).is_set() }
            }
            (Ok(SortOrder::Ascend | SortOrder::Descend), Ok(_)) => {
                Plan::Sorted { first_by_key: false }
            }
        }
    }
}

/// The bounds on revisions; both inclusive, zero is none.
#[derive(Clone, Copy)]
struct Filter {
    mod_revision: (i64, i64),
    create_revision: (i64, i64),
}

impl Filter {
    fn of(request: &RangeRequest) -> Filter {
        Filter {
            mod_revision: (request.min_mod_revision, request.max_mod_revision),
            create_revision: (request.min_create_revision, request.max_create_revision),
        }
    }

    fn is_set(self) -> bool {
        self.mod_revision != (0, 0) || self.create_revision != (0, 0)
    }

    fn passes(self, record: &Record) -> Result<bool> {
        if !self.is_set() {
            return Ok(true);
        }
        let within = |(min, max): (i64, i64), revision: i64| {
            (min == 0 || revision >= min) && (max == 0 || revision <= max)
        };
        let header = PairHeader::decode(record)?;
        Ok(within(self.mod_revision, record.version.main.cast_signed())
            && within(self.create_revision, header.create_revision))
    }
}

struct Scan<'a> {
    view: &'a dyn View,
    /// Where counts are remembered, if this request may need one.
    counts: Option<&'a CountMemo>,
    at: Version,
    span: KeyRange<'a>,
    request: &'a RangeRequest,
    /// Most pairs to answer; zero for all.
    limit: usize,
}

impl Scan<'_> {
    fn open(&self, direction: Direction, projection: Projection) -> Result<Box<dyn Cursor + '_>> {
        Ok(self.view.scan(Keyspace::Kv, self.span, self.at, direction, projection)?)
    }

    fn by_key(
        &self,
        direction: Direction,
        counting: Option<Counting<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<Totals> {
        let projection = if self.request.keys_only { Projection::Keys } else { Projection::Full };
        let filter = Filter::of(self.request);
        let mut cursor = self.open(direction, projection)?;
        let mut visited = 0u64;
        let mut answered = 0;
        let mut last = Bytes::new();
        while let Some(record) = cursor.next()? {
            if filter.passes(&record)? {
                if self.limit > 0 && answered == self.limit {
                    let rest = || Ok(visited + self.count_from(&record.key, direction)?);
                    let count = self.total(counting, rest)?;
                    if direction == Direction::Forward && !filter.is_set() {
                        self.learn_what_follows(&last, count.cast_unsigned() - visited);
                    }
                    return Ok(Totals { count, more: true });
                }
                answered += 1;
                if answered == self.limit {
                    last = record.key.clone();
                }
                sink(record)?;
            }
            visited += 1;
        }
        Ok(Totals { count: visited.cast_signed(), more: false })
    }

    /// Keys of the whole span: remembered, or as `count` finds out.
    fn total(
        &self,
        counting: Option<Counting<'_>>,
        count: impl FnOnce() -> Result<u64>,
    ) -> Result<i64> {
        let total = match counting.as_ref().and_then(Counting::known) {
            Some(known) => known,
            None => count()?,
        };
        if let Some(counting) = counting {
            counting.finish(total);
        }
        Ok(total.cast_signed())
    }

    /// Remembers how many keys of the span come after `last`, where a client asks for the next
    /// page.
    fn learn_what_follows(&self, last: &Bytes, count: u64) {
        if let Some(counts) = self.counts {
            let next = [last, &[0][..]].concat();
            let rest = KeyRange { start: &next, end: self.span.end };
            counts.learn(rest, self.at.main.cast_signed(), count);
        }
    }

    /// Keys of the span from `key` on, in the direction of the scan.
    fn count_from(&self, key: &Bytes, direction: Direction) -> Result<u64> {
        let after_key;
        let rest = match direction {
            Direction::Forward => KeyRange { start: key, end: self.span.end },
            Direction::Reverse => {
                after_key = [key, &[0][..]].concat();
                KeyRange { start: self.span.start, end: Some(&after_key) }
            }
        };
        Ok(self.view.count(Keyspace::Kv, rest, self.at)?)
    }

    fn sorted(
        &self,
        first_by_key: bool,
        counting: Option<Counting<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<Totals> {
        let order = Order::of(self.request);
        let values_at_the_end = self.limit > 0 && order.target != SortTarget::Value;
        let projection =
            if values_at_the_end || (self.request.keys_only && order.target != SortTarget::Value) {
                Projection::Keys
            } else {
                Projection::Full
            };
        let filter = Filter::of(self.request);
        let mut cursor = self.open(Direction::Forward, projection)?;
        let mut best = Best::new(order, self.limit);
        let mut visited = 0;
        let mut left_out = None;
        while let Some(record) = cursor.next()? {
            if first_by_key && self.limit > 0 && visited > self.limit {
                left_out = Some(record.key);
                break;
            }
            visited += 1;
            if filter.passes(&record)? {
                best.push(record)?;
            }
        }
        let count = self.total(counting, || {
            let rest = left_out.map(|key| self.count_from(&key, Direction::Forward)).transpose()?;
            Ok(visited as u64 + rest.unwrap_or(0))
        })?;
        let more = self.limit > 0 && best.pushed > self.limit;
        for record in best.into_sorted() {
            sink(self.complete(record, projection)?)?;
        }
        Ok(Totals { count, more })
    }

    /// Adds or takes away the value, as the answer wants it.
    fn complete(&self, mut record: Record, scanned: Projection) -> Result<Record> {
        if self.request.keys_only {
            record.value = Bytes::new();
        } else if scanned == Projection::Keys {
            let found =
                self.view.get(Keyspace::Kv, &record.key, record.version, Projection::Full)?;
            record = found.expect("a view doesn't lose a record that it has just scanned");
        }
        Ok(record)
    }
}

#[derive(Clone, Copy)]
struct Order {
    target: SortTarget,
    descending: bool,
}

impl Order {
    fn of(request: &RangeRequest) -> Order {
        Order {
            target: request.sort_target(),
            descending: request.sort_order() == SortOrder::Descend,
        }
    }

    /// Equal pairs go by key, so that all members give the same answer.
    fn compare(self, a: &Candidate, b: &Candidate) -> Ordering {
        let by_target = match self.target {
            SortTarget::Value => a.record.value.cmp(&b.record.value),
            _ => a.number.cmp(&b.number),
        };
        let by_target = if self.descending { by_target.reverse() } else { by_target };
        by_target.then_with(|| a.record.key.cmp(&b.record.key))
    }
}

struct Candidate {
    /// What the order looks at, unless it is the value.
    number: i64,
    record: Record,
}

/// The first pairs by some order, with room for twice as many, so that dropping the rest costs a
/// constant per pair.
struct Best {
    order: Order,
    limit: usize,
    candidates: Vec<Candidate>,
    pushed: usize,
}

impl Best {
    fn new(order: Order, limit: usize) -> Best {
        Best { order, limit, candidates: Vec::new(), pushed: 0 }
    }

    fn push(&mut self, record: Record) -> Result<()> {
        let number = match self.order.target {
            SortTarget::Version => PairHeader::decode(&record)?.version,
            SortTarget::Create => PairHeader::decode(&record)?.create_revision,
            SortTarget::Mod => record.version.main.cast_signed(),
            SortTarget::Key | SortTarget::Value => 0,
        };
        self.pushed += 1;
        self.candidates.push(Candidate { number, record });
        if self.limit > 0 && self.candidates.len() / 2 >= self.limit {
            let order = self.order;
            self.candidates.select_nth_unstable_by(self.limit - 1, |a, b| order.compare(a, b));
            self.candidates.truncate(self.limit);
        }
        Ok(())
    }

    fn into_sorted(mut self) -> impl Iterator<Item = Record> {
        let order = self.order;
        self.candidates.sort_unstable_by(|a, b| order.compare(a, b));
        if self.limit > 0 {
            self.candidates.truncate(self.limit);
        }
        self.candidates.into_iter().map(|candidate| candidate.record)
    }
}
