//! In which form a command prints.

use super::db::args::Format;

/// The flags for it.
#[derive(Debug, clap::Args)]
pub(super) struct Form {
    /// Form of the output: text, or one JSON object per line
    #[arg(short = 'w', long, value_name = "FORM", value_enum, default_value = "text")]
    write_out: Format,

    /// The same as --write-out json
    #[arg(long, conflicts_with = "write_out")]
    json: bool,
}

impl Form {
    /// What was asked for.
    pub(super) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.write_out }
    }
}
