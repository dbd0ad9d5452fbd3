//! Segments and groups as `docs/format.md` describes them, read without the log's code.
//!
//! Only what decides about places is read: numbers, salts, offsets, checksums and *synced through*.
//! What a group's payload means isn't.

use super::disk::Disk;
use retcd_wal::FORMAT_VERSION;

/// Groups start at multiples of this, in bytes.
pub const BLOCK: usize = 4096;
const GROUP_HEADER: usize = 64;
const SEGMENT_HEADER: usize = 256;

/// A segment's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Its number.
    pub number: u64,
    /// Index behind the last entry when it was begun.
    pub first_index: u64,
}

/// The fields of a segment's header that decide about places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What its file is called.
    pub name: Name,
    /// Repeated in each of its groups.
    pub salt: u64,
    /// Where the groups of the segment before end, in bytes.
    pub previous_end: u64,
    /// Checksum of the last of them.
    pub previous_chain: u32,
    /// Whether the file may hold old bytes.
    pub recycled: bool,
    /// The header's checksum.
    pub crc: u32,
}

/// A whole group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Where it starts, in bytes.
    pub offset: usize,
    /// Where the next one would start, in bytes.
    pub end: usize,
    /// Where its checked bytes end.
    pub checked_end: usize,
    /// What was durable when it was built, in bytes.
    pub synced_through: usize,
    /// Checksum of the group before.
    pub chain: u32,
    /// Its own.
    pub crc: u32,
    /// Last index of the log with it.
    pub last_index: u64,
    /// Whether it has no records.
    pub is_empty: bool,
}

/// What lies at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A group that was written here, unchanged.
    Whole(Whole),
    /// The header of one, and something else behind it.
    Trace,
    /// Anything else.
    Other,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Name {
    /// Reads a bare file name.
    pub fn parse(name: &str) -> Option<Name> {
        let (number, first) = name.strip_suffix(".wal")?.split_once('-')?;
        let hex = |digits: &str| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            let number = u64::from_str_radix(digits, 16).ok()?;
            (plain && digits.len() == 16).then_some(number)
        };
        Some(Name { number: hex(number)?, first_index: hex(first)? })
    }

    /// The file's name.
    pub fn file(self) -> String {
        format!("{:016x}-{:016x}.wal", self.number, self.first_index)
    }
}

/// The segments among the files, by number.
pub fn names(disk: &Disk) -> Vec<Name> {
    let mut names: Vec<Name> = disk.files.keys().filter_map(|name| Name::parse(name)).collect();
    names.sort_unstable();
    names
}

/// A segment's header, if it is whole and the file has the length that it says.
pub fn head(file: &[u8]) -> Option<Head> {
    if file.len() < BLOCK || &file[..8] != b"RETCDLOG" || u32_at(file, 8) != FORMAT_VERSION {
        return None;
    }
    let crc = u32_at(file, 12);
    if crc != crc32fast::hash(&file[16..SEGMENT_HEADER]) || u64_at(file, 64) != file.len() as u64 {
        return None;
    }
    Some(Head {
        name: Name { number: u64_at(file, 32), first_index: u64_at(file, 40) },
        salt: u64_at(file, 56),
        previous_end: u64_at(file, 72),
        previous_chain: u32_at(file, 80),
        recycled: u32_at(file, 84) & 1 != 0,
        crc,
    })
}

/// Whether, at some block, there is the header of a group of segment `number` in its place: then a
/// file whose own header is bad was in use.
pub fn was_in_use(file: &[u8], number: u64) -> bool {
    (BLOCK..file.len()).step_by(BLOCK).any(|at| {
        file.len() - at >= GROUP_HEADER
            && &file[at..at + 4] == b"RLGP"
            && u64_at(file, at + 8) == number
            && u64_at(file, at + 24) == at as u64
    })
}

/// What lies at `offset` of a segment whose length is a multiple of a block.
pub fn place(file: &[u8], head: &Head, offset: usize) -> Place {
    let Some(bytes) = file.get(offset..).filter(|bytes| bytes.len() >= BLOCK) else {
        return Place::Other;
    };
    let ours = &bytes[..4] == b"RLGP"
        && u64_at(bytes, 8) == head.name.number
        && u64_at(bytes, 16) == head.salt
        && u64_at(bytes, 24) == offset as u64;
    if !ours {
        return Place::Other;
    }
    let used = GROUP_HEADER + u32_at(bytes, 44) as usize;
    let synced_through = u64_at(bytes, 32);
    let crc = u32_at(bytes, 4);
    let is_whole = used <= bytes.len()
        && synced_through <= offset as u64
        && crc == crc32fast::hash(&bytes[8..used]);
    match is_whole {
        false => Place::Trace,
        true => Place::Whole(Whole {
            offset,
            end: offset + used.next_multiple_of(BLOCK),
            checked_end: offset + used,
            synced_through: synced_through as usize,
            chain: u32_at(bytes, 40),
            crc,
            last_index: u64_at(bytes, 56),
            is_empty: used == GROUP_HEADER,
        }),
    }
}

/// The groups that follow each other from the header on.
pub fn chain<'a>(file: &'a [u8], head: &'a Head) -> impl Iterator<Item = Whole> + 'a {
    let (mut offset, mut before) = (BLOCK, head.crc);
    std::iter::from_fn(move || match place(file, head, offset) {
        Place::Whole(group) if group.chain == before => {
            (offset, before) = (group.end, group.crc);
            Some(group)
        }
        _ => None,
    })
}
