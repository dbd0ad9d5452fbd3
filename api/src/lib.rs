//! etcd's messages, errors and names, and the texts that several programs read alike: numbers and
//! durations of Go's, URLs of members, who founds a cluster.
//!
//! The messages are generated from `proto/` by the build script; byte fields are [`bytes::Bytes`],
//! so that a decoded request shares the memory of the buffer it came in.

/// Generated messages, one module per protobuf package.
#[expect(missing_docs, reason = "generated code; the fields are described in the .proto files")]
#[expect(clippy::all, reason = "generated code")]
mod generated {
    pub mod authpb {
        include!(concat!(env!("OUT_DIR"), "/authpb.rs"));
    }
    pub mod etcdserverpb {
        include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
    }
    pub mod health {
        include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
    }
    pub mod leasepb {
        include!(concat!(env!("OUT_DIR"), "/leasepb.rs"));
    }
    pub mod membershippb {
        include!(concat!(env!("OUT_DIR"), "/membershippb.rs"));
    }
    pub mod mvccpb {
        include!(concat!(env!("OUT_DIR"), "/mvccpb.rs"));
    }
    pub mod raftpb {
        include!(concat!(env!("OUT_DIR"), "/raftpb.rs"));
    }
    pub mod v3electionpb {
        include!(concat!(env!("OUT_DIR"), "/v3electionpb.rs"));
    }
    pub mod v3lockpb {
        include!(concat!(env!("OUT_DIR"), "/v3lockpb.rs"));
    }
}

pub use generated::{
    authpb, etcdserverpb, health, leasepb, membershippb, mvccpb, raftpb, v3electionpb, v3lockpb,
};

pub mod base64;
pub mod error;
pub mod go;
pub mod initial_cluster;
#[cfg(feature = "json")]
mod json;
pub mod url;

/// The etcd release whose behaviour all programs here have.
pub const ETCD_VERSION: &str = "3.5.33";

pub use error::{Code, Error, Result};
