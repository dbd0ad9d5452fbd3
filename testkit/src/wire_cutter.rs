//! A proxy in front of members' peer ports that can part them from one another.
//!
//! It reads in the head of each request who asks (`X-Server-From`), so it knows which two members a
//! connection is between. Between two that are parted nothing passes: connections stay open, as
//! when a cable is pulled, and are closed when the two are joined again.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 64 << 10;

/// Members by their ids.
type Pair = (u64, u64);

/// Between whom a connection is, once both are known.
type Between<'a> = &'a (dyn Fn() -> Option<Pair> + Sync);

#[derive(Default)]
struct State {
    /// Pairs that are parted, the smaller id first.
    parted: HashSet<Pair>,
    is_over: bool,
}

/// What all threads of the proxies share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Parts members, and joins them again. Dropping it ends its threads.
#[derive(Default)]
pub struct WireCutter {
    shared: Arc<Shared>,
}

impl WireCutter {
    /// Everybody reaches everybody.
    pub fn new() -> WireCutter {
        WireCutter::default()
    }

    /// A door for a member that listens on `inside`: others reach it at the address that comes
    /// back. `id` tells which member it is, as soon as that is known.
    pub fn door(
        &self,
        inside: SocketAddr,
        id: impl Fn() -> Option<u64> + Send + Sync + Clone + 'static,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = self.shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.state.lock().is_over {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (shared, id) = (shared.clone(), id.clone());
                thread::spawn(move || {
                    // A connection that breaks is its members' business.
                    let _ = serve(&shared, stream, inside, &id);
                });
            }
        });
        Ok(address)
    }

    /// Nothing passes any more between the members of one side and those of the other.
    pub fn part(&self, one: &[u64], other: &[u64]) {
        let mut state = self.shared.state.lock();
        for &a in one {
            state.parted.extend(other.iter().map(|&b| pair(a, b)));
        }
        self.shared.changed.notify_all();
    }

    /// Everybody reaches everybody again.
    pub fn join(&self) {
        let mut state = self.shared.state.lock();
        state.parted.clear();
        self.shared.changed.notify_all();
    }
}

impl Drop for WireCutter {
    fn drop(&mut self) {
        self.shared.state.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

fn pair(a: u64, b: u64) -> Pair {
    (a.min(b), a.max(b))
}

fn serve(
    shared: &Arc<Shared>,
    mut dialler: TcpStream,
    inside: SocketAddr,
    id: &(dyn Fn() -> Option<u64> + Sync),
) -> io::Result<()> {
    dialler.set_read_timeout(Some(Duration::from_secs(5)))?;
    let head = read_head(&mut dialler)?;
    dialler.set_read_timeout(None)?;
    let from = from_of(&head);
    let between = || from.zip(id()).map(|(from, to)| pair(from, to));
    if !shared.may_pass(&between) {
        return Ok(());
    }
    let mut member = TcpStream::connect(inside)?;
    member.write_all(&head)?;
    let (up, down) = (dialler.try_clone()?, member.try_clone()?);
    // It ends with this one, since both close both ends.
    thread::scope(|scope| {
        scope.spawn(|| pass(shared, &between, up, member));
        pass(shared, &between, down, dialler);
    });
    Ok(())
}

/// Passes bytes on until an end closes, or the members were parted.
fn pass(shared: &Shared, between: Between<'_>, mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; PIECE_BYTES];
    while let Ok(count) = from.read(&mut bytes) {
        if count == 0 || !shared.may_pass(between) || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

impl Shared {
    /// Whether something may pass now. If not, waits until the members are joined again, and says
    /// no: what was sent meanwhile is lost.
    fn may_pass(&self, between: Between<'_>) -> bool {
        let mut state = self.state.lock();
        let is_parted = |state: &State| between().is_some_and(|pair| state.parted.contains(&pair));
        if !is_parted(&state) {
            return !state.is_over;
        }
        while is_parted(&state) && !state.is_over {
            self.changed.wait(&mut state);
        }
        false
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 || head.len() >= HEAD_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    Ok(head)
}

/// Who asks, as the head says.
fn from_of(head: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let line = text.lines().find_map(|line| line.strip_prefix("x-server-from:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers what it is sent.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut bytes = [0; 256];
                    while let Ok(count @ 1..) = stream.read(&mut bytes) {
                        stream.write_all(&bytes[..count]).expect("it listens");
                    }
                });
            }
        });
        address
    }

    fn dial(door: SocketAddr, from: u64) -> TcpStream {
        let mut stream = TcpStream::connect(door).expect("it listens");
        let head = format!("GET / HTTP/1.1\r\nX-Server-From: {from:x}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("connected");
        let mut answer = vec![0; head.len()];
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
        match stream.read_exact(&mut answer) {
            Ok(()) => assert_eq!(answer, head.as_bytes()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
        }
        stream
    }

    #[test]
    fn nothing_passes_between_those_who_are_parted() {
        let cutter = WireCutter::new();
        let door = cutter.door(echo(), || Some(10)).expect("a free port");
        let mut parted = dial(door, 11);
        let mut other = dial(door, 12);
        cutter.part(&[10], &[11]);
        parted.write_all(b"lost").expect("connected");
        other.write_all(b"kept").expect("connected");
        let mut answer = [0; 4];
        other.read_exact(&mut answer).expect("it passes");
        assert_eq!(&answer, b"kept");
        cutter.join();
        assert_eq!(parted.read(&mut answer).unwrap_or(0), 0, "it is closed, and nothing came");
        dial(door, 11);
    }
}
