//! Where a new member's data directory comes to lie, and its names until it is complete.
//!
//! Who makes one holds the lock in `DATA/member.part` from the first file on until the folder has
//! its name, so two that begin in one place don't meet.

use super::failure::Failure;
use super::folder;
use retcd_raft_glue::{DataDir, Error as MemberError, MEMBER_NAME, PART_NAME};
use retcd_vfs::{FileLock, Vfs};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The file in a member's folder that is locked.
const LOCK_NAME: &str = "lock";

/// See the module's text.
pub(super) struct Place {
    data_dir: PathBuf,
    part: PathBuf,
    /// The log's folder and its name until the end, if it lies elsewhere.
    log: Option<(PathBuf, PathBuf)>,
}

impl Place {
    pub(super) fn new(data_dir: &Path, log_dir: Option<&Path>) -> Place {
        let within = data_dir.join(MEMBER_NAME).join("wal");
        let log_dir = log_dir.filter(|dir| **dir != within && !dir.as_os_str().is_empty());
        let log = log_dir.map(|dir| {
            let mut part = OsString::from(dir);
            part.push(".part");
            (dir.to_owned(), PathBuf::from(part))
        });
        Place { data_dir: data_dir.to_owned(), part: data_dir.join(PART_NAME), log }
    }

    /// The folder of the member before it has its name.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// The log's folder before it has its name, if it lies elsewhere.
    pub(super) fn log_part(&self) -> Option<&Path> {
        self.log.as_ref().map(|(_, part)| part.as_path())
    }

    /// Makes sure that nothing is there, and nobody at work, but for what somebody left who was
    /// killed. Changes nothing.
    pub(super) fn check(&self, vfs: &dyn Vfs) -> Result<(), Failure> {
        if vfs.is_locked(&self.part.join(LOCK_NAME)).unwrap_or(false) {
            return Err(self.busy());
        }
        self.check_content(vfs)
    }

    fn busy(&self) -> Failure {
        let dir = self.data_dir.display();
        Failure::Refused(format!("data-dir \"{dir}\": another restore runs here"))
    }

    fn check_content(&self, vfs: &dyn Vfs) -> Result<(), Failure> {
        if vfs.exists(&self.data_dir).map_err(Failure::io(&self.data_dir))? {
            let names = vfs.list(&self.data_dir);
            let is_free =
                names.is_ok_and(|names| names.iter().all(|name| name == Path::new(PART_NAME)));
            if !is_free {
                let lock = self.data_dir.join(MEMBER_NAME).join(LOCK_NAME);
                let is_used = vfs.is_locked(&lock).unwrap_or(false);
                let used = if is_used { ": a member runs on it" } else { "" };
                let dir = self.data_dir.display();
                return Err(Failure::Refused(format!(
                    "data-dir \"{dir}\" not empty or could not be read{used}"
                )));
            }
        }
        match &self.log {
            Some((dir, _)) if vfs.exists(dir).map_err(Failure::io(dir))? => {
                Err(Failure::Refused(format!("wal-dir \"{}\" exists", dir.display())))
            }
            _ => Ok(()),
        }
    }

    /// Begins the member's folder, keeps everybody else out of it, and clears away what was left
    /// there. The lock is to be kept until the member has its name, or nothing is left of it.
    pub(super) fn begin(&self, vfs: &dyn Vfs) -> Result<Box<dyn FileLock>, Failure> {
        let held = DataDir::hold(vfs, &self.part).map_err(|error| match error {
            MemberError::Locked { .. } => self.busy(),
            error => Failure::Member(error),
        })?;
        // Somebody may have come to the end since it was checked.
        if let Err(failure) = self.check_content(vfs) {
            let _ = folder::remove(vfs, &self.part);
            return Err(failure);
        }
        for name in vfs.list(&self.part).map_err(Failure::io(&self.part))? {
            if name != Path::new(LOCK_NAME) {
                folder::remove(vfs, &self.part.join(name))?;
            }
        }
        if let Some(part) = self.log_part() {
            folder::remove(vfs, part)?;
        }
        Ok(held)
    }

    /// Removes what was made so far.
    pub(super) fn remove_parts(&self, vfs: &dyn Vfs) -> Result<(), Failure> {
        if let Some(part) = self.log_part() {
            folder::remove(vfs, part)?;
        }
        folder::remove(vfs, &self.part)
    }

    /// Gives everything its name.
    pub(super) fn show(&self, vfs: &dyn Vfs) -> Result<(), Failure> {
        if let Some((dir, part)) = &self.log {
            rename(vfs, part, dir)?;
        }
        rename(vfs, &self.part, &self.data_dir.join(MEMBER_NAME))
    }
}

fn rename(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<(), Failure> {
    vfs.rename(from, to).map_err(Failure::io(from))?;
    let parent = to.parent().unwrap_or(Path::new(""));
    vfs.sync_dir(parent).map_err(Failure::io(parent))
}
