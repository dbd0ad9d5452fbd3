//! Durations as `time.Duration` reads and writes them: `1h2m3.5s`.

use std::time::Duration;

use super::quote::quote;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration. A negative one, which as a time-out has run out at once, is none.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {}", quote(text.as_bytes()));
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut total: f64 = 0.0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (name, after) = rest.split_at(unit);
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text.as_bytes())));
        }
        let Some((_, nanoseconds)) = UNITS.iter().find(|(known, _)| *known == name) else {
            let (name, text) = (quote(name.as_bytes()), quote(text.as_bytes()));
            return Err(format!("time: unknown unit {name} in duration {text}"));
        };
        total += number * *nanoseconds as f64;
        rest = after;
    }
    if total > i64::MAX as f64 {
        return Err(invalid());
    }
    Ok(if text.starts_with('-') { Duration::ZERO } else { Duration::from_nanos(total as u64) })
}

/// Writes a duration in the largest unit that leaves something before the point; from seconds on
/// with hours and minutes before it.
pub(crate) fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    if nanoseconds < 1_000_000_000 {
        let (unit, digits) = match nanoseconds {
            0..1_000 => ("ns", 0),
            1_000..1_000_000 => ("\u{b5}s", 3),
            _ => ("ms", 6),
        };
        return format!("{}{unit}", decimal(nanoseconds, digits));
    }
    let minute = 60_000_000_000;
    let minutes = nanoseconds / minute;
    let seconds = format!("{}s", decimal(nanoseconds % minute, 9));
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// `value` divided by ten to the power of `digits`, without zeros at its end.
fn decimal(value: u128, digits: u32) -> String {
    let scale = 10u128.pow(digits);
    let fraction = format!("{:0width$}", value % scale, width = digits as usize);
    let fraction = fraction.trim_end_matches('0');
    if digits == 0 || fraction.is_empty() {
        return (value / scale).to_string();
    }
    format!("{}.{fraction}", value / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (15, "15ns"),
            (703_222, "703.222\u{b5}s"),
            (5_025_425, "5.025425ms"),
            (5_000_000_000, "5s"),
            (60_000_000_000, "1m0s"),
            (5_002_014_371, "5.002014371s"),
            (3_723_500_000_000, "1h2m3.5s"),
        ] {
            let duration = Duration::from_nanos(nanoseconds);
            assert_eq!(format(duration), text);
            assert_eq!(parse(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn refusals_have_gos_words() {
        for (text, message) in [
            ("abc", "time: invalid duration \"abc\""),
            ("", "time: invalid duration \"\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
        ] {
            assert_eq!(parse(text).expect_err(text), message);
        }
    }
}
