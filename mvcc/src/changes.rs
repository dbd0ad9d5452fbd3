//! What a main revision changed.

use bytes::Bytes;

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was put.
    Put {
        /// Main revision of the put that made the key.
        create_revision: i64,
        /// Puts since then, that one included.
        version: i64,
        /// The value.
        value: Bytes,
        /// The attached lease, or zero.
        lease: i64,
    },
    /// It was deleted.
    Delete,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Bytes,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// All changes of one main revision, in the order of their sub revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The main revision.
    pub revision: i64,
    /// Its changes.
    pub changes: Vec<Change>,
}
