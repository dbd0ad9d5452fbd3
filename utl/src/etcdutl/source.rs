//! The file that a command reads.

use super::failure::Failure;
use retcd_engine::bolt::Database;
use retcd_vfs::Vfs;
use std::path::Path;

/// Opens a file in bbolt's format: a snapshot, or etcd's database.
pub(super) fn open(vfs: &dyn Vfs, path: &Path) -> Result<Database, Failure> {
    if vfs.list(path).is_ok() {
        return Err(Failure::Refused(format!(
            "{}: this is a folder, where a snapshot's file is expected",
            path.display()
        )));
    }
    // Opening would tell of it in other words.
    vfs.open_read(path).map_err(Failure::io(path))?;
    Ok(Database::open(vfs, path)?)
}
