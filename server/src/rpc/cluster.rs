//! The cluster service: who the members are, and changes of that.
//!
//! The checks here are those of the member that is asked, as in etcd: whether the cluster would
//! still have a quorum of members that have started and answer. Whether a change fits the
//! membership is decided when it is applied.

use super::{decode, encode};
use crate::member::Member;
use crate::peers::{Peers, post};
use bytes::Bytes;
use http::StatusCode;
use retcd_api::etcdserverpb::{
    self, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse,
    MemberPromoteRequest, MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse,
    MemberUpdateRequest, MemberUpdateResponse,
};
use retcd_api::{Error, Result};
use retcd_mvcc::Response;
use retcd_mvcc::membership::{self, MemberChange, member_id};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A peer counts as connected when it has answered for so long. etcd's number.
const CONNECTED_FOR: Duration = Duration::from_secs(5);

/// All members. The header's revision stays unset, as in etcd.
pub(super) async fn member_list(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: MemberListRequest = decode(message)?;
    if request.linearizable {
        member.linearizable().await?;
    }
    let members = member.store.members();
    Ok(encode(&MemberListResponse { header: Some(member.header(0)), members }))
}

pub(super) async fn member_add(member: &Member, peers: &Peers, message: Bytes) -> Result<Bytes> {
    let request: MemberAddRequest = decode(message)?;
    let peer_urls = checked_urls(&request.peer_ur_ls)?;
    if member.limits.strict_reconfig && !request.is_learner {
        may_add_voter(member, peers)?;
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let id = member_id(&peer_urls, "", i64::try_from(seconds).ok());
    let is_learner = request.is_learner;
    let added = membership::Member { id, peer_urls, is_learner, ..Default::default() };
    let members = change(member, &MemberChange::Add(added)).await?;
    let added = members.iter().find(|member| member.id == id).cloned();
    let header = Some(member.header(0));
    Ok(encode(&MemberAddResponse { header, member: added, members }))
}

pub(super) async fn member_remove(member: &Member, peers: &Peers, message: Bytes) -> Result<Bytes> {
    let request: MemberRemoveRequest = decode(message)?;
    if member.limits.strict_reconfig {
        may_remove(member, peers, request.id)?;
    }
    let members = change(member, &MemberChange::Remove(request.id)).await?;
    Ok(encode(&MemberRemoveResponse { header: Some(member.header(0)), members }))
}

pub(super) async fn member_update(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: MemberUpdateRequest = decode(message)?;
    let peer_urls = checked_urls(&request.peer_ur_ls)?;
    let update = MemberChange::Update { id: request.id, peer_urls };
    let members = change(member, &update).await?;
    Ok(encode(&MemberUpdateResponse { header: Some(member.header(0)), members }))
}

/// Only the leader knows how far a learner is: others ask it.
pub(super) async fn member_promote(
    member: &Member,
    peers: &Peers,
    message: Bytes,
) -> Result<Bytes> {
    let request: MemberPromoteRequest = decode(message)?;
    let members = match member.is_leader() {
        true => promote(member, request.id).await?,
        false => forward_promotion(member, peers, request.id).await?,
    };
    Ok(encode(&MemberPromoteResponse { header: Some(member.header(0)), members }))
}

/// Makes a learner a voter, on the leader.
pub(crate) async fn promote(member: &Member, id: u64) -> Result<Vec<etcdserverpb::Member>> {
    let promoted = try_promote(member, id).await;
    member.metrics.promoted(promoted.as_ref().err().map(|error| error.message()));
    promoted
}

async fn try_promote(member: &Member, id: u64) -> Result<Vec<etcdserverpb::Member>> {
    if member.limits.strict_reconfig {
        let (found, may_promote) = member.store.with_members(|members| {
            (members.get(id).map(|member| member.is_learner), members.may_promote())
        });
        match found {
            None => return Err(Error::MemberNotFound),
            Some(false) => return Err(Error::MemberNotLearner),
            Some(true) if !may_promote => return Err(Error::MemberNotEnoughStarted),
            Some(true) => {}
        }
    }
    if !member.is_in_sync(id).await? {
        return Err(Error::LearnerNotReady);
    }
    change(member, &MemberChange::Promote(id)).await
}

async fn forward_promotion(
    member: &Member,
    peers: &Peers,
    id: u64,
) -> Result<Vec<etcdserverpb::Member>> {
    let leader = member.status.leader();
    if leader == 0 {
        return Err(Error::NoLeader);
    }
    for url in peers.urls(leader) {
        let path = format!("/members/promote/{id}");
        let limit = member.limits.request_timeout;
        let Ok(answer) = post(&url, &path, "application/json", Bytes::new(), limit).await else {
            continue;
        };
        let text = String::from_utf8_lossy(&answer.content).trim().to_owned();
        return match answer.head.status {
            // What the leader has applied is on its way here.
            StatusCode::OK => Ok(member.store.members()),
            StatusCode::NOT_FOUND => Err(Error::MemberNotFound),
            StatusCode::PRECONDITION_FAILED if text.contains("in sync") => {
                Err(Error::LearnerNotReady)
            }
            StatusCode::PRECONDITION_FAILED => Err(Error::MemberNotLearner),
            _ if text.contains("not enough started") => Err(Error::MemberNotEnoughStarted),
            _ => Err(Error::Other(retcd_api::Code::Unknown, text.into())),
        };
    }
    Err(Error::Timeout)
}

async fn change(member: &Member, change: &MemberChange) -> Result<Vec<etcdserverpb::Member>> {
    match member.propose_membership(change).await? {
        Response::Members(members) => Ok(members),
        _ => Ok(member.store.members()),
    }
}

/// etcd's rules for peer URLs; its text where they don't hold.
fn checked_urls(texts: &[String]) -> Result<Vec<String>> {
    let parsed: std::result::Result<Vec<_>, _> =
        texts.iter().map(|text| crate::flags::Url::parse(text)).collect();
    match parsed {
        Ok(urls) if !urls.is_empty() => {
            let mut texts: Vec<String> = urls.iter().map(ToString::to_string).collect();
            texts.sort();
            Ok(texts)
        }
        _ => Err(Error::MemberBadURLs),
    }
}

/// A quorum of the enlarged cluster must have started and be connected, the new one left out.
fn may_add_voter(member: &Member, peers: &Peers) -> Result<()> {
    if !member.store.with_members(|members| members.may_add_voter()) {
        tracing::warn!("rejecting member add request; not enough started members");
        return Err(Error::MemberNotEnoughStarted);
    }
    let (voters, connected) = count_connected(member, peers, None);
    if voters > 1 && connected < quorum(voters + 1) {
        tracing::warn!(voters, connected, "rejecting member add request; unhealthy cluster");
        return Err(Error::Unhealthy);
    }
    Ok(())
}

/// A quorum of those who stay must have started and be connected; one that isn't connected itself
/// may always go.
fn may_remove(member: &Member, peers: &Peers, id: u64) -> Result<()> {
    if !member.store.with_members(|members| members.may_remove(id)) {
        tracing::warn!("rejecting member remove request; not enough started members");
        return Err(Error::MemberNotEnoughStarted);
    }
    let is_connected = id == member.identity.member || peers.active_for(id).is_some();
    let is_learner =
        member.store.with_members(|members| members.get(id).is_some_and(|found| found.is_learner));
    if is_learner || !is_connected {
        return Ok(());
    }
    let (voters, connected) = count_connected(member, peers, Some(id));
    if voters > 0 && connected < quorum(voters) {
        tracing::warn!(voters, connected, "rejecting member remove request; unhealthy cluster");
        return Err(Error::Unhealthy);
    }
    Ok(())
}

/// How many voters there are, and how many of them have been connected for a while, this member
/// among them.
fn count_connected(member: &Member, peers: &Peers, without: Option<u64>) -> (usize, usize) {
    let own = member.identity.member;
    let voters: Vec<u64> = member.store.with_members(|members| {
        members.voters().map(|voter| voter.id).filter(|id| Some(*id) != without).collect()
    });
    let is_connected =
        |id: &&u64| **id == own || peers.active_for(**id).is_some_and(|time| time >= CONNECTED_FOR);
    (voters.len(), voters.iter().filter(is_connected).count())
}

fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}
