//! A file's bytes in memory: what a reader sees, what is durable, and what is on its way.
//!
//! Durability is kept per sector of 512 bytes, the unit that a disk writes as a whole. Every write
//! since the last sync leaves one version of each sector it touches, and a crash may leave any one
//! of them, or the durable one. A crash decides first of each write whether it is lost, whole or
//! torn, and only of the torn ones sector by sector: so it is common that a long write is there
//! while an earlier one isn't. A length that grew unsynced ends up anywhere between the old and the
//! new one; what lies between and didn't reach the disk reads as zeros. A file that was cut
//! unsynced has lost what was behind the cut, or has it still.

use crate::random::Random;
use std::collections::BTreeMap;

const SECTOR: usize = 512;

/// Whether unsynced writes are remembered one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// Only the newest bytes are kept: nothing will crash.
    Off,
    /// Every version of every unsynced sector is kept.
    On,
}

#[derive(Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: BTreeMap<usize, Vec<Version>>,
    writes: u64,
    /// The shortest that the file was cut to since the last sync.
    cut: Option<usize>,
}

/// What one write made of a sector.
struct Version {
    write: u64,
    bytes: [u8; SECTOR],
}

/// What a crash makes of an unsynced write.
#[derive(Clone, Copy)]
enum Fate {
    Lost,
    Whole,
    /// Each sector for itself.
    Torn,
}

impl Content {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Copies from `offset` into `buf`; returns how many bytes there were.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let rest = &self.bytes[from..];
        let taken = rest.len().min(buf.len());
        buf[..taken].copy_from_slice(&rest[..taken]);
        taken
    }

    /// Writes at `offset`, growing the file if needed.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8], tracking: Tracking) {
        let end = offset + data.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(data);
        if tracking == Tracking::Off || data.is_empty() {
            return;
        }
        self.writes += 1;
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let version = Version { write: self.writes, bytes: sector_of(&self.bytes, sector) };
            self.pending.entry(sector).or_default().push(version);
        }
    }

    /// Takes away what lies behind the first `len` bytes.
    pub(crate) fn cut(&mut self, len: usize, tracking: Tracking) {
        if self.bytes.len() <= len {
            return;
        }
        self.bytes.truncate(len);
        if tracking == Tracking::Off {
            return;
        }
        self.cut = Some(self.cut.map_or(len, |before| before.min(len)));
        // Of a sector that is cut in two, versions keep the front half only.
        self.pending.retain(|&sector, _| sector * SECTOR < len);
        if let Some(versions) = self.pending.get_mut(&(len / SECTOR)) {
            versions.iter_mut().for_each(|version| version.bytes[len % SECTOR..].fill(0));
        }
    }

    /// Makes everything durable. Does nothing where nothing is tracked: no second copy is kept.
    pub(crate) fn sync(&mut self) {
        if let Some(len) = self.cut.take() {
            self.durable.truncate(len);
        } else if self.pending.is_empty() {
            return;
        }
        self.durable.resize(self.bytes.len(), 0);
        for sector in std::mem::take(&mut self.pending).into_keys() {
            copy_sector(&self.bytes, &mut self.durable, sector);
        }
    }

    /// Makes one range durable, and the length as far as the range reaches.
    pub(crate) fn sync_range(&mut self, offset: usize, len: usize) {
        if self.pending.is_empty() {
            return;
        }
        let end = offset + len;
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            if self.pending.remove(&sector).is_some() {
                copy_sector(&self.bytes, &mut self.durable, sector);
            }
        }
    }

    /// What a crash leaves of this file.
    pub(crate) fn crashed(&self, random: &mut Random) -> Content {
        let mut left = self.durable.clone();
        if let Some(cut) = self.cut
            && random.coin()
        {
            left.truncate(cut);
        }
        let grown = self.bytes.len().saturating_sub(left.len());
        left.resize(left.len() + random.up_to(grown), 0);
        let mut fates = BTreeMap::new();
        for (&sector, versions) in &self.pending {
            for version in versions {
                let fate = fates.entry(version.write).or_insert_with(|| Fate::drawn(random));
                let survives = match fate {
                    Fate::Lost => false,
                    Fate::Whole => true,
                    Fate::Torn => random.coin(),
                };
                if survives {
                    let start = (sector * SECTOR).min(left.len());
                    let end = (start + SECTOR).min(left.len());
                    left[start..end].copy_from_slice(&version.bytes[..end - start]);
                }
            }
        }
        Content { durable: left.clone(), bytes: left, ..Content::default() }
    }
}

