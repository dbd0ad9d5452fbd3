//! etcd's errors: their gRPC codes and texts, which clients match on.
//!
//! Codes are those that a 3.5 server sends. Two of them differ from what the client library's own
//! table says (`etcdserver: too many requests` and `… not enough started members`): etcd loses the
//! code of these two on the wire, so clients see `Unknown`.

use std::borrow::Cow;

/// gRPC status codes. The discriminants are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the field's own")]
#[repr(i32)]
pub enum Code {
    Ok = 0,
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// A refused request: nothing changed, and the client is told why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Key check (range/put/delete/compare key empty).
    EmptyKey,
    /// Put ignore_value/ignore_lease on a missing key.
    KeyNotFound,
    /// Put with ignore_value and non-empty value.
    ValueProvided,
    /// Put with ignore_lease and lease != 0.
    LeaseProvided,
    /// Txn: len(compare)/success/failure of any level over --max-txn-ops.
    TooManyOps,
    /// Txn puts/deletes overlap.
    DuplicateKey,
    /// Client-api-version metadata is not valid UTF-8.
    InvalidClientAPIVersion,
    /// Range with sort_order/sort_target outside the enum.
    InvalidSortOption,
    /// Range/hash: revision < compacted; compaction: revision at or below compacted.
    Compacted,
    /// Revision > current.
    FutureRev,
    /// Quota check or NOSPACE alarm active.
    NoSpace,
    /// Unknown lease id (put, revoke, ttl).
    LeaseNotFound,
    /// LeaseGrant with an id in use.
    LeaseExist,
    /// TTL > 9,000,000,000 s.
    LeaseTTLTooLarge,
    /// Watch stream torn down by server.
    WatchCanceled,
    /// Conf change: id exists.
    MemberExist,
    /// MemberAdd/Update: peer URL already used.
    PeerURLExist,
    /// Strict-reconfig-check (see note A).
    MemberNotEnoughStarted,
    /// MemberAdd/Update: unparsable URL.
    MemberBadURLs,
    /// Unknown or removed member id.
    MemberNotFound,
    /// Promote a voter.
    MemberNotLearner,
    /// Promote before match at least 90 % of leader.
    LearnerNotReady,
    /// Learner count over max-learners (1).
    TooManyLearners,
    /// Peer/cluster id mismatch (3.5 spelling ErrGRPCClusterIdMismatch; only between peers).
    ClusterIDMismatch,
    /// Marshalled raft request > --max-request-bytes.
    RequestTooLarge,
    /// Committed-applied gap > 5000 (see note A).
    RequestTooManyRequests,
    /// Auth enable without user root.
    RootUserNotExist,
    /// Auth enable: root lacks role root.
    RootRoleNotExist,
    /// User name already exists.
    UserAlreadyExist,
    /// Empty user name, or auth on and request without token.
    UserEmpty,
    /// User name not found.
    UserNotFound,
    /// Role name already exists.
    RoleAlreadyExist,
    /// Role name not found.
    RoleNotFound,
    /// Role name is empty.
    RoleEmpty,
    /// Bad user/password.
    AuthFailed,
    /// RoleGrantPermission with nil perm (3.5.1+).
    PermissionNotGiven,
    /// Permission check.
    PermissionDenied,
    /// Role is not granted to the user.
    RoleNotGranted,
    /// Permission is not granted to the role.
    PermissionNotGranted,
    /// Authenticate while auth off.
    AuthNotEnabled,
    /// Token unknown/expired.
    InvalidAuthToken,
    /// Delete user root / role root / revoke root role while auth on.
    InvalidAuthMgmt,
    /// Auth store revision moved since the token/proposal was made.
    AuthOldRevision,
    /// No leader with hasleader metadata, or waitLeader failed.
    NoLeader,
    /// MoveLeader sent to a non-leader.
    NotLeader,
    /// Read-index/lease ttl while leadership moved.
    LeaderChanged,
    /// API not enabled for the cluster version.
    NotCapable,
    /// Server shutting down.
    Stopped,
    /// Proposal timed out.
    Timeout,
    /// Timed out and leader was lost since the request began.
    TimeoutDueToLeaderFail,
    /// Timed out and quorum not connected for the election timeout.
    TimeoutDueToConnectionLost,
    /// Lease renew/ttl: apply lagged > 1 s.
    TimeoutWaitAppliedIndex,
    /// Member add/remove/promote refused by strict-reconfig connectivity check.
    Unhealthy,
    /// CORRUPT alarm active.
    Corrupt,
    /// Any RPC but Status and serializable Range on a learner (3.4/3.5 spelled
    /// ErrGPRCNotSupportedForLearner).
    NotSupportedForLearner,
    /// MoveLeader target unknown or learner.
    BadLeaderTransferee,
    /// Unparsable version.
    WrongDowngradeVersionFormat,
    /// Target not current minor − 1.
    InvalidDowngradeTargetVersion,
    /// Cluster version not yet decided.
    ClusterVersionUnavailable,
    /// Second enable.
    DowngradeInProcess,
    /// Cancel with none.
    NoInflightDowngrade,
    /// Client context cancelled.
    Canceled,
    /// Client deadline.
    DeadlineExceeded,
    /// A text that isn't in etcd's table, with its own code.
    Other(Code, Cow<'static, str>),
}

impl Error {
    /// The code that a client sees.
    pub fn code(&self) -> Code {
        self.parts().0
    }

