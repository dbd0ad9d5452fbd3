//! Lines in one of two forms, and how many of them were faults.

use super::Error;
use super::args::Format;
use super::fault::Fault;
use crate::notation::Size;
use bytes::Bytes;
use retcd_api::base64;
use retcd_engine::Keyspace;
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// Something to print: an object in JSON, which has its `type`, or text.
pub(in crate::dump) trait Line: Serialize {
    /// The text, which ends with a line's end.
    fn text(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Faults that are kept where they aren't printed.
const FAULTS_KEPT: usize = 1000;

/// Where lines go.
pub(in crate::dump) struct Output<'a> {
    format: Format,
    out: &'a mut dyn Write,
    faults: u64,
    /// For those who want the faults, and nothing printed: the first of them.
    kept: Option<Vec<Fault>>,
    /// Told of bytes that were read.
    watch: Option<&'a mut dyn FnMut(u64)>,
}

impl<'a> Output<'a> {
    pub(in crate::dump) fn new(format: Format, out: &'a mut dyn Write) -> Output<'a> {
        Output { format, out, faults: 0, kept: None, watch: None }
    }

    /// One that prints nothing and keeps faults. `watch` is told of bytes that were read, and
    /// `nowhere` isn't written to.
    pub(in crate::dump) fn keeping(
        nowhere: &'a mut io::Sink,
        watch: &'a mut dyn FnMut(u64),
    ) -> Output<'a> {
        let (kept, watch) = (Some(Vec::new()), Some(watch));
        Output { format: Format::Json, out: nowhere, faults: 0, kept, watch }
    }

    /// The faults that were kept.
    pub(in crate::dump) fn into_faults(self) -> Vec<Fault> {
        self.kept.unwrap_or_default()
    }

    /// So many more bytes were read.
    pub(in crate::dump) fn advance(&mut self, bytes: u64) {
        if let Some(watch) = &mut self.watch {
            watch(bytes);
        }
    }

    pub(in crate::dump) fn print(&mut self, line: &impl Line) -> Result<(), Error> {
        if self.kept.is_some() {
            return Ok(());
        }
        match self.format {
            Format::Text => line.text(self.out)?,
            Format::Json => {
                serde_json::to_writer(&mut self.out, line).map_err(io::Error::from)?;
                self.out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// Prints what doesn't hold, and counts it.
    pub(in crate::dump) fn fault(&mut self, fault: impl Into<Fault>) -> Result<(), Error> {
        self.faults += 1;
        let fault = fault.into();
        match &mut self.kept {
            Some(kept) if kept.len() < FAULTS_KEPT => {
                kept.push(fault);
                Ok(())
            }
            Some(_) => Ok(()),
            None => self.print(&fault),
        }
    }

    /// How many faults there were.
    pub(in crate::dump) fn faults(&self) -> u64 {
        self.faults
    }

    pub(in crate::dump) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// An empty line in text.
    pub(in crate::dump) fn gap(&mut self) -> Result<(), Error> {
        if self.format == Format::Text {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Where lines that aren't of this kind are written.
    pub(in crate::dump) fn raw(&mut self) -> &mut dyn Write {
        self.out
    }

    /// Says whether there were no faults.
    pub(in crate::dump) fn finish(self) -> Result<bool, Error> {
        self.out.flush()?;
        Ok(self.faults == 0)
    }
}

/// The faults of something that goes through files and can't print meanwhile.
#[derive(Default)]
pub(in crate::dump) struct Faults(Vec<retcd_engine::Error>);

impl Faults {
    pub(in crate::dump) fn take_in(&mut self, error: retcd_engine::Error) {
        self.0.push(error);
    }

    pub(in crate::dump) fn print(self, output: &mut Output<'_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|error| output.fault(error))
    }
}

/// Bytes in JSON: base64.
pub(in crate::dump) fn bytes<S: Serializer>(
    bytes: &Bytes,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::encode(bytes))
}

/// As [`bytes`], if there are some.
pub(in crate::dump) fn maybe_bytes<S: Serializer>(
    bytes: &Option<Bytes>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    bytes.as_ref().map(|bytes| base64::encode(bytes)).serialize(serializer)
}

/// A keyspace's name.
pub(in crate::dump) fn name_of(keyspace: Keyspace) -> &'static str {
    match keyspace {
        Keyspace::Kv => "kv",
        Keyspace::Rev => "rev",
        Keyspace::Lease => "lease",
        Keyspace::Meta => "meta",
    }
}

/// A keyspace in JSON.
pub(in crate::dump) fn keyspace_name<S: Serializer>(
    keyspace: &Keyspace,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name_of(*keyspace))
}

/// A number of bytes, and in a larger unit if there is one.
pub(in crate::dump) fn bytes_and_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        _ => format!("{bytes} bytes ({})", Size(bytes)),
    }
}

/// All keyspaces.
pub(in crate::dump) const KEYSPACES: [Keyspace; 4] =
    [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];
