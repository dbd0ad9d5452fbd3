//! The header that every response has.

use retcd_api::etcdserverpb::{self as pb, ResponseHeader};

use super::Page;
use crate::failure::Outcome;

/// A response with a header.
pub(crate) trait HasHeader {
    /// The header; all zero if the member left it out.
    fn header(&self) -> ResponseHeader;
}

macro_rules! have_headers {
    ($($response:ident)*) => {
        $(impl HasHeader for pb::$response {
            fn header(&self) -> ResponseHeader {
                self.header.unwrap_or_default()
            }
        })*
    };
}

have_headers! {
    RangeResponse PutResponse DeleteRangeResponse TxnResponse CompactionResponse WatchResponse
    LeaseGrantResponse LeaseRevokeResponse LeaseKeepAliveResponse LeaseTimeToLiveResponse
    LeaseLeasesResponse
    MemberAddResponse MemberRemoveResponse MemberUpdateResponse MemberListResponse
    MemberPromoteResponse
    AlarmResponse StatusResponse DefragmentResponse HashKvResponse MoveLeaderResponse
    DowngradeResponse
    AuthEnableResponse AuthDisableResponse AuthStatusResponse
    AuthUserAddResponse AuthUserGetResponse AuthUserListResponse AuthUserDeleteResponse
    AuthUserChangePasswordResponse AuthUserGrantRoleResponse AuthUserRevokeRoleResponse
    AuthRoleAddResponse AuthRoleGetResponse AuthRoleListResponse AuthRoleDeleteResponse
    AuthRoleGrantPermissionResponse AuthRoleRevokePermissionResponse
}

impl Page {
    /// A header as fields.
    pub(crate) fn header_fields(&mut self, header: &ResponseHeader) -> Outcome {
        self.field("ClusterID", header.cluster_id)?;
        self.field("MemberID", header.member_id)?;
        self.field("Revision", header.revision)?;
        self.field("RaftTerm", header.raft_term)
    }
}
