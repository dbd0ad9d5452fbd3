//! Standard output, and the forms in which values stand there.

use std::fmt::Display;
use std::io::{BufWriter, Write};

use retcd_api::mvccpb::KeyValue;
use serde::Serialize;

use crate::failure::Outcome;
use crate::go::json;
use crate::go::quote;

/// Collects output and writes it in large pieces.
pub(crate) struct Page {
    out: BufWriter<Box<dyn Write + Send>>,
    /// Whether keys and values are printed as hexadecimal digits.
    pub(crate) is_hex: bool,
    /// Whether keys are left out before their values.
    pub(crate) is_value_only: bool,
}

impl Page {
    /// Standard output.
    pub(super) fn new(is_hex: bool) -> Self {
        Self::on(Box::new(std::io::stdout()), is_hex)
    }

    /// Any other place.
    pub(super) fn on(out: Box<dyn Write + Send>, is_hex: bool) -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, out), is_hex, is_value_only: false }
    }

    /// Hands everything on.
    pub(crate) fn flush(&mut self) -> Outcome {
        Ok(self.out.flush()?)
    }

    /// A line of text.
    pub(crate) fn line(&mut self, text: impl Display) -> Outcome {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Bytes as they are, and no line end.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.out.write_all(bytes)?)
    }

    /// A value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Outcome {
        json::write(&mut self.out, value)?;
        self.bytes(b"\n")
    }

    /// `"Name" : value`.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) -> Outcome {
        self.line(format_args!("\"{name}\" : {value}"))
    }

    /// `"Name" : "value"`, quoted as Go does.
    pub(crate) fn quoted_field(&mut self, name: &str, value: &[u8]) -> Outcome {
        self.field(name, quote(value))
    }

    /// A key and its value, a line each.
    pub(crate) fn pair(&mut self, pair: &KeyValue) -> Outcome {
        if !self.is_value_only {
            self.value(&pair.key)?;
        }
        self.value(&pair.value)
    }

    fn value(&mut self, bytes: &[u8]) -> Outcome {
        if self.is_hex {
            bytes.iter().try_for_each(|byte| write!(self.out, "\\x{byte:02x}"))?;
        } else {
            self.out.write_all(bytes)?;
        }
        self.bytes(b"\n")
    }

    /// All that is known of a pair, with a word before each name.
    pub(crate) fn pair_fields(&mut self, prefix: &str, pair: &KeyValue) -> Outcome {
        let name = |name: &str| format!("{prefix}{name}");
        self.quoted_field(&name("Key"), &pair.key)?;
        self.field(&name("CreateRevision"), pair.create_revision)?;
        self.field(&name("ModRevision"), pair.mod_revision)?;
        self.field(&name("Version"), pair.version)?;
        self.quoted_field(&name("Value"), &pair.value)?;
        self.field(&name("Lease"), pair.lease)
    }
}
