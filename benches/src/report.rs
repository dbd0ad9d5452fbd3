//! The printed table.

use std::time::Duration;

use crate::load::Measurement;
use crate::stats::median;

/// The head of the table of loads.
pub const HEAD: &str = concat!(
    "what        clients  server          per second     p50 µs     p99 µs",
    "  CPU µs each  syncs each",
);

/// The medians of several runs.
pub fn medians(runs: &[Measurement]) -> Measurement {
    let of = |value: fn(&Measurement) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
    Measurement {
        per_second: of(|run| run.per_second),
        p50: Duration::from_secs_f64(of(|run| run.p50.as_secs_f64())),
        p99: Duration::from_secs_f64(of(|run| run.p99.as_secs_f64())),
        cpu_per_answer: Duration::from_secs_f64(of(|run| run.cpu_per_answer.as_secs_f64())),
        syncs_per_answer: of(|run| run.syncs_per_answer),
    }
}

/// One line of the table.
pub fn line(what: &str, clients: usize, server: &str, measured: &Measurement) -> String {
    format!(
        "{what:<11} {clients:>7}  {server:<14} {:>11.0} {:>10.0} {:>10.0} {:>12.1} {:>11.3}",
        measured.per_second,
        micros(measured.p50),
        micros(measured.p99),
        micros(measured.cpu_per_answer),
        measured.syncs_per_answer,
    )
}

/// A duration in microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A size in MiB.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_under_their_heads() {
        let measured = Measurement {
            per_second: 1234.0,
            p50: Duration::from_micros(80),
            p99: Duration::from_micros(900),
            cpu_per_answer: Duration::from_nanos(30_500),
            syncs_per_answer: 0.25,
        };
        let line = line("put", 16, "etcd", &medians(&[measured]));
        assert_eq!(line.chars().count(), HEAD.chars().count());
        assert!(line.ends_with("0.250"));
    }
}
