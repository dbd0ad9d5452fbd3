//! Which method of which service a request is for: the request's type says it.

use prost::Message;
use retcd_api::etcdserverpb as pb;

/// A request that has one response.
pub(crate) trait Unary: Message + Clone + 'static {
    /// Its response.
    type Response: Message + Default + 'static;
    /// The path of its method.
    const PATH: &'static str;
    /// Whether it may be sent again although it may have been carried out.
    const IS_REPEATABLE: bool;
}

/// A request that has many responses.
pub(crate) trait Downstream: Message + 'static {
    /// One of them.
    type Response: Message + Default + 'static;
    /// The path of its method.
    const PATH: &'static str;
}

/// One of many requests on a stream.
pub(crate) trait BothWays: Message + 'static {
    /// One of the responses.
    type Response: Message + Default + 'static;
    /// The path of its method.
    const PATH: &'static str;
}

macro_rules! unary {
    ($service:literal:
        $($method:literal, $request:ident, $response:ident, $repeatable:literal;)*) => {
        $(impl Unary for pb::$request {
            type Response = pb::$response;
            const PATH: &'static str = concat!("/etcdserverpb.", $service, "/", $method);
            const IS_REPEATABLE: bool = $repeatable;
        })*
    };
}

unary! {
    "KV":
        "Range", RangeRequest, RangeResponse, true;
        "Put", PutRequest, PutResponse, false;
        "DeleteRange", DeleteRangeRequest, DeleteRangeResponse, false;
        "Txn", TxnRequest, TxnResponse, false;
        "Compact", CompactionRequest, CompactionResponse, false;
}

unary! {
    "Lease":
        "LeaseGrant", LeaseGrantRequest, LeaseGrantResponse, true;
        "LeaseRevoke", LeaseRevokeRequest, LeaseRevokeResponse, true;
        "LeaseTimeToLive", LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, true;
        "LeaseLeases", LeaseLeasesRequest, LeaseLeasesResponse, true;
}

unary! {
    "Cluster":
        "MemberAdd", MemberAddRequest, MemberAddResponse, false;
        "MemberRemove", MemberRemoveRequest, MemberRemoveResponse, false;
        "MemberUpdate", MemberUpdateRequest, MemberUpdateResponse, false;
        "MemberList", MemberListRequest, MemberListResponse, true;
        "MemberPromote", MemberPromoteRequest, MemberPromoteResponse, false;
}

unary! {
    "Maintenance":
        "Alarm", AlarmRequest, AlarmResponse, true;
        "Status", StatusRequest, StatusResponse, true;
        "Defragment", DefragmentRequest, DefragmentResponse, false;
        "HashKV", HashKvRequest, HashKvResponse, true;
        "MoveLeader", MoveLeaderRequest, MoveLeaderResponse, true;
        "Downgrade", DowngradeRequest, DowngradeResponse, false;
}

unary! {
    "Auth":
        "AuthEnable", AuthEnableRequest, AuthEnableResponse, false;
        "AuthDisable", AuthDisableRequest, AuthDisableResponse, false;
        "AuthStatus", AuthStatusRequest, AuthStatusResponse, false;
        "Authenticate", AuthenticateRequest, AuthenticateResponse, false;
        "UserAdd", AuthUserAddRequest, AuthUserAddResponse, false;
        "UserGet", AuthUserGetRequest, AuthUserGetResponse, true;
        "UserList", AuthUserListRequest, AuthUserListResponse, true;
        "UserDelete", AuthUserDeleteRequest, AuthUserDeleteResponse, false;
        "UserChangePassword", AuthUserChangePasswordRequest, AuthUserChangePasswordResponse, false;
        "UserGrantRole", AuthUserGrantRoleRequest, AuthUserGrantRoleResponse, false;
        "UserRevokeRole", AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse, false;
        "RoleAdd", AuthRoleAddRequest, AuthRoleAddResponse, false;
        "RoleGet", AuthRoleGetRequest, AuthRoleGetResponse, true;
        "RoleList", AuthRoleListRequest, AuthRoleListResponse, true;
        "RoleDelete", AuthRoleDeleteRequest, AuthRoleDeleteResponse, false;
        "RoleGrantPermission", AuthRoleGrantPermissionRequest,
            AuthRoleGrantPermissionResponse, false;
        "RoleRevokePermission", AuthRoleRevokePermissionRequest,
            AuthRoleRevokePermissionResponse, false;
}

impl Downstream for pb::SnapshotRequest {
    type Response = pb::SnapshotResponse;
    const PATH: &'static str = "/etcdserverpb.Maintenance/Snapshot";
}

impl BothWays for pb::WatchRequest {
    type Response = pb::WatchResponse;
    const PATH: &'static str = "/etcdserverpb.Watch/Watch";
}

impl BothWays for pb::LeaseKeepAliveRequest {
    type Response = pb::LeaseKeepAliveResponse;
    const PATH: &'static str = "/etcdserverpb.Lease/LeaseKeepAlive";
}
