//! Random histories: what a member is sent, and in which order its pieces get to run. A seed
//! determines all of it.

use crate::support::{Kind, World, encode, open_on};
use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use retcd_mvcc::membership::{self, MemberChange};
use retcd_raft_glue::{Inline, Input, Result};
use retcd_vfs::Vfs;
use std::sync::Arc;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Runs a history of `rounds` on the member in `vfs`, which is founded if it isn't there, and
/// reopened now and then. Ends at the first error.
pub(crate) fn run(
    kind: Kind,
    vfs: &Arc<dyn Vfs>,
    world: &mut World,
    random: &mut Random,
    rounds: usize,
) -> Result<()> {
    let mut member = open_on(kind, vfs)?;
    for _ in 0..rounds {
        let step = round(&mut member, world, random);
        world.hear(member.told());
        world.look(&member);
        if step.is_err() {
            assert_is_stopped(&mut member);
            return step;
        }
        if random.below(25) == 0 {
            world.note_work(&member);
            member.close()?;
            member = open_on(kind, vfs)?;
        }
    }
    let settled = member.settle();
    world.hear(member.told());
    settled?;
    world.note_work(&member);
    member.close()
}

/// A member that met an error does nothing and tells nothing any more.
fn assert_is_stopped(member: &mut Inline) {
    for work in [Inline::consult, Inline::submit, Inline::complete, Inline::maintain] {
        assert!(work(member).is_err());
    }
    assert!(member.step(Input::Tick).is_err());
    assert!(member.apply(1).is_err());
    let told = member.told();
    assert!(told.outcomes.is_empty() && told.reads.is_empty());
}

/// Sends a few requests, then lets some of the pieces run.
fn round(member: &mut Inline, world: &mut World, random: &mut Random) -> Result<()> {
    for _ in 0..random.below(4) {
        let token = world.sent.len() as u64 + 1;
        let is_conf_change = random.below(15) == 0;
        let data = match is_conf_change {
            true => conf_change(token, random),
            false => request(token, member.store().revision(), random),
        };
        world.sent.insert(token, data.clone());
        member.step(match is_conf_change {
            true => Input::ProposeConfChange { token, data },
            false => Input::Propose { token, data },
        })?;
    }
    let context = world.sent.len() as u64;
    let asked_at = world.acknowledged_index;
    if random.below(4) == 0 {
        member.step(Input::ReadIndex { context })?;
        member.consult()?;
    }
    for _ in 0..random.below(8) {
        match random.below(6) {
            0 => member.consult()?,
            1 => member.submit()?,
            2 => member.complete()?,
            3 => member.apply(1 + random.below(5) as usize)?,
            4 => member.maintain()?,
            _ => {
                member.settle()?;
                true
            }
        };
    }
    let told = member.told();
    for read in told.reads.iter().filter(|read| read.context == context) {
        assert!(read.index >= asked_at, "a read missed what was acknowledged before it");
        world.seen.reads += 1;
    }
    world.hear(told);
    Ok(())
}

/// A learner that never runs comes or goes, or moves.
fn conf_change(id: u64, random: &mut Random) -> Bytes {
    let learner = 1 + random.below(3);
    let peer_urls = vec![format!("http://127.0.0.1:{}", 1 + random.below(3))];
    let change = match random.below(4) {
        0 => MemberChange::Remove(learner),
        1 => MemberChange::Update { id: learner, peer_urls },
        _ => MemberChange::Add(membership::Member {
            id: learner,
            peer_urls,
            is_learner: true,
            ..membership::Member::default()
        }),
    };
    change.to_conf_change(id).encode_to_vec().into()
}

fn request(id: u64, revision: i64, random: &mut Random) -> Bytes {
    let mut request = InternalRaftRequest::default();
    match random.below(20) {
        0..10 => request.put = Some(put(random)),
        10..13 => request.delete_range = Some(delete(random)),
        13..16 => request.txn = Some(txn(random)),
        16 => {
            let revision = revision - random.below(6) as i64;
            request.compaction = Some(CompactionRequest { revision, physical: false });
        }
        17..19 => {
            let (ttl, id) = (60, 1 + random.below(3) as i64);
            request.lease_grant = Some(LeaseGrantRequest { ttl, id });
        }
        _ => {
            let id = 1 + random.below(3) as i64;
            request.lease_revoke = Some(LeaseRevokeRequest { id });
        }
    }
    encode(id, request)
}

fn key(random: &mut Random) -> Bytes {
    format!("key-{:02}", random.below(12)).into_bytes().into()
}

fn put(random: &mut Random) -> PutRequest {
    let length = match random.below(10) {
        0 => 1_500,
        _ => random.below(200),
    };
    let value: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
    PutRequest {
        key: key(random),
        value: value.into(),
        lease: random.below(6).saturating_sub(2) as i64,
        prev_kv: random.below(2) == 0,
        ..PutRequest::default()
    }
}

fn delete(random: &mut Random) -> DeleteRangeRequest {
    let range_end = match random.below(3) {
        0 => key(random),
        _ => Bytes::new(),
    };
    DeleteRangeRequest { key: key(random), range_end, prev_kv: true }
}

fn txn(random: &mut Random) -> TxnRequest {
    let compared = Compare {
        result: CompareResult::Greater.into(),
        target: CompareTarget::Version.into(),
        key: key(random),
        target_union: Some(TargetUnion::Version(random.below(3) as i64)),
        ..Compare::default()
    };
    let op = |request| RequestOp { request: Some(request) };
    let range = RangeRequest { key: key(random), ..RangeRequest::default() };
    TxnRequest {
        compare: vec![compared],
        success: vec![op(Request::RequestPut(put(random))), op(Request::RequestRange(range))],
        failure: vec![op(Request::RequestDeleteRange(delete(random)))],
    }
}
