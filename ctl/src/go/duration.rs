//! Durations of flags and in output, where none is negative.

use std::time::Duration;

use retcd_api::go::duration;

/// Reads a duration. A negative one, which as a time-out has run out at once, is none.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let nanoseconds = duration::parse(text)?;
    Ok(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
}

/// Writes a duration.
pub(crate) fn format(duration: Duration) -> String {
    duration::format(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_ones_have_run_out() {
        assert_eq!(parse("-3s"), Ok(Duration::ZERO));
        assert_eq!(parse("1h2m3.5s"), Ok(Duration::from_millis(3_723_500)));
        assert_eq!(format(Duration::from_millis(1500)), "1.5s");
        assert_eq!(format(Duration::MAX), "2562047h47m16.854775807s");
    }
}