impl Fate {
    fn drawn(random: &mut Random) -> Fate {
        [Fate::Lost, Fate::Whole, Fate::Torn][random.up_to(2)]
    }
}

/// The sector's bytes, padded with zeros past the end.
fn sector_of(bytes: &[u8], sector: usize) -> [u8; SECTOR] {
    let mut version = [0; SECTOR];
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(bytes.len());
    version[..end - start].copy_from_slice(&bytes[start..end]);
    version
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(from.len()).min(to.len());
    to[start..end].copy_from_slice(&from[start..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_what_was_synced_and_mixes_the_rest_by_sector() {
        let mut content = Content::default();
        content.write(0, &[1; 2 * SECTOR], Tracking::On);
        content.sync();
        content.write(SECTOR, &[2; 3 * SECTOR], Tracking::On);
        let mut lengths = std::collections::BTreeSet::new();
        let mut mixed = false;
        for seed in 0..64 {
            let left = content.crashed(&mut Random::new(seed));
            assert_eq!(&left.bytes[..SECTOR], &[1; SECTOR]);
            assert!((2 * SECTOR..=4 * SECTOR).contains(&left.len()));
            lengths.insert(left.len());
            mixed |= left.bytes.len() == 4 * SECTOR
                || left.bytes[SECTOR] == 1 && left.bytes[2 * SECTOR..].contains(&2);
            for sector in left.bytes[SECTOR..].chunks(SECTOR) {
                assert!(sector.iter().all(|&b| b == sector[0]), "a sector is torn");
            }
        }
        assert!(lengths.len() > 8 && mixed);
    }

    #[test]
    fn an_older_unsynced_version_of_a_sector_may_be_what_survives() {
        let mut content = Content::default();
        content.write(0, &[0; SECTOR], Tracking::On);
        content.sync();
        content.write(0, &[1; SECTOR], Tracking::On);
        content.write(0, &[2; SECTOR], Tracking::On);
        let seen: std::collections::BTreeSet<u8> =
            (0..64).map(|seed| content.crashed(&mut Random::new(seed)).bytes[0]).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_later_write_may_be_there_as_a_whole_while_an_earlier_one_is_lost() {
        let mut content = Content::default();
        content.write(0, &[0; 32 * SECTOR], Tracking::On);
        content.sync();
        content.write(0, &[1; 16 * SECTOR], Tracking::On);
        content.write(16 * SECTOR, &[2; 16 * SECTOR], Tracking::On);
        let holes = (0..64).filter(|&seed| {
            let left = content.crashed(&mut Random::new(seed)).bytes;
            left[..16 * SECTOR].iter().all(|&b| b == 0)
                && left[16 * SECTOR..].iter().all(|&b| b == 2)
        });
        assert!(holes.count() > 2);
    }

    #[test]
    fn a_cut_is_certain_after_a_sync_only() {
        let mut content = Content::default();
        content.write(0, &[1; 4 * SECTOR], Tracking::On);
        content.sync();
        content.cut(SECTOR + 7, Tracking::On);
        content.write(SECTOR + 7, &[2; SECTOR], Tracking::On);
        let left = |content: &Content, seed| content.crashed(&mut Random::new(seed)).bytes;
        let lens: std::collections::BTreeSet<usize> =
            (0..64).map(|seed| left(&content, seed).len()).collect();
        assert!(lens.contains(&(4 * SECTOR)) && lens.len() > 8, "{lens:?}");
        assert!((0..64).all(|seed| left(&content, seed)[..SECTOR + 7] == [1; SECTOR + 7]));
        content.sync();
        let whole = [vec![1; SECTOR + 7], vec![2; SECTOR]].concat();
        assert!((0..64).all(|seed| left(&content, seed) == whole));
    }

    #[test]
    fn a_range_sync_covers_only_its_range() {
        let mut content = Content::default();
        content.write(0, &[0; 4 * SECTOR], Tracking::On);
        content.sync();
        content.write(0, &[7; 4 * SECTOR], Tracking::On);
        content.sync_range(SECTOR, SECTOR);
        let mut lost = false;
        for seed in 0..32 {
            let left = content.crashed(&mut Random::new(seed));
            assert_eq!(left.bytes[SECTOR], 7);
            lost |= left.bytes[0] == 0;
        }
        assert!(lost);
    }
}
