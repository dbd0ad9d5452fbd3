//! What the kernel says about a process: CPU time used, memory resident, input and output.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time that the process has used so far, user and system.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = cpu_ticks(&stat).ok_or_else(|| io::Error::other("unknown form of stat"))?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Fields 14 and 15. The second field is the program's name in parentheses and may hold spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of the process in bytes.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("unknown form of status"))?;
    Ok(kib * 1024)
}

/// A counter of the process's input and output, such as `wchar`: bytes that it has handed to the
/// kernel to be written.
pub fn io_counter(pid: u32, name: &str) -> io::Result<u64> {
    let counters = fs::read_to_string(format!("/proc/{pid}/io"))?;
    counters
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} among the counters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_does_not_shift_the_fields() {
        let stat = "1 (a b) c) S 2 3 4 5 6 7 8 9 10 11 100 20 0 0";
        assert_eq!(cpu_ticks(stat), Some(120));
    }

    #[test]
    fn the_own_process_is_readable() {
        assert!(resident_bytes(std::process::id()).is_ok_and(|bytes| bytes > 0));
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(io_counter(std::process::id(), "syscr").is_ok_and(|reads| reads > 0));
        assert!(io_counter(std::process::id(), "nothing").is_err());
    }
}
