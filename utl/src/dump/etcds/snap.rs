//! The files in which etcd keeps its snapshots of raft's state: `snap/TERM-INDEX.snap`.
//!
//! ```text
//! file     protobuf: 1 CRC-32C of the data, 2 data
//! data     raftpb.Snapshot: its metadata says index, term and configuration
//! ```

use super::hex;
use super::log::Position;
use bytes::Bytes;
use prost::Message;
use retcd_api::raftpb;
use retcd_vfs::Vfs;
use std::io;
use std::path::{Path, PathBuf};

/// Longest file that is read. etcd's hold the members, and keys of its second API.
const FILE_BYTES_MAX: u64 = 512 << 20;

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(uint32, tag = "1")]
    sum: u32,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

/// One of the files.
#[derive(Debug)]
pub(in crate::dump) struct SnapFile {
    /// Its name.
    pub(in crate::dump) name: PathBuf,
    /// What its name says.
    pub(in crate::dump) at: Position,
    /// What is wrong with it.
    pub(in crate::dump) fault: Option<String>,
}

/// Reads all of them in `dir`, oldest first.
pub(in crate::dump) fn read_all(vfs: &dyn Vfs, dir: &Path) -> io::Result<Vec<SnapFile>> {
    let mut files = Vec::new();
    for name in vfs.list(dir)? {
        let Some(at) = parse(&name) else { continue };
        let fault = judge(vfs, &dir.join(&name), at).err();
        files.push(SnapFile { name, at, fault });
    }
    files.sort_by_key(|file| (file.at.term, file.at.index));
    Ok(files)
}

fn parse(name: &Path) -> Option<Position> {
    let (term, index) = name.to_str()?.strip_suffix(".snap")?.split_once('-')?;
    Some(Position { index: hex(index)?, term: hex(term)? })
}

fn judge(vfs: &dyn Vfs, path: &Path, at: Position) -> Result<(), String> {
    let read = || {
        let file = vfs.open_read(path)?;
        let length = file.len()?;
        if length > FILE_BYTES_MAX {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(0, &mut bytes)?;
        Ok::<_, io::Error>(Some(Bytes::from(bytes)))
    };
    let bytes = read().map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or("it is longer than any that is read")?;
    let Envelope { sum, data } = Envelope::decode(bytes).map_err(|_| "it doesn't decode")?;
    if data.is_empty() || sum == 0 {
        return Err("there is nothing in it".to_owned());
    }
    if crc32c::crc32c(&data) != sum {
        return Err("its checksum is wrong".to_owned());
    }
    let snapshot = raftpb::Snapshot::decode(data).map_err(|_| "its content doesn't decode")?;
    let found = Position { index: snapshot.metadata.index, term: snapshot.metadata.term };
    match found == at {
        true => Ok(()),
        false => Err(format!("it is of index {} and term {}", found.index, found.term)),
    }
}
