//! The lease service, except keep-alive.

use super::kv::{admit, complete, mismatch};
use super::maintenance::blocking;
use super::{decode, encode};
use crate::member::{Carries, Member};
use crate::peers::{LeaseAnswer, Peers, ask_leader, is_not_primary};
use bytes::Bytes;
use retcd_api::etcdserverpb::{
    LeaseGrantRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseStatus,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use retcd_api::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use retcd_api::{Error, Result};
use retcd_mvcc::Response;

/// What a lease costs against the quota, in bytes. etcd's number.
const LEASE_COST: u64 = 64;

/// An id for a lease whose client brings none: positive, and unused as far as can be told.
pub(super) fn new_id(member: &Member) -> i64 {
    (member.next_id() & (i64::MAX as u64)) as i64
}

pub(super) async fn grant(member: &Member, message: Bytes) -> Result<Bytes> {
    let mut request: LeaseGrantRequest = decode(message)?;
    if request.id == 0 {
        request.id = new_id(member);
    }
    admit(member, LEASE_COST)?;
    match member.propose(Carries::LeaseGrant, &encode(&request)).await? {
        Response::LeaseGrant(mut response) => {
            complete(member, &mut response.header);
            Ok(encode(&response))
        }
        other => Err(mismatch(&other)),
    }
}

pub(super) async fn revoke(member: &Member, message: Bytes) -> Result<Bytes> {
    let _: LeaseRevokeRequest = decode(message.clone())?;
    match member.propose(Carries::LeaseRevoke, &message).await? {
        Response::LeaseRevoke(mut response) => {
            complete(member, &mut response.header);
            Ok(encode(&response))
        }
        other => Err(mismatch(&other)),
    }
}

/// An unknown lease isn't an error: its time is −1.
pub(super) async fn time_to_live(member: &Member, peers: &Peers, message: Bytes) -> Result<Bytes> {
    let request: LeaseTimeToLiveRequest = decode(message)?;
    member.linearizable().await?;
    match remaining(member, &request).await {
        Err(error) if is_not_primary(&error) => {}
        answer => return answer.map(|response| encode(&response)),
    }
    let asked = LeaseInternalRequest { lease_time_to_live_request: Some(request) };
    let response = match ask_leader(member, peers, "/leases/internal", encode(&asked)).await {
        Ok(LeaseAnswer::Here) => remaining(member, &request).await?,
        Ok(LeaseAnswer::Content(content)) => {
            let response: LeaseInternalResponse = decode(content)?;
            let response = response.lease_time_to_live_response.unwrap_or_default();
            LeaseTimeToLiveResponse { header: Some(member.current_header()), ..response }
        }
        Err(Error::LeaseNotFound) => LeaseTimeToLiveResponse {
            header: Some(member.current_header()),
            id: request.id,
            ttl: -1,
            ..Default::default()
        },
        Err(error) => return Err(error),
    };
    Ok(encode(&response))
}

/// What a lease has left, on the leader.
pub(crate) async fn remaining(
    member: &Member,
    request: &LeaseTimeToLiveRequest,
) -> Result<LeaseTimeToLiveResponse> {
    let request = *request;
    let mut response = LeaseTimeToLiveResponse {
        header: Some(member.current_header()),
        id: request.id,
        ttl: -1,
        ..Default::default()
    };
    match member.store.lease_time_to_live(request.id, member.now()) {
        Ok(lease) => {
            response.ttl = lease.ttl;
            response.granted_ttl = lease.granted_ttl;
        }
        Err(Error::LeaseNotFound) => return Ok(response),
        Err(error) => return Err(error),
    }
    if request.keys {
        // A lease may have any number of keys.
        let store = member.store.clone();
        response.keys = member.checked(blocking(move || store.lease_keys(request.id)).await?)?;
    }
    Ok(response)
}

pub(super) fn leases(member: &Member) -> Result<Bytes> {
    let leases = member.store.leases().into_iter().map(|id| LeaseStatus { id }).collect();
    Ok(encode(&LeaseLeasesResponse { header: Some(member.current_header()), leases }))
}
