//! Takes events of `tracing`, and [`Record`]s, and writes them as lines.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use parking_lot::Mutex;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::config::{LogConfig, LogOutput};
use super::line::{Level, Line, Record};
use super::{FATAL, io_text};

/// Why the log can't be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file of `--log-outputs` can't be opened.
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has been set up before.
    Twice,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Open { path, source } => {
                let path = path.display();
                let source = io_text(source);
                write!(f, "couldn't open sink \"{path}\": open {path}: {source}")
            }
            Error::Twice => f.write_str("the log is already set up"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Open { source, .. } => Some(source),
            Error::Twice => None,
        }
    }
}

/// The log of this process, for records.
static INSTALLED: OnceLock<Arc<Sink>> = OnceLock::new();

/// Sets up the log of this process; works once. Messages before are lost.
pub fn install(config: &LogConfig) -> Result<(), Error> {
    let sink = Arc::new(Sink::open(config)?);
    let subscriber = registry().with(JsonLines(Arc::clone(&sink)));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)?;
    INSTALLED.set(sink).map_err(|_| Error::Twice)
}

impl Record {
    /// Logs the record, if the log is set up and takes its level.
    pub fn log(&self) {
        let Some(sink) = INSTALLED.get().filter(|sink| self.level >= sink.level) else {
            return;
        };
        let caller = caller(self.caller.file(), Some(self.caller.line()));
        let mut line = Line::new(self.level, SystemTime::now(), &caller, &self.message);
        for (name, value) in &self.fields {
            line.field(name, value);
        }
        sink.write(&line.finish());
    }
}

/// Where lines go.
struct Sink {
    level: Level,
    outputs: Mutex<Vec<Box<dyn Write + Send>>>,
}

impl Sink {
    fn open(config: &LogConfig) -> Result<Sink, Error> {
        let outputs: Result<Vec<_>, Error> = config.outputs.iter().map(open).collect();
        Ok(Sink { level: config.level, outputs: Mutex::new(outputs?) })
    }

    /// Writes a whole line to every output. A failure has no better place to be told, so it isn't.
    fn write(&self, line: &[u8]) {
        for output in self.outputs.lock().iter_mut() {
            let _ = output.write_all(line).and_then(|()| output.flush());
        }
    }
}

fn open(output: &LogOutput) -> Result<Box<dyn Write + Send>, Error> {
    Ok(match output {
        LogOutput::Stderr => Box::new(std::io::stderr()),
        LogOutput::Stdout => Box::new(std::io::stdout()),
        LogOutput::File(path) => {
            let file = File::options().append(true).create(true).open(path);
            let path = path.clone();
            Box::new(file.map_err(|source| Error::Open { path, source })?)
        }
    })
}

/// The layer that makes lines of events.
struct JsonLines(Arc<Sink>);

impl<S: Subscriber> Layer<S> for JsonLines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries speak of every frame at lower levels; only their warnings concern us.
        let ours = metadata.target() == FATAL
            || ["retcd_", "etcd"].iter().any(|name| metadata.target().starts_with(name));
        let level = level_of(metadata);
        metadata.is_event() && level >= self.0.level && (ours || level >= Level::Warn)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error | Level::Panic | Level::Fatal => LevelFilter::ERROR,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let caller = caller(metadata.file().unwrap_or("unknown"), metadata.line());
        let at = SystemTime::now();
        let mut line = Line::new(level_of(metadata), at, &caller, &fields.message);
        for (name, value) in &fields.others {
            line.field(name, value);
        }
        self.0.write(&line.finish());
    }
}

fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        _ if metadata.target() == FATAL => Level::Fatal,
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

/// The file with its directory, as zap shows it: `net/serve.rs:98`.
fn caller(file: &str, line: Option<u32>) -> String {
    let start = file.rmatch_indices('/').nth(1).map_or(0, |(slash, _)| slash + 1);
    format!("{}:{}", &file[start..], line.unwrap_or(0))
}

/// The fields of an event as JSON.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        // `?list` prints what JSON reads.
        let list = text
            .starts_with('[')
            .then(|| serde_json::from_str(&text).ok())
            .flatten()
            .filter(|_| field.name() != "message");
        self.push(field, list.unwrap_or(Value::String(text)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.push(field, Value::from(value.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is written to it.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while `act` runs, each line without its time.
    fn logged(level: Level, act: impl FnOnce()) -> Vec<Value> {
        let memory = Memory::default();
        let sink = Sink { level, outputs: Mutex::new(vec![Box::new(memory.clone())]) };
        let subscriber = registry().with(JsonLines(Arc::new(sink)));
        tracing::subscriber::with_default(subscriber, act);
        let text = String::from_utf8(memory.0.lock().clone()).expect("text");
        text.lines()
            .map(|line| {
                let mut value: Value = serde_json::from_str(line).expect("a line is JSON");
                let object = value.as_object_mut().expect("a line is an object");
                object.remove("ts").expect("a line has a time");
                let caller = object.remove("caller").expect("a line has a caller");
                assert!(
                    caller.as_str().is_some_and(|c| c.starts_with("logging/subscriber.rs:")),
                    "{caller}"
                );
                value
            })
            .collect()
    }

    #[test]
    fn events_become_lines_with_typed_fields() {
        let id = "8e9e";
        let lines = logged(Level::Info, || {
            tracing::info!(
                "local-member-id" = %id,
                count = 3_u64,
                on = true,
                urls = ?["a", "b"],
                text = "[1]",
                "started {}",
                5
            );
            tracing::debug!("unheard");
            crate::log_fatal!(error = "x", "discovery failed");
        });
        assert_eq!(
            lines,
            [
                serde_json::json!({
                    "level": "info", "msg": "started 5", "local-member-id": "8e9e", "count": 3,
                    "on": true, "urls": ["a", "b"], "text": "[1]",
                }),
                serde_json::json!({"level": "fatal", "msg": "discovery failed", "error": "x"}),
            ]
        );
    }

    #[test]
    fn libraries_are_heard_from_warnings_on() {
        let lines = logged(Level::Debug, || {
            tracing::debug!("ours");
            tracing::debug!(target: "h2::codec", "a frame");
            tracing::warn!(target: "h2::codec", "something odd");
        });
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn at_level_fatal_nothing_less_is_heard() {
        let lines = logged(Level::Fatal, || {
            tracing::error!("bad");
            crate::log_fatal!("worse");
        });
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn callers_are_a_file_in_its_directory() {
        assert_eq!(caller("server/src/net/serve.rs", Some(98)), "net/serve.rs:98");
        assert_eq!(caller("main.rs", Some(1)), "main.rs:1");
        assert_eq!(caller("src/main.rs", None), "src/main.rs:0");
    }
}
