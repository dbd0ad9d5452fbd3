//! One line of the log, as bytes.

use std::panic::Location;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// How grave a message is. The names are zap's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// What happened.
    Info,
    /// What somebody should look at.
    Warn,
    /// What went wrong.
    Error,
    /// A bug.
    Panic,
    /// Why the program ends.
    Fatal,
}

impl Level {
    /// The name in a line.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Panic => "panic",
            Level::Fatal => "fatal",
        }
    }

    /// The level called `name`.
    pub fn parse(name: &str) -> Option<Level> {
        [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Panic, Level::Fatal]
            .into_iter()
            .find(|level| level.as_str() == name)
    }
}

/// A message with its fields, put together before it is known where it goes.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where in the source it was put together.
    pub caller: &'static Location<'static>,
    /// How grave it is.
    pub level: Level,
    /// What is said.
    pub message: String,
    /// More about it, in this order.
    pub fields: Vec<(String, Value)>,
}

impl Record {
    /// A message without fields.
    #[track_caller]
    pub fn new(level: Level, message: impl Into<String>) -> Record {
        let caller = Location::caller();
        Record { caller, level, message: message.into(), fields: Vec::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Record {
        self.fields.push((name.to_owned(), value));
        self
    }
}

/// A line that is being written.
pub(super) struct Line(String);

impl Line {
    /// Begins with level, time, caller and message.
    pub(super) fn new(level: Level, at: SystemTime, caller: &str, message: &str) -> Line {
        let mut line = Line(String::with_capacity(256));
        line.0.push('{');
        line.field("level", &Value::from(level.as_str()));
        line.field("ts", &Value::from(timestamp(at)));
        line.field("caller", &Value::from(caller));
        line.field("msg", &Value::from(message));
        line
    }

    /// Adds a field.
    pub(super) fn field(&mut self, name: &str, value: &Value) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(&value.to_string());
    }

    /// Ends with a newline.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push_str("}\n");
        self.0.into_bytes()
    }
}

/// `2026-01-02T03:04:05.000006Z`. Times before 1970 are shown as 1970.
fn timestamp(at: SystemTime) -> String {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (seconds, micros) = (since_epoch.as_secs(), since_epoch.subsec_micros());
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01. Years are counted from
/// March, so that the day that is sometimes missing is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let leap_corrected =
        day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096;
    let year_of_era = leap_corrected / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = match month_from_march {
        0..=9 => month_from_march + 3,
        _ => month_from_march - 9,
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn timestamps_are_rfc_3339_with_microseconds() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000006Z"),
            (951_782_400, "2000-02-29T00:00:00.000006Z"),
            (951_868_799, "2000-02-29T23:59:59.000006Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000006Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000006Z"),
            (1_795_415_214, "2026-11-23T06:26:54.000006Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000006Z"),
        ] {
            let at = UNIX_EPOCH + Duration::new(seconds, 6_999);
            assert_eq!(timestamp(at), text);
        }
    }

    #[test]
    fn lines_are_json_in_etcds_order() {
        let mut line = Line::new(Level::Info, UNIX_EPOCH, "net/serve.rs:98", "a \"b\"\n");
        line.field("urls", &json!(["x", 1]));
        let text = String::from_utf8(line.finish()).expect("text");
        assert_eq!(
            text,
            "{\"level\":\"info\",\"ts\":\"1970-01-01T00:00:00.000000Z\",\
             \"caller\":\"net/serve.rs:98\",\"msg\":\"a \\\"b\\\"\\n\",\"urls\":[\"x\",1]}\n"
        );
    }
}
