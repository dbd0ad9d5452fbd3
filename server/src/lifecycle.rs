//! How the program is told to stop, how it ends, and how it tells the init daemon that it is ready.
//!
//! The first SIGINT or SIGTERM asks for a clean stop; a second one kills at once, as if nobody had
//! listened. After a clean stop the process raises the same signal on itself, so that its parent
//! sees what ended it; as process 1, which such a signal can't kill, it exits with 0. That is
//! etcd's behaviour, and shells and supervisors rely on it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, bounded};
pub(crate) use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// The signals that stop the program.
const STOPPING: [i32; 2] = [SIGINT, SIGTERM];

/// Listens for the signals that stop the program.
#[derive(Debug)]
pub(crate) struct Signals {
    received: Receiver<i32>,
}

impl Signals {
    /// Begins to listen. Call it once, before other threads are started.
    pub(crate) fn install() -> io::Result<Signals> {
        let (mut wakes, waker) = UnixStream::pair()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let first = Arc::new(AtomicUsize::new(0));
        for signal in STOPPING {
            // The order matters: the second signal must find the flag that the first one set.
            flag::register_conditional_default(signal, Arc::clone(&stopping))?;
            let number = usize::try_from(signal).expect("signals are numbered from 1");
            flag::register_usize(signal, Arc::clone(&first), number)?;
            flag::register(signal, Arc::clone(&stopping))?;
            low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        let (sender, received) = bounded(1);
        let listen = move || {
            let woken = wakes.read_exact(&mut [0]);
            let signal = i32::try_from(first.load(Ordering::SeqCst)).unwrap_or(SIGTERM);
            if woken.is_ok() {
                // Nobody listens any more if the program is already ending.
                let _ = sender.send(signal);
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
        Ok(Signals { received })
    }

    /// Gives the number of the first signal.
    pub(crate) fn received(&self) -> &Receiver<i32> {
        &self.received
    }
}

/// The name of a signal as Go prints it, which is what etcd logs.
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "interrupt",
        SIGTERM => "terminated",
        _ => "unknown signal",
    }
}

/// Ends the process as `signal` would have, or with 0 if this is process 1.
pub(crate) fn end_by(signal: i32) -> ExitCode {
    if std::process::id() != 1 {
        // Returns only if it fails; then the exit code has to do.
        let _ = low_level::emulate_default_handler(signal);
    }
    ExitCode::SUCCESS
}

/// Tells the init daemon, if it wants to know, that the program serves.
pub(crate) fn notify_ready() {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    tracing::info!("notifying init daemon");
    match notify(&address, b"READY=1") {
        Ok(()) => tracing::info!("successfully notified init daemon"),
        Err(error) => tracing::error!(%error, "failed to notify systemd for readiness"),
    }
}

/// Sends one datagram. A leading `@` stands for the abstract namespace.
fn notify(address: &OsStr, state: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    socket.send_to_addr(state, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> Vec<u8> {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).expect("a datagram came");
        buffer[..length].to_vec()
    }

    #[test]
    fn the_init_daemon_is_told_on_a_path_or_an_abstract_name() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        notify(path.as_os_str(), b"READY=1").expect("sent");
        assert_eq!(receive(&socket), b"READY=1");

        let name = format!("retcd-lifecycle-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        notify(OsStr::new(&format!("@{name}")), b"READY=1").expect("sent");
        assert_eq!(receive(&socket), b"READY=1");
    }

    #[test]
    fn signals_are_named_as_go_does() {
        assert_eq!(name(SIGTERM), "terminated");
        assert_eq!(name(SIGINT), "interrupt");
    }
}
