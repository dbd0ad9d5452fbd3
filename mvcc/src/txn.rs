//! Transactions: which branch is taken, and what must hold before anything is written.
//!
//! Every comparison, nested ones included, is evaluated against the state before the transaction;
//! the result is a [`Branch`]. Then all that could be refused is checked on it, so that execution
//! can't be refused half way and nothing ever has to be rolled back.

use bytes::Bytes;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{Compare, RequestOp, ResponseOp, TxnRequest, TxnResponse};
use retcd_api::etcdserverpb::{PutRequest, RangeRequest};
use retcd_engine::{Direction, Keyspace, Projection, Record};
use std::cmp::Ordering;

use crate::Result;
use crate::range::{Span, range, revision_header};
use crate::read::{Reader, end_of};
use crate::record::PairHeader;

/// Whether the transaction can be answered without going through the log: both branches hold ranges
/// only. One with a nested transaction isn't, whatever that holds, as in etcd.
pub fn is_read_only(request: &TxnRequest) -> bool {
    ranges(request).all(|range| range.is_some())
}

/// Whether a read-only transaction may be answered from local state: all its ranges may.
pub fn is_serializable(request: &TxnRequest) -> bool {
    ranges(request).all(|range| range.is_some_and(|range| range.serializable))
}

fn ranges(request: &TxnRequest) -> impl Iterator<Item = Option<&RangeRequest>> {
    let ops = request.success.iter().chain(&request.failure);
    ops.map(|op| match &op.request {
        Some(Request::RequestRange(range)) => Some(range),
        _ => None,
    })
}

/// The branch that a transaction takes.
pub(crate) struct Branch<'a> {
    pub(crate) succeeded: bool,
    pub(crate) ops: Vec<Op<'a>>,
}

