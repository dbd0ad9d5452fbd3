//! What the black-box tests share: the built server on a temporary folder, and a client of it.
//!
//! `RETCD_TEST_SERVER=/path/to/etcd` runs the same tests against another program, which is how they
//! are checked against the original.

use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use etcd_client::{Client, Error};
use retcd_testkit::{Server, ServerOptions};
use tempfile::TempDir;

/// Nothing that these tests wait for takes longer, unless it will never come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The server program under test.
pub(crate) fn server_binary() -> PathBuf {
    match std::env::var_os("RETCD_TEST_SERVER") {
        Some(path) => path.into(),
        None => env!("CARGO_BIN_EXE_etcd").into(),
    }
}

/// Whether it is our own program, which has flags that the original doesn't know.
pub(crate) fn server_binary_is_ours() -> bool {
    let answer = Command::new(server_binary()).arg("--version").output();
    answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains("retcd Version"))
}

/// A server on a data directory of its own, removed with it.
pub(crate) struct Member {
    /// The running process.
    pub(crate) server: Server,
    /// Holds the data directory.
    pub(crate) folder: TempDir,
}

impl Member {
    /// Starts a fresh one with further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = start_on(&folder, arguments);
        Self { server, folder }
    }

    /// A client connected to it.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.server).await
    }
}

/// Starts the server on the data directory in `folder`, which may exist already.
pub(crate) fn start_on(folder: &TempDir, arguments: &[&str]) -> Server {
    let mut options = ServerOptions::new(server_binary(), &folder.path().join("data"));
    options.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Server::start(&options).unwrap_or_else(|error| panic!("{error}"))
}

/// A client connected to the server.
pub(crate) async fn connect(server: &Server) -> Client {
    let endpoint = server.client_address().to_string();
    Client::connect([endpoint], None).await.expect("the server accepts connections")
}

/// Waits for an answer, but not for ever.
pub(crate) async fn soon<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, answer).await.expect("an answer before the deadline")
}

/// The message of an answer that has to be a refusal by the server.
pub(crate) fn refusal<T>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::GRpcStatus(status)) => status.message().to_owned(),
        Err(other) => panic!("not a status of the server: {other}"),
        Ok(_) => panic!("was not refused"),
    }
}