    /// The text that a client sees.
    pub fn message(&self) -> &str {
        self.parts().1
    }

    #[expect(clippy::too_many_lines, reason = "one row per error, as a table reads best")]
    fn parts(&self) -> (Code, &str) {
        use Code::*;
        match self {
            Error::EmptyKey => (InvalidArgument, "etcdserver: key is not provided"),
            Error::KeyNotFound => (InvalidArgument, "etcdserver: key not found"),
            Error::ValueProvided => (InvalidArgument, "etcdserver: value is provided"),
            Error::LeaseProvided => (InvalidArgument, "etcdserver: lease is provided"),
            Error::TooManyOps => {
                (InvalidArgument, "etcdserver: too many operations in txn request")
            }
            Error::DuplicateKey => {
                (InvalidArgument, "etcdserver: duplicate key given in txn request")
            }
            Error::InvalidClientAPIVersion => {
                (InvalidArgument, "etcdserver: invalid client api version")
            }
            Error::InvalidSortOption => (InvalidArgument, "etcdserver: invalid sort option"),
            Error::Compacted => {
                (OutOfRange, "etcdserver: mvcc: required revision has been compacted")
            }
            Error::FutureRev => {
                (OutOfRange, "etcdserver: mvcc: required revision is a future revision")
            }
            Error::NoSpace => (ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            Error::LeaseNotFound => (NotFound, "etcdserver: requested lease not found"),
            Error::LeaseExist => (FailedPrecondition, "etcdserver: lease already exists"),
            Error::LeaseTTLTooLarge => (OutOfRange, "etcdserver: too large lease TTL"),
            Error::WatchCanceled => (Canceled, "etcdserver: watch canceled"),
            Error::MemberExist => (FailedPrecondition, "etcdserver: member ID already exist"),
            Error::PeerURLExist => (FailedPrecondition, "etcdserver: Peer URLs already exists"),
            Error::MemberNotEnoughStarted => {
                (Unknown, "etcdserver: re-configuration failed due to not enough started members")
            }
            Error::MemberBadURLs => (InvalidArgument, "etcdserver: given member URLs are invalid"),
            Error::MemberNotFound => (NotFound, "etcdserver: member not found"),
            Error::MemberNotLearner => {
                (FailedPrecondition, "etcdserver: can only promote a learner member")
            }
            Error::LearnerNotReady => (
                FailedPrecondition,
                "etcdserver: can only promote a learner member which is in sync with leader",
            ),
            Error::TooManyLearners => {
                (FailedPrecondition, "etcdserver: too many learner members in cluster")
            }
            Error::ClusterIDMismatch => (FailedPrecondition, "etcdserver: cluster ID mismatch"),
            Error::RequestTooLarge => (InvalidArgument, "etcdserver: request is too large"),
            Error::RequestTooManyRequests => (Unknown, "etcdserver: too many requests"),
            Error::RootUserNotExist => (FailedPrecondition, "etcdserver: root user does not exist"),
            Error::RootRoleNotExist => {
                (FailedPrecondition, "etcdserver: root user does not have root role")
            }
            Error::UserAlreadyExist => (FailedPrecondition, "etcdserver: user name already exists"),
            Error::UserEmpty => (InvalidArgument, "etcdserver: user name is empty"),
            Error::UserNotFound => (FailedPrecondition, "etcdserver: user name not found"),
            Error::RoleAlreadyExist => (FailedPrecondition, "etcdserver: role name already exists"),
            Error::RoleNotFound => (FailedPrecondition, "etcdserver: role name not found"),
            Error::RoleEmpty => (InvalidArgument, "etcdserver: role name is empty"),
            Error::AuthFailed => {
                (InvalidArgument, "etcdserver: authentication failed, invalid user ID or password")
            }
            Error::PermissionNotGiven => (InvalidArgument, "etcdserver: permission not given"),
            Error::PermissionDenied => (PermissionDenied, "etcdserver: permission denied"),
            Error::RoleNotGranted => {
                (FailedPrecondition, "etcdserver: role is not granted to the user")
            }
            Error::PermissionNotGranted => {
                (FailedPrecondition, "etcdserver: permission is not granted to the role")
            }
            Error::AuthNotEnabled => {
                (FailedPrecondition, "etcdserver: authentication is not enabled")
            }
            Error::InvalidAuthToken => (Unauthenticated, "etcdserver: invalid auth token"),
            Error::InvalidAuthMgmt => (InvalidArgument, "etcdserver: invalid auth management"),
            Error::AuthOldRevision => {
                (InvalidArgument, "etcdserver: revision of auth store is old")
            }
            Error::NoLeader => (Unavailable, "etcdserver: no leader"),
            Error::NotLeader => (FailedPrecondition, "etcdserver: not leader"),
            Error::LeaderChanged => (Unavailable, "etcdserver: leader changed"),
            Error::NotCapable => (Unavailable, "etcdserver: not capable"),
            Error::Stopped => (Unavailable, "etcdserver: server stopped"),
            Error::Timeout => (Unavailable, "etcdserver: request timed out"),
            Error::TimeoutDueToLeaderFail => (
                Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
            ),
            Error::TimeoutDueToConnectionLost => {
                (Unavailable, "etcdserver: request timed out, possibly due to connection lost")
            }
            Error::TimeoutWaitAppliedIndex => (
                Unavailable,
                "etcdserver: request timed out, waiting for the applied index took too long",
            ),
            Error::Unhealthy => (Unavailable, "etcdserver: unhealthy cluster"),
            Error::Corrupt => (DataLoss, "etcdserver: corrupt cluster"),
            Error::NotSupportedForLearner => {
                (Unavailable, "etcdserver: rpc not supported for learner")
            }
            Error::BadLeaderTransferee => (FailedPrecondition, "etcdserver: bad leader transferee"),
            Error::WrongDowngradeVersionFormat => {
                (InvalidArgument, "etcdserver: wrong downgrade target version format")
            }
            Error::InvalidDowngradeTargetVersion => {
                (InvalidArgument, "etcdserver: invalid downgrade target version")
            }
            Error::ClusterVersionUnavailable => {
                (Unavailable, "etcdserver: cluster version not found during downgrade")
            }
            Error::DowngradeInProcess => {
                (FailedPrecondition, "etcdserver: cluster has a downgrade job in progress")
            }
            Error::NoInflightDowngrade => {
                (FailedPrecondition, "etcdserver: no inflight downgrade job")
            }
            Error::Canceled => (Canceled, "etcdserver: request canceled"),
            Error::DeadlineExceeded => (DeadlineExceeded, "etcdserver: context deadline exceeded"),
            Error::Other(code, message) => (*code, message),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// Result of handling a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;