/// One operation of a branch.
pub(crate) enum Op<'a> {
    /// Anything but a nested transaction; `None` does nothing and answers nothing.
    Plain(Option<&'a Request>),
    /// A nested transaction and the branch that it takes.
    Nested(Branch<'a>),
}

impl<'a> Branch<'a> {
    /// Evaluates the comparisons. Nesting is bounded by what the decoder admits, 100 levels.
    pub(crate) fn choose(reader: &mut impl Reader, request: &'a TxnRequest) -> Result<Branch<'a>> {
        let mut succeeded = true;
        for compare in &request.compare {
            if !holds(reader, compare)? {
                succeeded = false;
                break;
            }
        }
        let ops = if succeeded { &request.success } else { &request.failure };
        let ops = ops
            .iter()
            .map(|RequestOp { request }| match request {
                Some(Request::RequestTxn(nested)) => {
                    Ok(Op::Nested(Branch::choose(reader, nested)?))
                }
                plain => Ok(Op::Plain(plain.as_ref())),
            })
            .collect::<Result<_>>()?;
        Ok(Branch { succeeded, ops })
    }

    fn visit(&self, visitor: &mut dyn FnMut(&'a Request) -> Result<()>) -> Result<()> {
        for op in &self.ops {
            match op {
                Op::Plain(None) => {}
                Op::Plain(Some(request)) => visitor(request)?,
                Op::Nested(branch) => branch.visit(visitor)?,
            }
        }
        Ok(())
    }

    /// Checks what could be refused: puts first, then ranges, as etcd 3.5 does.
    ///
    /// A put that takes over value or lease needs a previous pair. Where an earlier delete of the
    /// same transaction removes it, etcd stops the server; here the transaction is refused.
    pub(crate) fn check(
        &self,
        reader: &mut impl Reader,
        lease_exists: &dyn Fn(i64) -> bool,
    ) -> Result<()> {
        self.visit(&mut |request| match request {
            Request::RequestPut(put) => check_put(reader, put, lease_exists),
            _ => Ok(()),
        })?;
        self.check_ranges(reader)?;
        // Deletes, and after the first one puts: the last of them that concerns a key decides.
        let mut changes: Vec<(Span<'_>, bool)> = Vec::new();
        self.visit(&mut |request| {
            match request {
                Request::RequestDeleteRange(delete) => {
                    changes.push((Span::new(&delete.key, &delete.range_end), false));
                }
                Request::RequestPut(put) if !changes.is_empty() => {
                    let last = changes.iter().rev().find(|(span, _)| span.contains(&put.key));
                    if takes_over(put) && last.is_some_and(|(_, exists)| !exists) {
                        return Err(retcd_api::Error::KeyNotFound.into());
                    }
                    changes.push((Span::new(&put.key, &[]), true));
                }
                _ => {}
            }
            Ok(())
        })
    }

    /// Checks the revisions that the ranges ask for.
    ///
    /// Unlike in a plain range, a negative revision is held against the compacted one, so after a
    /// compaction it is refused: that is etcd's rule.
    pub(crate) fn check_ranges(&self, reader: &mut impl Reader) -> Result<()> {
        let (compacted, current) = (reader.compacted(), reader.revision());
        self.visit(&mut |request| match request {
            Request::RequestRange(range) if range.revision == 0 => Ok(()),
            Request::RequestRange(range) if range.revision > current => {
                Err(retcd_api::Error::FutureRev.into())
            }
            Request::RequestRange(range) if range.revision < compacted => {
                Err(retcd_api::Error::Compacted.into())
            }
            _ => Ok(()),
        })
    }
}

/// Whether the put needs a previous pair.
fn takes_over(put: &PutRequest) -> bool {
    put.ignore_value || put.ignore_lease
}

fn check_put(
    reader: &mut impl Reader,
    put: &PutRequest,
    lease_exists: &dyn Fn(i64) -> bool,
) -> Result<()> {
    if takes_over(put) && reader.newest(&put.key, Projection::Keys)?.is_none() {
        return Err(retcd_api::Error::KeyNotFound.into());
    }
    if put.lease != 0 && !lease_exists(put.lease) {
        return Err(retcd_api::Error::LeaseNotFound.into());
    }
    Ok(())
}

/// Answers a transaction that [`is_read_only`].
pub(crate) fn read_txn(reader: &mut impl Reader, request: &TxnRequest) -> Result<TxnResponse> {
    let branch = Branch::choose(reader, request)?;
    branch.check_ranges(reader)?;
    let mut responses = Vec::with_capacity(branch.ops.len());
    for op in &branch.ops {
        let response = match op {
            Op::Plain(Some(Request::RequestRange(request))) => {
                Some(Response::ResponseRange(range(reader, request)?))
            }
            _ => None,
        };
        responses.push(ResponseOp { response });
    }
    Ok(TxnResponse {
        header: Some(revision_header(reader.revision())),
        succeeded: branch.succeeded,
        responses,
    })
}

/// Whether a comparison holds for all keys that it names. Where there are none it is made once
/// against zeros, but a comparison of values fails.
fn holds(reader: &mut impl Reader, compare: &Compare) -> Result<bool> {
    let target = CompareTarget::try_from(compare.target).ok();
    let projection =
        if target == Some(CompareTarget::Value) { Projection::Full } else { Projection::Keys };
    let on_none = || target != Some(CompareTarget::Value) && matches(compare, target, None);
    let span = match Span::new(&compare.key, &compare.range_end) {
        Span::Key(key) => {
            return match reader.newest(key, projection)? {
                Some(record) => pair_holds(compare, target, &record),
                None => Ok(on_none()),
            };
        }
        Span::Empty => return Ok(on_none()),
        Span::Range(span) => span,
    };
    let at = end_of(reader.revision());
    let view = reader.view()?;
    let mut cursor = view.scan(Keyspace::Kv, span, at, Direction::Forward, projection)?;
    let mut is_empty = true;
    while let Some(record) = cursor.next()? {
        is_empty = false;
        if !pair_holds(compare, target, &record)? {
            return Ok(false);
        }
    }
    Ok(!is_empty || on_none())
}

fn pair_holds(compare: &Compare, target: Option<CompareTarget>, record: &Record) -> Result<bool> {
    let header = PairHeader::decode(record)?;
    Ok(matches(compare, target, Some((record, header))))
}

/// Compares a pair, or zeros. Without an operand of the target's type the operand is zero or empty;
/// an unknown target compares as equal, an unknown operator holds.
fn matches(
    compare: &Compare,
    target: Option<CompareTarget>,
    pair: Option<(&Record, PairHeader)>,
) -> bool {
    let header = pair.map(|(_, header)| header);
    let operand = compare.target_union.as_ref();
    let ordering = match target {
        None => Ordering::Equal,
        Some(CompareTarget::Version) => {
            let operand = match operand {
                Some(TargetUnion::Version(version)) => *version,
                _ => 0,
            };
            header.map_or(0, |header| header.version).cmp(&operand)
        }
        Some(CompareTarget::Create) => {
            let operand = match operand {
                Some(TargetUnion::CreateRevision(revision)) => *revision,
                _ => 0,
            };
            let actual = header.map_or(0, |header| header.create_revision);
            actual.cmp(&operand)
        }
        Some(CompareTarget::Mod) => {
            let operand = match operand {
                Some(TargetUnion::ModRevision(revision)) => *revision,
                _ => 0,
            };
            let actual = pair.map_or(0, |(record, _)| record.version.main.cast_signed());
            actual.cmp(&operand)
        }
        Some(CompareTarget::Lease) => {
            let operand = match operand {
                Some(TargetUnion::Lease(lease)) => *lease,
                _ => 0,
            };
            header.map_or(0, |header| header.lease).cmp(&operand)
        }
        Some(CompareTarget::Value) => {
            let empty = Bytes::new();
            let operand = match operand {
                Some(TargetUnion::Value(value)) => value,
                _ => &empty,
            };
            let actual = pair.map_or(&empty, |(record, _)| &record.value);
            actual.cmp(operand)
        }
    };
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => ordering.is_eq(),
        Ok(CompareResult::NotEqual) => ordering.is_ne(),
        Ok(CompareResult::Greater) => ordering.is_gt(),
        Ok(CompareResult::Less) => ordering.is_lt(),
        Err(_) => true,
    }
}
