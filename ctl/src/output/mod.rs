//! Responses on standard output, in the format of `--write-out`.
//!
//! A response says by [`Show`] how it looks to people and as fields; JSON is what its fields
//! serialize to, in their order and under their names, and `protobuf` is its bytes. Formats that
//! etcd doesn't have for a response aren't there either.

mod alarm;
mod auth;
mod endpoint;
mod header;
mod kv;
mod lease;
mod member;
mod page;
mod size;
mod table;
mod told;
mod watch;

use serde::Serialize;

use crate::failure::{Failure, Outcome};

pub(crate) use auth::Named;
pub(crate) use endpoint::{Hash, Hashes, Health, Healths, Status, Statuses};
pub(crate) use header::HasHeader;
pub(crate) use lease::{Granted, KeptAlive, Leases, TimeToLive};
pub(crate) use member::Members;
pub(crate) use page::Page;
pub(crate) use size::human;
pub(crate) use told::Told;
pub(crate) use watch::Watched;

/// How responses are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Simple,
    Fields,
    Json,
    Protobuf,
    Table,
}

/// What can be printed. As JSON it is what it serializes to.
pub(crate) trait Show: Serialize {
    /// For people.
    fn simple(&self, page: &mut Page) -> Outcome;

    /// One `"Name" : value` a line.
    fn fields(&self, _page: &mut Page) -> Outcome {
        Err(unsupported("fields"))
    }

    /// A table with lines around its cells.
    fn table(&self, _page: &mut Page) -> Outcome {
        Err(unsupported("table"))
    }

    /// Its bytes on the wire.
    fn protobuf(&self) -> Outcome<Vec<u8>>;
}

/// A format that a response doesn't have.
fn unsupported(format: &str) -> Failure {
    Failure::bad_feature(format!("{format} not supported as output format"))
}

/// Prints responses in one format.
pub(crate) struct Printer {
    pub(crate) format: Format,
    pub(crate) page: Page,
}

impl Printer {
    /// A printer for the format called `name`.
    pub(crate) fn new(name: &str, is_hex: bool) -> Outcome<Self> {
        let format = match name {
            "simple" => Format::Simple,
            "fields" => Format::Fields,
            "json" => Format::Json,
            "protobuf" => Format::Protobuf,
            "table" => Format::Table,
            _ => return Err(Failure::bad_feature("unsupported output format")),
        };
        Ok(Self { format, page: Page::new(is_hex) })
    }

    /// Prints one response. It is out when this returns.
    pub(crate) fn print(&mut self, response: &impl Show) -> Outcome {
        let page = &mut self.page;
        match self.format {
            Format::Simple => response.simple(page)?,
            Format::Fields => response.fields(page)?,
            Format::Table => response.table(page)?,
            Format::Json => page.json(response)?,
            Format::Protobuf => page.bytes(&response.protobuf()?)?,
        }
        page.flush()
    }

    /// Prints a line that is the same in all formats.
    pub(crate) fn say(&mut self, line: &str) -> Outcome {
        self.page.line(line)?;
        self.page.flush()
    }
}

#[cfg(test)]
mod tests;
