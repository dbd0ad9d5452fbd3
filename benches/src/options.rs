//! The command line of the load program.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;
use crate::corpus::{Corpus, Kind};
use crate::large::Section;

/// Shown with `--help` and after a mistake.
pub const USAGE: &str = "\
retcd-bench --server PATH [options]
  --server PATH       the server program to measure
  --etcd PATH         the original, measured beside it
  --server-arg ARG    a further argument for the server; may be repeated
  --members N         servers of each cluster, for the loads by clients (default 1)
  --behind N          instead: puts while a follower that is N entries behind catches up
  --dir PATH          where the data directories go (default: the current directory)
  --clients LIST      numbers of clients (default 1,16,100,1000)
  --connections N     connections that they share at most (default 16)
  --seconds S         length of one run (default 3)
  --rounds N          runs of which the median counts (default 3)
  --keys N            also fill N keys and print times and sizes (default 0: don't)
  --load r|k8s        what they are (default r: 256 B of text; k8s: pods of 2 KB)
  --sections LIST     only these parts of that, without the loads by clients: all, or some of fill,
                      start, count, list, longest, space, kill (default: loads, then fill,start)
  --data PATH         filled data directories stay here, and are used again when they fit
  --dead N            revisions that `longest` compacts (default 500000)
  --overwrites N      puts of `space` (default: as many as keys)";

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Our server.
    pub server: PathBuf,
    /// The original.
    pub etcd: Option<PathBuf>,
    /// Further arguments for our server.
    pub server_arguments: Vec<String>,
    /// Members of each cluster that the loads by clients meet.
    pub members: usize,
    /// Entries of the log that a follower lacks; zero to measure something else.
    pub behind: u64,
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
    /// What they are.
    pub corpus: Corpus,
    /// Whether the loads by clients are measured.
    pub loads: bool,
    /// What is measured with many keys.
    pub sections: Vec<Section>,
    /// Where filled data directories stay.
    pub data: Option<PathBuf>,
    /// Revisions that are compacted while a client puts.
    pub dead: u64,
    /// Puts that overwrite.
    pub overwrites: u64,
}

impl Options {
    /// The defaults for a server program.
    pub fn new(server: PathBuf) -> Self {
        Self {
            server,
            etcd: None,
            server_arguments: Vec::new(),
            members: 1,
            behind: 0,
            folder: PathBuf::from("."),
            clients: vec![1, 16, 100, 1000],
            connections: 16,
            duration: Duration::from_secs(3),
            rounds: 3,
            keys: 0,
            corpus: Corpus::new(Kind::R),
            loads: true,
            sections: vec![Section::Fill, Section::Start],
            data: None,
            dead: 500_000,
            overwrites: 0,
        }
    }

    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut options = Self::new(PathBuf::new());
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            options.set(&name, value)?;
        }
        if options.overwrites == 0 {
            options.overwrites = options.keys;
        }
        let numbers =
            options.clients.iter().chain([&options.connections, &options.rounds, &options.members]);
        if options.server.as_os_str().is_empty() || numbers.into_iter().any(|n| *n == 0) {
            return Err(USAGE.into());
        }
        if !options.loads && options.keys == 0 && options.behind == 0 {
            return Err(format!("sections need --keys\n{USAGE}").into());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        match name {
            "--server" => self.server = value.into(),
            "--etcd" => self.etcd = Some(value.into()),
            "--server-arg" => self.server_arguments.push(value),
            "--members" => self.members = value.parse()?,
            "--behind" => {
                self.behind = value.parse()?;
                self.loads = false;
            }
            "--dir" => self.folder = value.into(),
            "--clients" => {
                self.clients = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--connections" => self.connections = value.parse()?,
            "--seconds" => self.duration = Duration::try_from_secs_f64(value.parse()?)?,
            "--rounds" => self.rounds = value.parse()?,
            "--keys" => self.keys = value.parse()?,
            "--load" => self.corpus = Corpus::new(Kind::parse(&value)?),
            "--sections" => {
                self.sections = Section::parse_list(&value)?;
                self.loads = false;
            }
            "--data" => self.data = Some(value.into()),
            "--dead" => self.dead = value.parse()?,
            "--overwrites" => self.overwrites = value.parse()?,
            _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
        }
        Ok(())
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
        let options = parse("--server a --keys 5 --sections count,list").expect("good options");
        assert_eq!((options.loads, options.overwrites), (false, 5));
        assert_eq!(options.sections, [Section::Count, Section::List]);
        let options = parse("--server a --behind 7").expect("good options");
        assert_eq!((options.loads, options.behind), (false, 7));
    }

    #[test]
    fn mistakes_are_told() {
        assert!(parse("--clients 1").is_err());
        assert!(parse("--server a --clients x").is_err());
        assert!(parse("--server a --rounds 0").is_err());
        assert!(parse("--server a --nonsense").is_err());
        assert!(parse("--server a --sections fill").is_err(), "no keys");
        assert!(parse("--server a --behind 0").is_err(), "nothing to measure");
        assert!(parse("--server a --keys 5 --sections x").is_err());
    }
}
