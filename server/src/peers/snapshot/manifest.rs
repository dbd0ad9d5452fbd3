//! What a snapshot consists of.

use retcd_api::raftpb;
use retcd_vfs::Vfs;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Most files of a snapshot.
const FILES_MAX: usize = 100_000;

/// Longest name of a file.
const NAME_BYTES_MAX: usize = 64;

/// Raft's message, and the files that go with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The storage engine that wrote the files.
    pub(super) engine: String,
    /// The sender.
    pub(super) from: u64,
    /// The receiver.
    pub(super) to: u64,
    /// The sender's term.
    pub(super) term: u64,
    /// Raft index of the last entry that the snapshot has.
    pub(super) index: u64,
    /// That entry's term.
    pub(super) index_term: u64,
    /// Members with a vote at that entry.
    pub(super) voters: Vec<u64>,
    /// Members without.
    pub(super) learners: Vec<u64>,
    /// The files.
    pub(super) files: Vec<File>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    /// Its name in the folder.
    pub(super) name: String,
    /// Its length.
    pub(super) bytes: u64,
}

impl Manifest {
    /// Of the checkpoint in `dir`, which `message` offers.
    pub(super) fn of(
        vfs: &dyn Vfs,
        dir: &Path,
        engine: &str,
        message: &raftpb::Message,
    ) -> io::Result<Manifest> {
        let mut files = Vec::new();
        for name in vfs.list(dir)? {
            let bytes = vfs.open_read(&dir.join(&name))?.len()?;
            let name = name.to_str().ok_or(io::ErrorKind::InvalidData)?.to_owned();
            files.push(File { name, bytes });
        }
        let raftpb::SnapshotMetadata { conf_state, index, term } = &message.snapshot.metadata;
        Ok(Manifest {
            engine: engine.to_owned(),
            from: message.from,
            to: message.to,
            term: message.term,
            index: *index,
            index_term: *term,
            voters: conf_state.voters.clone(),
            learners: conf_state.learners.clone(),
            files,
        })
    }

    /// Raft's message.
    pub(super) fn message(&self) -> raftpb::Message {
        let conf_state = raftpb::ConfState {
            voters: self.voters.clone(),
            learners: self.learners.clone(),
            ..raftpb::ConfState::default()
        };
        let metadata =
            raftpb::SnapshotMetadata { conf_state, index: self.index, term: self.index_term };
        raftpb::Message {
            r#type: raftpb::MessageType::MsgSnap.into(),
            to: self.to,
            from: self.from,
            term: self.term,
            snapshot: raftpb::Snapshot { data: None, metadata },
            ..raftpb::Message::default()
        }
    }

    /// Whether the names are such that all files lie in one folder.
    pub(super) fn is_sound(&self) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && !name.starts_with('.')
                && name.bytes().all(is_plain)
        };
        let mut names: Vec<&str> = self.files.iter().map(|file| &*file.name).collect();
        names.sort_unstable();
        names.dedup();
        names.len() == self.files.len()
            && names.len() <= FILES_MAX
            && names.into_iter().all(is_name)
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
pub(in crate::peers::snapshot) mod tests {
    use super::*;

    /// A snapshot with these files.
    pub(in crate::peers::snapshot) fn manifest(files: &[(&str, u64)]) -> Manifest {
        let file = |&(name, bytes): &(&str, u64)| File { name: name.to_owned(), bytes };
        Manifest {
            engine: "lsm".to_owned(),
            from: 1,
            to: 2,
            term: 5,
            index: 100,
            index_term: 4,
            voters: vec![1, 2],
            learners: vec![3],
            files: files.iter().map(file).collect(),
        }
    }

    #[test]
    fn only_plain_names_are_taken() {
        let is_sound = |names: &[&str]| {
            let files: Vec<_> = names.iter().map(|name| (*name, 1)).collect();
            manifest(&files).is_sound()
        };
        assert!(is_sound(&[]) && is_sound(&["CURRENT", "MANIFEST-000001", "000001.sst"]));
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", ".", "..", ".hidden", "a/b", "../db", "ä", "a b", &long] {
            assert!(!is_sound(&["CURRENT", name]), "{name}");
        }
        assert!(!is_sound(&["a", "b", "a"]), "the same twice");
    }

    #[test]
    fn the_message_comes_back() {
        let message = manifest(&[]).message();
        assert_eq!(message.r#type(), raftpb::MessageType::MsgSnap);
        let vfs = retcd_vfs::MemVfs::new();
        let dir = Path::new("/sending");
        vfs.create_dir_all(dir).expect("memory");
        let mut file = vfs.create_append(&dir.join("CURRENT")).expect("memory");
        file.append(b"1234").expect("memory");
        let again = Manifest::of(&vfs, dir, "lsm", &message).expect("memory");
        assert_eq!(again, manifest(&[("CURRENT", 4)]));
    }
}
