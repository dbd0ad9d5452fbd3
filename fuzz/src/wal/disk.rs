//! The log's files as plain bytes: read from a file system, put into another one.

use super::DIR;
use retcd_vfs::{MemVfs, Vfs};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Bare file names and contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// By name, so in the order of the segments' numbers.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Disk {
    /// Copies what is in the log's folder.
    pub fn read(vfs: &dyn Vfs) -> io::Result<Disk> {
        let mut files = BTreeMap::new();
        for name in vfs.list(Path::new(DIR))? {
            let file = vfs.open_read(&Path::new(DIR).join(&name))?;
            let mut bytes = vec![0; usize::try_from(file.len()?).expect("a file in memory")];
            file.read_exact_at(0, &mut bytes)?;
            files.insert(name.to_string_lossy().into_owned(), bytes);
        }
        Ok(Disk { files })
    }

    /// A file system that holds these files.
    pub fn mount(&self) -> MemVfs {
        let vfs = MemVfs::new();
        vfs.create_dir_all(Path::new(DIR)).expect("memory doesn't fail");
        for (name, bytes) in &self.files {
            let mut file = vfs.create_append(&Path::new(DIR).join(name)).expect("names differ");
            file.append(bytes).expect("memory doesn't fail");
        }
        vfs
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }
}
