//! A small history (write a file under a temporary name, sync it, rename it, sync the folder) is
//! stopped at every operation; each time the crash may leave the old state or the new one, and
//! nothing in between.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use retcd_vfs::{AlignedBuf, CrashVfs, Fault, LOG_ALIGNMENT, LogMode, Vfs};
use std::io;
use std::path::Path;

fn replace(vfs: &dyn Vfs, content: &[u8]) -> io::Result<()> {
    let (name, fresh) = (Path::new("/d/name"), Path::new("/d/fresh"));
    let mut file = vfs.create_append(fresh)?;
    file.append(content)?;
    file.sync()?;
    vfs.rename(fresh, name)?;
    vfs.sync_dir(Path::new("/d"))
}

fn read(vfs: &dyn Vfs) -> Vec<u8> {
    let file = vfs.open_read(Path::new("/d/name")).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn prepared() -> CrashVfs {
    let vfs = CrashVfs::new();
    vfs.create_dir_all(Path::new("/d")).unwrap();
    vfs.sync_dir(Path::new("/")).unwrap();
    replace(&vfs, &[1; 2000]).unwrap();
    vfs
}

#[test]
fn every_operation() {
    let whole = prepared();
    let before = whole.operations();
    replace(&whole, &[2; 3000]).unwrap();
    let mut seen = [0, 0];
    for k in before + 1..=whole.operations() {
        let vfs = prepared();
        vfs.stop_at(k);
        replace(&vfs, &[2; 3000]).unwrap_err();
        assert!(vfs.exists(Path::new("/d")).is_err(), "nothing works after the stop");
        for seed in 0..32 {
            let content = read(&vfs.crash(seed));
            assert!(content == [1; 2000] || content == [2; 3000], "k {k} seed {seed}");
            seen[usize::from(content[0] == 2)] += 1;
        }
    }
    assert!(seen.iter().all(|&n| n > 10), "both outcomes happen: {seen:?}");
    for seed in 0..32 {
        assert_eq!(read(&whole.crash(seed)), [2; 3000]);
    }
}

#[test]
fn without_the_sync_the_content_is_lost_at_times() {
    let vfs = prepared();
    let mut file = vfs.create_append(Path::new("/d/fresh")).unwrap();
    file.append(&[2; 3000]).unwrap();
    vfs.rename(Path::new("/d/fresh"), Path::new("/d/name")).unwrap();
    vfs.sync_dir(Path::new("/d")).unwrap();
    assert!((0..32).any(|seed| read(&vfs.crash(seed)) != [2; 3000]));
    vfs.settle();
    assert!((0..32).all(|seed| read(&vfs.crash(seed)) == [2; 3000]));
}

#[test]
fn faults_hit_once_and_short_writes_leave_half() {
    let vfs = CrashVfs::new();
    let mut file = vfs.create_append(Path::new("/f")).unwrap();
    vfs.fail_at(2, Fault::NoSpace);
    let full = file.append(b"abcd").unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    vfs.fail_at(3, Fault::ShortWrite);
    file.append(b"abcd").unwrap_err();
    vfs.fail_at(4, Fault::Io);
    file.sync().unwrap_err();
    assert_eq!(vfs.syncs(), 0);
    file.append(b"ef").unwrap();
    let mut bytes = [0; 4];
    vfs.open_read(Path::new("/f")).unwrap().read_exact_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abef");
}

#[test]
fn of_several_log_writes_only_the_completed_ones_are_certain() {
    let vfs = CrashVfs::with_log_depth(2);
    let path = Path::new("/log");
    let mut file = vfs.create_append(path).unwrap();
    file.append(&[0; 4 * LOG_ALIGNMENT]).unwrap();
    vfs.settle();
    let mut log = vfs.open_log(path, LogMode::Direct).unwrap();
    for block in 0..2u8 {
        let mut buf = AlignedBuf::new(LOG_ALIGNMENT);
        buf.fill(block + 1);
        log.submit(u64::from(block) * LOG_ALIGNMENT as u64, buf).unwrap();
    }
    log.complete().unwrap();
    let (mut lost, mut kept) = (false, false);
    for seed in 0..64 {
        let mut bytes = [0; 2 * LOG_ALIGNMENT];
        let left = vfs.crash(seed);
        left.open_read(path).unwrap().read_exact_at(0, &mut bytes).unwrap();
        assert!(bytes[..LOG_ALIGNMENT].iter().all(|&b| b == 1));
        lost |= bytes[LOG_ALIGNMENT..].contains(&0);
        kept |= bytes[LOG_ALIGNMENT..].contains(&2);
    }
    assert!(lost && kept);
}

#[test]
fn of_unsynced_pages_any_may_be_lost() {
    let vfs = CrashVfs::new();
    let path = Path::new("/pages");
    vfs.create_append(path).unwrap().append(&[0; 4 * LOG_ALIGNMENT]).unwrap();
    let pages = vfs.open_pages(path).unwrap();
    pages.write_at(0, &[1; LOG_ALIGNMENT]).unwrap();
    pages.sync().unwrap();
    vfs.settle();
    for page in 1..4u8 {
        let offset = u64::from(page) * LOG_ALIGNMENT as u64;
        pages.write_at(offset, &[page; LOG_ALIGNMENT]).unwrap();
    }
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..256 {
        let mut bytes = [0; 4 * LOG_ALIGNMENT];
        vfs.crash(seed).open_read(path).unwrap().read_exact_at(0, &mut bytes).unwrap();
        assert!(bytes[..LOG_ALIGNMENT].iter().all(|&b| b == 1));
        let page = |n: u8| &bytes[usize::from(n) * LOG_ALIGNMENT..][..LOG_ALIGNMENT];
        outcomes.insert([1, 2, 3].map(|n| page(n).iter().all(|&b| b == n)));
    }
    assert_eq!(outcomes.len(), 8, "every subset is left at times");
}
