//! A log file written through io_uring: several writes are under way, come back in the order of
//! their submission, can be slept on from another thread, and outlive nobody who drops the file.
//! Where the kernel forbids io_uring or the file system has no direct I/O, a line says that a test
//! was passed over.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use retcd_vfs::{AlignedBuf, LOG_ALIGNMENT, LogFile, LogMode, RealVfs, Vfs, is_refusal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tempfile::TempDir;

const DEPTH: usize = 8;
const BLOCKS: usize = 256;

/// Long enough that a test which comes to it has failed.
const FOR_EVER: Duration = Duration::from_secs(600);

/// A file of zeros in a folder that goes with it.
fn zeros(folder: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(folder).expect("a temporary folder");
    let path = folder.path().join("log");
    let mut file = RealVfs.create_append(&path).unwrap();
    file.append(&vec![0; BLOCKS * LOG_ALIGNMENT]).unwrap();
    file.sync().unwrap();
    (folder, path)
}

/// The file opened for `DEPTH` writes, with its first block written: only that shows whether the
/// file system takes it.
fn open(path: &Path) -> Option<Box<dyn LogFile>> {
    let opened = RealVfs.open_log(path, LogMode::Uring { depth: DEPTH }).and_then(|mut log| {
        log.submit(0, filled(1, 255))?;
        log.complete()?.expect("one was submitted");
        Ok(log)
    });
    match opened {
        Ok(log) => Some(log),
        Err(error) if is_refusal(&error) => {
            println!("passed over: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn filled(blocks: usize, value: u8) -> AlignedBuf {
    let mut buf = AlignedBuf::new(blocks * LOG_ALIGNMENT);
    buf.fill(value);
    buf
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Submits eight writes of one to eight blocks, the longest first; returns where the next begins.
fn submit_eight(log: &mut dyn LogFile) -> usize {
    let mut block = 1;
    for nth in 0..DEPTH {
        let blocks = DEPTH - nth;
        log.submit((block * LOG_ALIGNMENT) as u64, filled(blocks, nth as u8 + 1)).unwrap();
        block += blocks;
    }
    block
}

/// Checks that the file holds what `submit_eight` wrote.
fn assert_holds_eight(path: &Path) {
    let mut bytes = vec![0; BLOCKS * LOG_ALIGNMENT];
    RealVfs.open_read(path).unwrap().read_exact_at(0, &mut bytes).unwrap();
    let blocks: Vec<u8> = bytes.chunks(LOG_ALIGNMENT).map(|block| block[0]).collect();
    let expected = (0..DEPTH).flat_map(|nth| std::iter::repeat_n(nth as u8 + 1, DEPTH - nth));
    assert_eq!(blocks[0], 255);
    assert_eq!(blocks[1..=36], expected.collect::<Vec<_>>());
    assert!(blocks[37..].iter().all(|&b| b == 0));
    assert!(bytes.chunks(LOG_ALIGNMENT).all(|block| block.iter().all(|&b| b == block[0])));
}

#[test]
fn completions_come_in_the_order_of_submission() {
    let (_folder, path) = zeros(target());
    let Some(mut log) = open(&path) else { return };
    for _ in 0..20 {
        submit_eight(&mut *log);
        for nth in 0..DEPTH {
            let buf = log.complete().unwrap().expect("it was submitted");
            assert_eq!((buf.len(), buf[0]), ((DEPTH - nth) * LOG_ALIGNMENT, nth as u8 + 1));
        }
        assert!(log.complete().unwrap().is_none());
    }
    assert_holds_eight(&path);
}

#[test]
fn a_file_that_is_dropped_waits_for_what_is_under_way() {
    let (_folder, path) = zeros(target());
    for _ in 0..20 {
        let Some(mut log) = open(&path) else { return };
        submit_eight(&mut *log);
        let waiter = log.waiter().unwrap();
        drop(log);
        assert_holds_eight(&path);
        waiter.wait(FOR_EVER).unwrap();
    }
}

#[test]
fn another_thread_sleeps_on_completions_and_is_woken_by_the_end() {
    let (_folder, path) = zeros(target());
    let Some(log) = open(&path) else { return };
    let waiter = log.waiter().unwrap();
    let log = Arc::new(Mutex::new(Some(log)));
    let (seen, told) = mpsc::channel();
    let sleeper = std::thread::spawn({
        let log = log.clone();
        move || {
            loop {
                waiter.wait(FOR_EVER).unwrap();
                let mut log = log.lock().unwrap();
                let Some(log) = log.as_mut() else { return };
                while let Some(buf) = log.try_complete().unwrap() {
                    seen.send(buf[0]).unwrap();
                }
            }
        }
    });
    for _ in 0..20 {
        submit_eight(log.lock().unwrap().as_deref_mut().unwrap());
        let values: Vec<u8> = told.iter().take(DEPTH).collect();
        assert_eq!(values, (1..=DEPTH as u8).collect::<Vec<_>>());
    }
    log.lock().unwrap().take();
    sleeper.join().unwrap();
}

#[test]
fn a_file_system_in_memory_takes_it_or_refuses_it() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        println!("passed over: there is no {}", memory.display());
        return;
    }
    let (_folder, path) = zeros(memory);
    let Some(mut log) = open(&path) else { return };
    submit_eight(&mut *log);
    while log.complete().unwrap().is_some() {}
    assert_holds_eight(&path);
}
