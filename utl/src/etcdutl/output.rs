//! What commands print, in the forms that `--write-out` names.

use super::failure::Failure;
use std::io::Write;

/// A form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Simple,
    Json,
    Fields,
    Table,
}

impl Format {
    /// Reads the value of `--write-out`.
    pub(super) fn parse(text: &str) -> Result<Format, Failure> {
        match text {
            "simple" => Ok(Format::Simple),
            "json" => Ok(Format::Json),
            "fields" => Ok(Format::Fields),
            "table" => Ok(Format::Table),
            // There is no message for what is printed here.
            "protobuf" => {
                Err(Failure::BadFormat("protobuf not supported as output format".to_owned()))
            }
            _ => Err(Failure::BadFormat("unsupported output format".to_owned())),
        }
    }
}

/// One value of what is printed.
pub(super) struct Field {
    /// Its name in the table, in lower case.
    pub(super) title: &'static str,
    /// Its name among fields.
    pub(super) name: &'static str,
    /// Its name in JSON.
    pub(super) json: &'static str,
    /// For programs.
    pub(super) number: i64,
    /// For people.
    pub(super) text: String,
}

/// Prints one row of fields.
pub(super) fn print(fields: &[Field], format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    match format {
        Format::Simple => {
            let texts: Vec<&str> = fields.iter().map(|field| field.text.as_str()).collect();
            writeln!(out, "{}", texts.join(", "))?;
        }
        Format::Json => {
            let pair = |field: &Field| format!("\"{}\":{}", field.json, field.number);
            let pairs: Vec<String> = fields.iter().map(pair).collect();
            writeln!(out, "{{{}}}", pairs.join(","))?;
        }
        Format::Fields => {
            for Field { name, number, .. } in fields {
                writeln!(out, "\"{name}\" : {number}")?;
            }
        }
        Format::Table => table(fields, out)?,
    }
    Ok(())
}

/// Titles in the middle, values at the right.
fn table(fields: &[Field], out: &mut dyn Write) -> Result<(), Failure> {
    let widths = fields.iter().map(|field| field.title.len().max(field.text.len()));
    let widths: Vec<usize> = widths.collect();
    let dashes = widths.iter().map(|width| "-".repeat(width + 2));
    let line = format!("+{}+", dashes.collect::<Vec<_>>().join("+"));
    let titles = fields.iter().zip(&widths).map(|(field, &width)| {
        let title = field.title.to_uppercase();
        format!(" {title:^width$} ")
    });
    let values = fields.iter().zip(&widths).map(|(field, &width)| {
        let text = &field.text;
        format!(" {text:>width$} ")
    });
    writeln!(out, "{line}\n|{}|\n{line}", titles.collect::<Vec<_>>().join("|"))?;
    writeln!(out, "|{}|\n{line}", values.collect::<Vec<_>>().join("|"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format) -> String {
        let fields = [
            Field {
                title: "hash",
                name: "Hash",
                json: "hash",
                number: 2_261_932_239,
                text: "86d258cf".to_owned(),
            },
            Field {
                title: "total size",
                name: "Size",
                json: "totalSize",
                number: 32768,
                text: "33 kB".to_owned(),
            },
        ];
        let mut out = Vec::new();
        print(&fields, format, &mut out).expect("in memory");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn forms_are_etcds() {
        assert_eq!(printed(Format::Simple), "86d258cf, 33 kB\n");
        assert_eq!(printed(Format::Json), "{\"hash\":2261932239,\"totalSize\":32768}\n");
        assert_eq!(printed(Format::Fields), "\"Hash\" : 2261932239\n\"Size\" : 32768\n");
        let table = [
            "+----------+------------+",
            "|   HASH   | TOTAL SIZE |",
            "+----------+------------+",
            "| 86d258cf |      33 kB |",
            "+----------+------------+",
            "",
        ];
        assert_eq!(printed(Format::Table), table.join("\n"));
    }

    #[test]
    fn what_cannot_be_printed_is_told() {
        for (text, error) in [
            ("protobuf", "protobuf not supported as output format"),
            ("xml", "unsupported output format"),
        ] {
            let failure = Format::parse(text).expect_err(text);
            assert_eq!((failure.to_string().as_str(), failure.code()), (error, 4));
        }
    }
}
