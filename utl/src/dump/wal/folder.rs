//! What lies in the log's folder besides segments.

use super::line::FileLine;
use retcd_vfs::{ReadFile, Vfs};
use retcd_wal::{BLOCK_BYTES, SegmentHeader, SegmentName};
use std::io;
use std::path::{Path, PathBuf};

/// The names in a folder.
pub(super) struct Folder {
    /// The segments, by number.
    pub(super) segments: Vec<SegmentName>,
    /// Everything else.
    others: Vec<PathBuf>,
}

impl Folder {
    /// Lists `dir`.
    pub(super) fn list(vfs: &dyn Vfs, dir: &Path) -> io::Result<Folder> {
        let (mut segments, mut others) = (Vec::new(), Vec::new());
        for name in vfs.list(dir)? {
            match SegmentName::parse(&name) {
                Some(segment) => segments.push(segment),
                None => others.push(name),
            }
        }
        segments.sort_unstable();
        Ok(Folder { segments, others })
    }

    /// Says what the files are that aren't segments.
    pub(super) fn others(&self, vfs: &dyn Vfs, dir: &Path) -> Vec<FileLine> {
        self.others.iter().map(|name| describe(vfs, dir, name)).collect()
    }
}

fn describe(vfs: &dyn Vfs, dir: &Path, name: &Path) -> FileLine {
    let extension = name.extension().and_then(|extension| extension.to_str());
    // What isn't the log's isn't touched: it needn't be a file that can be opened at once.
    let file = extension.filter(|&extension| extension == "tmp");
    let file = file.and_then(|_| vfs.open_read(&dir.join(name)).ok());
    let bytes = file.as_ref().and_then(|file| file.len().ok());
    let held = file.and_then(|file| held_segment(&*file));
    let what = match (extension, held) {
        (Some("tmp"), Some(_)) => "an old segment's file, kept for a segment to come",
        (Some("tmp"), None) => "a file for a segment to come: taken over at start if whole",
        (Some("wal"), _) => "not a segment's name: ignored",
        _ if name == Path::new("lock") => "the lock that a running member holds",
        _ => "none of the log's files: ignored",
    };
    let held_segment = held.map(|header| header.segment);
    FileLine { file: name.to_string_lossy().into_owned(), bytes, what, held_segment }
}

fn held_segment(file: &dyn ReadFile) -> Option<SegmentHeader> {
    let mut block = vec![0; BLOCK_BYTES as usize];
    file.read_exact_at(0, &mut block).ok()?;
    SegmentHeader::decode(&block).ok().map(|(header, _)| header)
}
