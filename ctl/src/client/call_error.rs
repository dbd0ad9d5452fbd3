//! Why a request has no response, in the words that users see.

use std::fmt;

use retcd_api::Error;
use tonic::{Code, Status};

use super::dial::root_cause;

/// The end of a request without a response.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Its time is over.
    Deadline,
    /// The member's answer, or what happened to the connection.
    Status(Status),
}

/// What tonic says of a connection that ended in the middle becomes what gRPC says of it.
impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let cause = std::error::Error::source(&status).map(root_cause);
        match cause {
            Some(cause) if status.code() == Code::Unknown => {
                Self::Status(Status::unavailable(cause))
            }
            _ => Self::Status(status),
        }
    }
}

impl CallError {
    /// Whether the member refused it with this error.
    pub(crate) fn is(&self, error: &Error) -> bool {
        matches!(self, Self::Status(status) if status.message() == error.message())
    }

    /// Whether another member, or the same one later, may serve it.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Status(status) if status.code() == Code::Unavailable)
    }

    /// Whether a new token may help.
    pub(super) fn asks_for_token(&self) -> bool {
        [Error::InvalidAuthToken, Error::AuthOldRevision, Error::UserEmpty]
            .iter()
            .any(|error| self.is(error))
    }
}

/// A text of etcd's own stands alone; any other has its code before it, in Go's spelling.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("context deadline exceeded"),
            Self::Status(status) if status.message().starts_with("etcdserver: ") => {
                f.write_str(status.message())
            }
            Self::Status(status) => {
                let code = match status.code() {
                    Code::Cancelled => "Canceled".to_owned(),
                    code => format!("{code:?}"),
                };
                write!(f, "rpc error: code = {code} desc = {}", status.message())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_etcds_own_stand_alone() {
        let text = |status| CallError::Status(status).to_string();
        assert_eq!(
            text(Status::not_found("etcdserver: requested lease not found")),
            "etcdserver: requested lease not found"
        );
        assert_eq!(
            text(Status::unknown("auth: permission denied")),
            "rpc error: code = Unknown desc = auth: permission denied"
        );
        assert_eq!(text(Status::cancelled("x")), "rpc error: code = Canceled desc = x");
        assert_eq!(CallError::Deadline.to_string(), "context deadline exceeded");
    }

    #[test]
    fn a_connection_that_broke_is_no_answer_of_the_members() {
        let mut broken = Status::unknown("h2 protocol error");
        broken.set_source(std::sync::Arc::new(std::io::Error::other("connection reset")));
        let error = CallError::from(broken);
        assert!(error.is_unavailable());
        assert_eq!(error.to_string(), "rpc error: code = Unavailable desc = connection reset");
        assert!(!CallError::from(Status::unknown("auth: permission denied")).is_unavailable());
    }
}
