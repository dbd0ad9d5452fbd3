//! The command line of the log's bench.

use crate::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Shown after a mistake.
pub const USAGE: &str = "\
cargo bench -p retcd-benches --bench wal -- [options]
  --dir PATH      where the logs go: a folder on the disk to measure (default: the target folder)
  --plot PATH     the folder for performance-wal.svg (default: the target folder)
  --slice MS      length of one slice of a row in milliseconds (default 40)
  --rounds N      slices of which the median counts (default 5)
  --segments N    segments that are filled and read again (default 2)";

/// What to measure, and how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where the logs go.
    pub folder: PathBuf,
    /// Where the plot goes.
    pub plot: PathBuf,
    /// One slice of a row.
    pub slice: Duration,
    /// How many slices a row has.
    pub rounds: usize,
    /// How many segments are read again.
    pub segments: u64,
}

impl Options {
    /// Reads the arguments behind the program's name; both folders are `target` unless they say
    /// otherwise. Cargo's own `--bench` is passed over.
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        target: PathBuf,
    ) -> Result<Options, Error> {
        let mut options = Options {
            folder: target.clone(),
            plot: target,
            slice: Duration::from_millis(40),
            rounds: 5,
            segments: 2,
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} lacks a value\n{USAGE}"))?;
            match name.as_str() {
                "--dir" => options.folder = value.into(),
                "--plot" => options.plot = value.into(),
                "--slice" => options.slice = Duration::from_millis(value.parse()?),
                "--rounds" => options.rounds = value.parse()?,
                "--segments" => options.segments = value.parse()?,
                _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
            }
        }
        if options.rounds == 0 || options.slice.is_zero() || options.segments == 0 {
            return Err(USAGE.into());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_replace_the_defaults() {
        let parse = |line: &str| Options::parse(line.split(' ').map(str::to_owned), "t".into());
        let options = parse("--bench --dir d --rounds 7").expect("good options");
        assert_eq!((options.folder, options.plot), ("d".into(), "t".into()));
        assert_eq!(options.rounds, 7);
        assert!(parse("--rounds 0").is_err());
        assert!(parse("--nonsense 1").is_err());
        assert!(parse("--dir").is_err());
    }
}
