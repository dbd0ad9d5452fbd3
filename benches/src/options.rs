//! The command line of the load program.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;

/// Shown with `--help` and after a mistake.
pub const USAGE: &str = "\
retcd-bench --server PATH [options]
  --server PATH       the server program to measure
  --etcd PATH         the original, measured beside it
  --server-arg ARG    a further argument for the server; may be repeated
  --dir PATH          where the data directories go (default: the current directory)
  --clients LIST      numbers of clients (default 1,16,100,1000)
  --connections N     connections that they share at most (default 16)
  --seconds S         length of one run (default 3)
  --rounds N          runs of which the median counts (default 3)
  --keys N            also fill N keys, restart, and print times and sizes (default 0: don't)";

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Our server.
    pub server: PathBuf,
    /// The original.
    pub etcd: Option<PathBuf>,
    /// Further arguments for our server.
    pub server_arguments: Vec<String>,
    /// Where the data directories go.
    pub folder: PathBuf,
    /// Numbers of clients.
    pub clients: Vec<usize>,
    /// Connections that they share at most.
    pub connections: usize,
    /// Length of one run.
    pub duration: Duration,
    /// Runs of which the median counts.
    pub rounds: usize,
    /// Keys to fill; zero for none.
    pub keys: u64,
}

impl Options {
    /// The defaults for a server program.
    pub fn new(server: PathBuf) -> Self {
        Self {
            server,
            etcd: None,
            server_arguments: Vec::new(),
            folder: PathBuf::from("."),
            clients: vec![1, 16, 100, 1000],
            connections: 16,
            duration: Duration::from_secs(3),
            rounds: 3,
            keys: 0,
        }
    }

    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut options = Self::new(PathBuf::new());
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--server" => options.server = value()?.into(),
                "--etcd" => options.etcd = Some(value()?.into()),
                "--server-arg" => options.server_arguments.push(value()?),
                "--dir" => options.folder = value()?.into(),
                "--clients" => {
                    let numbers = value()?;
                    options.clients =
                        numbers.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--connections" => options.connections = value()?.parse()?,
                "--seconds" => options.duration = Duration::try_from_secs_f64(value()?.parse()?)?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--keys" => options.keys = value()?.parse()?,
                _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
            }
        }
        let numbers = options.clients.iter().chain([&options.connections, &options.rounds]);
        if options.server.as_os_str().is_empty() || numbers.into_iter().any(|n| *n == 0) {
            return Err(USAGE.into());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Error> {
        Options::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn options_replace_the_defaults() {
        let options = parse("--server a --clients 1,5 --seconds 0.5").expect("good options");
        assert_eq!(options.clients, [1, 5]);
        assert_eq!(options.duration, Duration::from_millis(500));
        assert_eq!(options.rounds, 3);
    }

    #[test]
    fn mistakes_are_told() {
        assert!(parse("--clients 1").is_err());
        assert!(parse("--server a --clients x").is_err());
        assert!(parse("--server a --rounds 0").is_err());
        assert!(parse("--server a --nonsense").is_err());
    }
}
