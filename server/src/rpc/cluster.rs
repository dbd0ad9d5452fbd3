//! The cluster service.

use super::{decode, encode};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::Result;
use retcd_api::etcdserverpb::{MemberListRequest, MemberListResponse};

/// All members. The header's revision stays unset, as in etcd.
pub(super) async fn member_list(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: MemberListRequest = decode(message)?;
    if request.linearizable {
        member.linearizable().await?;
    }
    let members = member.store.members();
    Ok(encode(&MemberListResponse { header: Some(member.header(0)), members }))
}
