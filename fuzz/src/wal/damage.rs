//! What happens to files: bits that flip, sectors that are lost, misplaced or old, files that are
//! cut short, missing, doubled or misnamed.
//!
//! Checksums aren't made right again: that takes an attacker, against whom the log doesn't defend.

use super::disk::Disk;
use super::parse::{BLOCK, Name};
use crate::input::Input;
use std::ops::Range;

const SECTOR: usize = 512;

/// Changes the disk once, in a way that the input chooses.
pub fn damage(disk: &mut Disk, kept: &[Disk], input: &mut Input<'_>) {
    let how = input.up_to(13);
    let Some(name) = choose(disk, input) else {
        return;
    };
    let file = disk.files.get(&name).expect("it was chosen among them").clone();
    let changed = match how {
        0 => flipped(file, input.up_to(65_535), input),
        1 => {
            let at = BLOCK * input.up_to(15) + input.up_to(127);
            flipped(file, at, input)
        }
        2 => swapped(file, BLOCK, input),
        3 => swapped(file, SECTOR, input),
        4 => filled(file, SECTOR * input.up_to(127), SECTOR * (1 + input.up_to(16)), 0),
        5 => filled(file, BLOCK * input.up_to(15), BLOCK * (1 + input.up_to(3)), 0),
        6 => filled(file, SECTOR * input.up_to(127), SECTOR * (1 + input.up_to(16)), input.byte()),
        7 => truncated(file, input),
        8 => return rename(disk, &name, input, Original::Stays),
        9 => return rename(disk, &name, input, Original::Goes),
        10 => {
            disk.files.remove(&name);
            return;
        }
        11 => taken_over(file, other(kept, disk, &name, input), BLOCK, input),
        12 => taken_over(file, other(kept, disk, &name, input), SECTOR, input),
        _ => other(kept, disk, &name, input).unwrap_or(file),
    };
    disk.files.insert(name, changed);
}

fn choose(disk: &Disk, input: &mut Input<'_>) -> Option<String> {
    // Counted from the end: what matters most is there.
    let back = input.up_to(disk.files.len().saturating_sub(1));
    disk.files.keys().rev().nth(back).cloned()
}

fn flipped(mut file: Vec<u8>, at: usize, input: &mut Input<'_>) -> Vec<u8> {
    let at = at % file.len().max(1);
    if let Some(byte) = file.get_mut(at) {
        *byte ^= input.byte().max(1);
    }
    file
}

fn unit_of(file: &[u8], unit: usize, number: usize) -> Option<Range<usize>> {
    let start = number % (file.len() / unit).max(1) * unit;
    (start + unit <= file.len()).then_some(start..start + unit)
}

fn swapped(mut file: Vec<u8>, unit: usize, input: &mut Input<'_>) -> Vec<u8> {
    let from = unit_of(&file, unit, input.up_to(127));
    let to = unit_of(&file, unit, input.up_to(127));
    if let (Some(from), Some(to)) = (from, to) {
        let kept = file[from.clone()].to_vec();
        file.copy_within(to.clone(), from.start);
        file[to].copy_from_slice(&kept);
    }
    file
}

fn filled(mut file: Vec<u8>, start: usize, len: usize, value: u8) -> Vec<u8> {
    let start = start % file.len().max(1);
    let end = (start + len).min(file.len());
    file[start..end].fill(value);
    file
}

fn truncated(mut file: Vec<u8>, input: &mut Input<'_>) -> Vec<u8> {
    let len = match input.up_to(3) {
        0 => input.up_to(65_535) % (file.len() + 1),
        1 => file.len() + SECTOR * input.up_to(16),
        _ => BLOCK * input.up_to(file.len() / BLOCK),
    };
    file.resize(len, 0);
    file
}

/// Whether a renamed file keeps its old name too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Original {
    Stays,
    Goes,
}

fn rename(disk: &mut Disk, name: &str, input: &mut Input<'_>, original: Original) {
    let Some(parsed) = Name::parse(name) else {
        return;
    };
    let near = |number: u64, input: &mut Input<'_>| (number + input.number(6)).saturating_sub(3);
    let to =
        Name { number: near(parsed.number, input), first_index: near(parsed.first_index, input) };
    let file = match original {
        Original::Stays => disk.files.get(name).cloned(),
        Original::Goes => disk.files.remove(name),
    };
    let to = if input.up_to(7) == 0 { format!("{:016x}.tmp", to.number) } else { to.file() };
    disk.files.insert(to, file.expect("it was chosen among them"));
}

/// Another file's content: an older version of this one, or what another one holds now.
fn other(kept: &[Disk], disk: &Disk, name: &str, input: &mut Input<'_>) -> Option<Vec<u8>> {
    let which = input.up_to(kept.len());
    match kept.get(which) {
        Some(older) => older.files.get(name).cloned(),
        None => disk.files.get(&choose(disk, input)?).cloned(),
    }
}

/// Takes one block or sector over from the same place of another file.
fn taken_over(
    mut file: Vec<u8>,
    from: Option<Vec<u8>>,
    unit: usize,
    input: &mut Input<'_>,
) -> Vec<u8> {
    let range = unit_of(&file, unit, input.up_to(127));
    if let (Some(from), Some(range)) = (from, range)
        && let Some(bytes) = from.get(range.clone())
    {
        file[range].copy_from_slice(bytes);
    }
    file
}
