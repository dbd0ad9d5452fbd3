//! Metrics of the process, read from `/proc` when somebody asks. What can't be read stays as it
//! was.

use prometheus::{Counter, Gauge, IntGauge};
use rustix::process::{Resource, getrlimit};

use super::catalog::Catalog;

/// The process's metrics.
pub(super) struct Process {
    cpu_seconds: Counter,
    fds_open: IntGauge,
    fds_max: IntGauge,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    virtual_bytes_max: Gauge,
    start_time: Gauge,
    fds_used: IntGauge,
    fds_limit: IntGauge,
}

/// What `/proc/self/stat` says, in the kernel's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Process {
    pub(super) fn new(catalog: &Catalog) -> Process {
        let process = Process {
            cpu_seconds: catalog.float_counter(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            ),
            fds_open: catalog.gauge("process_open_fds", "Number of open file descriptors."),
            fds_max: catalog.gauge("process_max_fds", "Maximum number of open file descriptors."),
            resident_bytes: catalog
                .gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
            virtual_bytes: catalog
                .gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
            virtual_bytes_max: catalog.float_gauge(
                "process_virtual_memory_max_bytes",
                "Maximum amount of virtual memory available in bytes.",
            ),
            start_time: catalog.float_gauge(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            ),
            fds_used: catalog.gauge("os_fd_used", "The number of used file descriptors."),
            fds_limit: catalog.gauge("os_fd_limit", "The file descriptor limit."),
        };
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        if let (Some(stat), Some(boot)) = (read_stat(), read_boot_seconds()) {
            process.start_time.set(boot as f64 + stat.start_ticks as f64 / ticks_per_second);
        }
        process
    }

    /// Reads everything anew.
    pub(super) fn refresh(&self) {
        if let Some(stat) = read_stat() {
            let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
            let cpu_seconds = stat.cpu_ticks as f64 / ticks_per_second;
            self.cpu_seconds.inc_by((cpu_seconds - self.cpu_seconds.get()).max(0.0));
            self.virtual_bytes.set(clamp(stat.virtual_bytes));
            let page_bytes = rustix::param::page_size() as u64;
            self.resident_bytes.set(clamp(stat.resident_pages.saturating_mul(page_bytes)));
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            // One of them is the directory that is being read.
            let open = clamp(entries.count().saturating_sub(1) as u64);
            self.fds_open.set(open);
            self.fds_used.set(open);
        }
        let fds_limit = clamp(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX));
        self.fds_max.set(fds_limit);
        self.fds_limit.set(fds_limit);
        let virtual_limit = getrlimit(Resource::As).current.unwrap_or(u64::MAX);
        self.virtual_bytes_max.set(virtual_limit as f64);
    }
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read_stat() -> Option<Stat> {
    parse_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields are numbered as in proc(5); the second is the program's name in parentheses, which may
/// contain anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let after_name = &text[text.rfind(')')? + 1..];
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)?.checked_add(field(15)?)?,
        start_ticks: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

fn read_boot_seconds() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_may_contain_anything() {
        let text = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22";
        assert_eq!(
            parse_stat(text),
            Some(Stat {
                cpu_ticks: 11 + 12,
                start_ticks: 19,
                virtual_bytes: 20,
                resident_pages: 21,
            })
        );
        assert_eq!(parse_stat("7 (a) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn this_process_has_memory_and_files_and_began_in_the_past() {
        let process = Process::new(&Catalog::new());
        process.refresh();
        process.refresh();
        assert!(process.resident_bytes.get() > 0);
        assert!(process.virtual_bytes.get() >= process.resident_bytes.get());
        assert!(process.fds_open.get() > 0 && process.fds_open.get() <= process.fds_max.get());
        assert!(process.start_time.get() > 1.5e9);
        assert!(process.cpu_seconds.get() >= 0.0);
    }
}
