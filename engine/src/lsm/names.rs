//! Names in an engine's folder: `NUMBER.sst`, `MANIFEST-NUMBER`, `CURRENT`, `CURRENT.tmp`, with
//! numbers as 16 hex digits. Other names aren't ours and are left alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use retcd_vfs::Vfs;

use crate::table::FileNumber;
use crate::{Error, Result};

const NUMBER_DIGITS: usize = 16;

/// No counter of ours gets here, so that counting on from a name never overflows.
pub(super) const NUMBER_MAX: u64 = 1 << 63;

pub(super) fn table(dir: &Path, number: FileNumber) -> PathBuf {
    dir.join(format!("{:016x}.sst", number.0))
}

pub(super) fn manifest(dir: &Path, number: FileNumber) -> PathBuf {
    dir.join(format!("MANIFEST-{:016x}", number.0))
}

pub(super) fn current(dir: &Path) -> PathBuf {
    dir.join("CURRENT")
}

pub(super) fn current_temporary(dir: &Path) -> PathBuf {
    dir.join("CURRENT.tmp")
}

/// What lies in the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) has_current: bool,
    pub(super) tables: BTreeSet<FileNumber>,
    pub(super) manifests: BTreeSet<FileNumber>,
    /// The largest number in any name.
    pub(super) number_max: Option<FileNumber>,
}

pub(super) fn list(vfs: &dyn Vfs, dir: &Path) -> Result<Listed> {
    let mut listed = Listed::default();
    for path in vfs.list(dir).map_err(Error::io(dir))? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name == "CURRENT" {
            listed.has_current = true;
        } else if let Some(number) = name.strip_suffix(".sst").and_then(parse) {
            listed.tables.insert(number);
        } else if let Some(number) = name.strip_prefix("MANIFEST-").and_then(parse) {
            listed.manifests.insert(number);
        }
    }
    listed.number_max = listed.tables.last().max(listed.manifests.last()).copied();
    Ok(listed)
}

/// Whether an engine gives files this name.
pub(super) fn is_ours(name: &Path) -> bool {
    let name = name.to_str().unwrap_or_default();
    let digits = name.strip_suffix(".sst").or_else(|| name.strip_prefix("MANIFEST-"));
    name == "CURRENT" || name == "CURRENT.tmp" || digits.and_then(parse).is_some()
}

fn parse(digits: &str) -> Option<FileNumber> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() != NUMBER_DIGITS || !digits.bytes().all(hex) {
        return None;
    }
    let number = u64::from_str_radix(digits, 16).ok()?;
    (number < NUMBER_MAX).then_some(FileNumber(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_ours() {
        assert_eq!(parse("00000000000000ff"), Some(FileNumber(255)));
        for other in ["ff", "00000000000000FF", "+0000000000000ff", "00000000000000ff0"] {
            assert_eq!(parse(other), None, "{other}");
        }
        for ours in ["CURRENT", "CURRENT.tmp", "00000000000000ff.sst", "MANIFEST-00000000000000ff"]
        {
            assert!(is_ours(Path::new(ours)), "{ours}");
        }
        for other in ["00000000000000ff", "ff.sst", "MANIFEST-", "lock", "00000000000000ff.tmp"] {
            assert!(!is_ours(Path::new(other)), "{other}");
        }
    }
}
