//! One server process: start, wait until it serves, kill, stop cleanly.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::log::Log;
use crate::ports::free_addresses;

/// The line that says that requests are answered.
const READY: &str = "ready to serve client requests";

/// A free port can be taken by somebody else before the server binds it; then others are tried.
const PORT_ATTEMPTS_MAX: u32 = 5;

/// Between two looks whether a process has ended.
const END_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Lines of its log that are shown of a process that doesn't end.
pub(crate) const LAST_LINES: usize = 20;

/// What to start.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The program.
    pub binary: PathBuf,
    /// Its data directory, which must outlive the server.
    pub data_dir: PathBuf,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further variables of its environment.
    pub variables: Vec<(String, String)>,
    /// How long it may take until it serves, and until it has ended where it is to end.
    pub patience: Duration,
}

impl ServerOptions {
    /// A server with all settings at their defaults.
    pub fn new(binary: impl Into<PathBuf>, data_dir: &Path) -> Self {
        Self {
            binary: binary.into(),
            data_dir: data_dir.to_path_buf(),
            arguments: Vec::new(),
            variables: Vec::new(),
            patience: Duration::from_secs(60),
        }
    }

    /// The same with one more argument.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The same with one more variable in its environment.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The same with another limit for the time until it serves, or has ended.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// Why a server doesn't serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The program can't be run.
    Spawn(PathBuf, io::Error),
    /// It ended, or let the limit pass, before it served. Holds its log.
    NotReady(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(binary, error) => write!(formatter, "{}: {error}", binary.display()),
            Self::NotReady(log) => write!(formatter, "the server doesn't serve; its log:\n{log}"),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    /// Whether somebody else has taken a port that was free a moment before.
    pub fn is_port_taken(&self) -> bool {
        match self {
            Self::NotReady(log) => log.to_lowercase().contains("address already in use"),
            Self::Spawn(..) => false,
        }
    }
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: Log,
    client_address: SocketAddr,
    peer_address: SocketAddr,
    started_at: Instant,
    start_time: Duration,
    patience: Duration,
}

impl Server {
    /// Starts the program and waits until it serves.
    pub fn start(options: &ServerOptions) -> Result<Self, StartError> {
        let mut attempt = 1;
        loop {
            match Self::start_once(options) {
                Err(error) if error.is_port_taken() && attempt < PORT_ATTEMPTS_MAX => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(options: &ServerOptions) -> Result<Self, StartError> {
        let spawn_error = |error| StartError::Spawn(options.binary.clone(), error);
        let addresses = free_addresses().map_err(spawn_error)?;
        let mut server = Self::spawn(options, addresses)?;
        server.wait_until_ready(options.patience)?;
        Ok(server)
    }

    /// Starts the program with the addresses for clients and for peers, and doesn't wait until it
    /// serves.
    pub fn spawn(
        options: &ServerOptions,
        [client_address, peer_address]: [SocketAddr; 2],
    ) -> Result<Self, StartError> {
        let spawn_error = |error| StartError::Spawn(options.binary.clone(), error);
        let client_url = format!("http://{client_address}");
        let peer_url = format!("http://{peer_address}");
        let started_at = Instant::now();
        let child = Command::new(&options.binary)
            .arg("--data-dir")
            .arg(&options.data_dir)
            .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("default={peer_url}")])
            .args(&options.arguments)
            .envs(options.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(spawn_error)?;
        let addresses = [client_address, peer_address];
        Ok(Self::of_child(child, addresses, started_at, options.patience))
    }

    /// A process whose standard error is piped.
    fn of_child(
        mut child: Child,
        [client_address, peer_address]: [SocketAddr; 2],
        started_at: Instant,
        patience: Duration,
    ) -> Self {
        let log = Log::collect(child.stderr.take().expect("standard error is piped"));
        let start_time = Duration::ZERO;
        Self { child, log, client_address, peer_address, started_at, start_time, patience }
    }

    /// Waits until it serves.
    pub fn wait_until_ready(&mut self, patience: Duration) -> Result<(), StartError> {
        self.log.wait_for(READY, patience).map_err(StartError::NotReady)?;
        self.start_time = self.started_at.elapsed();
        Ok(())
    }

    /// `host:port` for clients.
    pub fn client_address(&self) -> SocketAddr {
        self.client_address
    }

    /// `host:port` for peers.
    pub fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// From the start of the process to the line that says that it serves.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// What it has logged.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Sends SIGKILL and waits for the end. Unlike a drop it says whether the process had ended
    /// before.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Err(io::Error::other(format!("had ended: {status}\n{}", self.log.text())));
        }
        self.child.kill()?;
        self.child.wait()
    }

    /// Stops it where it is, as a machine that hangs.
    pub fn pause(&self) -> io::Result<()> {
        Ok(rustix::process::kill_process(Pid::from_child(&self.child), Signal::STOP)?)
    }

    /// Lets it go on.
    pub fn resume(&self) -> io::Result<()> {
        Ok(rustix::process::kill_process(Pid::from_child(&self.child), Signal::CONT)?)
    }

    /// Sends SIGTERM and waits for the end, as [`Server::wait`] does.
    pub fn terminate(self) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM)?;
        self.wait()
    }

    /// Waits for a process that is expected to end by itself. One that lets its limit pass is
    /// killed; the error is [`io::ErrorKind::TimedOut`] and holds the end of its log.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let (pid, last) = (self.pid(), self.log.last_lines(LAST_LINES));
                let text = format!(
                    "process {pid} goes on after {:?}; its log ends with:\n{last}",
                    self.patience
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            thread::sleep(END_POLL_INTERVAL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A shell that runs a script, in the place of a server.
    pub(crate) fn shell(script: &str, patience: Duration) -> Server {
        let shell = Command::new("sh").args(["-c", script]).stderr(Stdio::piped()).spawn();
        let addresses = free_addresses().expect("free ports");
        Server::of_child(shell.expect("there is a shell"), addresses, Instant::now(), patience)
    }

    #[test]
    fn a_program_that_ends_is_reported_with_its_words() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let options = ServerOptions::new("sh", dir.path());
        let error = Server::start(&options).expect_err("a shell is no server");
        assert!(matches!(error, StartError::NotReady(log) if log.contains("sh:")));
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let missing = dir.path().join("nothing-here");
        let error = Server::start(&ServerOptions::new(&missing, dir.path())).expect_err("missing");
        assert!(error.to_string().contains("nothing-here"));
    }

    #[test]
    fn a_program_that_goes_on_is_waited_for_no_longer_than_its_limit() {
        // It ends with the shell, which it is.
        let stays = shell("echo I stay >&2; exec sleep 600", Duration::from_millis(300));
        stays.log.wait_for_line("I stay", Duration::from_secs(60)).expect("it says so");
        let error = stays.wait().expect_err("it goes on");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().ends_with("its log ends with:\nI stay"), "{error}");
        let deaf = shell("trap '' TERM; echo deaf >&2; exec sleep 600", Duration::from_millis(300));
        deaf.log.wait_for_line("deaf", Duration::from_secs(60)).expect("it says so");
        assert_eq!(deaf.terminate().expect_err("deaf").kind(), io::ErrorKind::TimedOut);
        let ends = shell("exit 7", Duration::from_secs(60));
        assert_eq!(ends.wait().expect("it ends").code(), Some(7));
    }
}
