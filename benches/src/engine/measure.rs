//! What a process and a folder show: time, CPU, system calls, bytes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use retcd_testkit::procfs;
use rustix::fs::Advice;
use rustix::time::{ClockId, clock_gettime};

use super::subject::log_folder;
use crate::Error;
use crate::wal::latency::Latencies;

/// Logs that lie among a store's other files: fjall's journals.
const LOG_EXTENSION: &str = "jnl";

/// What many equal calls cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Microseconds of one on average.
    pub mean: f64,
    /// All but one in a hundred took at most so long.
    pub p99: f64,
    /// CPU of the whole process for one, in microseconds.
    pub cpu: f64,
    /// System calls that read, for one.
    pub reads: f64,
}

/// Calls `call` with each of 0 to `count`.
pub fn repeat(
    count: usize,
    mut call: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Cost, Error> {
    let mut latencies = Latencies::default();
    let (cpu_before, reads_before) = (cpu_time(), io_counter("syscr")?);
    let started_at = Instant::now();
    for number in 0..count {
        let began = Instant::now();
        call(number)?;
        latencies.add(began.elapsed());
    }
    let took = started_at.elapsed();
    // Reading a counter is a read, too: the first one comes before its own.
    let reads = io_counter("syscr")? - reads_before;
    let each = |duration: Duration| duration.as_secs_f64() * 1e6 / count as f64;
    Ok(Cost {
        mean: each(took),
        p99: latencies.micros(0.99),
        cpu: each(cpu_time() - cpu_before),
        reads: reads as f64 / count as f64,
    })
}

/// CPU time of this process.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> Result<u64, Error> {
    Ok(procfs::resident_bytes(std::process::id())?)
}

/// Bytes that this process has handed to the kernel to be written.
pub fn bytes_written() -> Result<u64, Error> {
    io_counter("wchar")
}

/// Bytes that the whole machine has written to the device below a folder, once everything that
/// waits is written too. `None` where there is no such device.
///
/// The kernel's count for a process, `write_bytes`, can't be used: it counts a page of a file as
/// long as the stretch of pages that it is kept in, which may be 200 times longer.
pub fn device_bytes_written(folder: &Path) -> Result<Option<u64>, Error> {
    const SECTORS_WRITTEN: usize = 6;
    const SECTOR_BYTES: u64 = 512;
    let folder = File::open(folder)?;
    rustix::fs::syncfs(&folder)?;
    let device = rustix::fs::fstat(&folder)?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(counters) = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")) else {
        return Ok(None);
    };
    let sectors = counters.split_whitespace().nth(SECTORS_WRITTEN);
    let sectors: u64 = sectors.ok_or("the device's counters have another form")?.parse()?;
    Ok(Some(sectors * SECTOR_BYTES))
}

fn io_counter(name: &str) -> Result<u64, Error> {
    Ok(procfs::io_counter(std::process::id(), name)?)
}

/// Allocated bytes of a store's files, its log apart.
pub fn store_bytes(store: &Path) -> Result<u64, Error> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for path in files(store)? {
        // A store may remove a file while its folder is being read.
        match fs::metadata(&path) {
            Ok(metadata) => bytes += metadata.blocks() * 512,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// Makes the kernel forget what it has cached of a store's files, as far as it is written.
pub fn drop_page_cache(store: &Path) -> Result<(), Error> {
    for path in files(store)? {
        let file = File::open(path)?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Reads a store's files once, so that the kernel has them.
pub fn fill_page_cache(store: &Path) -> Result<(), Error> {
    for path in files(store)? {
        io::copy(&mut File::open(path)?, &mut io::sink())?;
    }
    Ok(())
}

fn files(store: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![store.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if folder == log_folder(store) {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != LOG_EXTENSION) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_not_counted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("log")).expect("a folder");
        for name in ["log/file", "file", "file.jnl"] {
            fs::write(folder.path().join(name), [7; 9000]).expect("a file");
        }
        drop_page_cache(folder.path()).expect("cached pages can be given up");
        fill_page_cache(folder.path()).expect("and read");
        let bytes = store_bytes(folder.path()).expect("a size");
        assert!((9000..17_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn each_call_has_its_number_and_an_error_ends_them() {
        let mut numbers = Vec::new();
        let cost = repeat(3, |number| {
            numbers.push(number);
            Ok(())
        });
        assert!(cost.is_ok());
        assert_eq!(numbers, [0, 1, 2]);
        assert!(repeat(3, |_| Err("no".into())).is_err());
    }
}
