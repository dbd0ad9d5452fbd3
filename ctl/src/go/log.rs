//! Diagnostics on standard error in the shape of etcd's log: one JSON object a line.

use std::time::{SystemTime, UNIX_EPOCH};

/// Writes one line. Fields follow the message in the order given.
pub(crate) fn write(level: &str, message: &str, fields: &[(&str, &str)]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let string = |text: &str| {
        let mut out = Vec::new();
        super::json::write(&mut out, &text).expect("memory takes it");
        String::from_utf8(out).expect("JSON is text")
    };
    let fields: String =
        fields.iter().map(|(name, value)| format!(",{}:{}", string(name), string(value))).collect();
    eprintln!(
        "{{\"level\":{},\"ts\":{:.7},\"msg\":{}{fields}}}",
        string(level),
        now.as_secs_f64(),
        string(message)
    );
}
