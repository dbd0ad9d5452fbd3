//! What an HTTP/2 connection writes, held back while it is polled and sent with one call behind it.
//!
//! The library hands each data frame of more than a few hundred bytes to the socket by itself, and
//! the frames behind it with the next call: answers that are ready at the same time cost a system
//! call each, and as many packets. A corked stream takes them all, says that they are flushed, and
//! whoever polls the connection sends them when the poll is over. A connection that ends by itself
//! shuts the stream down first, which sends what is held.
//!
//! HTTP/1 gathers its writes itself, and trusts in what is flushed when it ends a connection
//! without a word: nothing of it is held back.

use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held back at most: three data frames of the usual size. What doesn't fit goes out
/// at once, behind them.
const HELD_BYTES_MAX: usize = 64 << 10;

/// Room that a connection has for them while there are few or none.
const KEPT_BYTES: usize = 8 << 10;

/// The stream, as the connection reads and writes it.
pub(super) struct Corked<S>(Arc<Mutex<Held<S>>>);

/// Sends what the connection wrote.
pub(super) struct Cork<S>(Arc<Mutex<Held<S>>>);

struct Held<S> {
    stream: S,
    /// Whether writes are held back; known with the first one.
    is_corked: Option<bool>,
    bytes: Vec<u8>,
    /// How many of the bytes are sent.
    sent: usize,
}

/// Corks a stream.
pub(super) fn cork<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> (Corked<S>, Cork<S>) {
    let held = Held { stream, is_corked: None, bytes: Vec::new(), sent: 0 };
    let held = Arc::new(Mutex::new(held));
    (Corked(Arc::clone(&held)), Cork(held))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Cork<S> {
    /// Polls the connection on the corked stream, then sends what it wrote. A connection whose
    /// bytes can't be sent has ended: `None`.
    pub(super) fn poll<F: Future>(
        &self,
        connection: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        // First what waits from before: the connection may use up what a task may do in one turn.
        if let Poll::Ready(Err(_)) = self.0.lock().poll_send(context) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(output) = connection.poll(context) {
            return Poll::Ready(Some(output));
        }
        let mut held = self.0.lock();
        match held.poll_send(context) {
            Poll::Ready(Ok(())) => held.give_room_back(),
            Poll::Ready(Err(_)) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> Held<S> {
    /// Sends all that is held back. While that isn't done, the task is woken when it goes on.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            let stream = Pin::new(&mut self.stream);
            match ready!(stream.poll_write(context, &self.bytes[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        self.sent = 0;
        self.bytes.clear();
        Poll::Ready(Ok(()))
    }

    /// Whether the connection's writes are held back. HTTP/1's first one begins with `HTTP`,
    /// HTTP/2's with the length of its settings.
    fn is_corked(&mut self, pieces: &[IoSlice<'_>]) -> bool {
        let first = || pieces.iter().flat_map(|piece| piece.first()).next();
        *self.is_corked.get_or_insert_with(|| first() != Some(&b'H'))
    }

    /// Takes pieces of so many bytes in all, if there is room for them.
    fn hold(&mut self, pieces: &[IoSlice<'_>], bytes: usize) -> bool {
        let fits = self.bytes.len().saturating_add(bytes) <= HELD_BYTES_MAX;
        if fits {
            self.bytes.reserve(bytes.max(KEPT_BYTES.saturating_sub(self.bytes.len())));
            pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        }
        fits
    }

    fn give_room_back(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut held = self.0.lock();
        if held.is_corked(pieces) {
            let bytes = pieces.iter().map(|piece| piece.len()).sum();
            if held.hold(pieces, bytes) {
                return Poll::Ready(Ok(bytes));
            }
            ready!(held.poll_send(context))?;
        }
        Pin::new(&mut held.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is held back is sent after the poll.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut held = self.0.lock();
        ready!(held.poll_send(context))?;
        Pin::new(&mut held.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, poll_fn, ready};
    use std::pin::pin;
    use std::task::Waker;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::time::timeout;

    /// How long a wake-up may take.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Takes so many bytes with a call, so many calls, and then none until there is room again.
    struct Socket {
        writes: Vec<Vec<u8>>,
        bytes_per_write: usize,
        writes_until_full: usize,
        flushes: usize,
        is_shut: bool,
    }

    impl Default for Socket {
        fn default() -> Socket {
            let (bytes_per_write, writes_until_full) = (usize::MAX, usize::MAX);
            let (writes, flushes, is_shut) = (Vec::new(), 0, false);
            Socket { writes, bytes_per_write, writes_until_full, flushes, is_shut }
        }
    }

    impl AsyncRead for Socket {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            into.put_slice(b"asked");
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Socket {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.is_shut {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let Some(left) = self.writes_until_full.checked_sub(1) else { return Poll::Pending };
            self.writes_until_full = left;
            let taken = &bytes[..bytes.len().min(self.bytes_per_write)];
            self.writes.push(taken.to_vec());
            Poll::Ready(Ok(taken.len()))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let pieces: Vec<&[u8]> = pieces.iter().map(|piece| &piece[..]).collect();
            self.poll_write(context, &pieces.concat())
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_shut = true;
            Poll::Ready(Ok(()))
        }
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    /// Writes head and rest, and flushes, as HTTP/2 does with each data frame.
    fn write(stream: &mut Corked<Socket>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (head, rest) = bytes.split_at(bytes.len() / 2);
        let pieces = [IoSlice::new(head), IoSlice::new(rest)];
        let written = Pin::new(&mut *stream).poll_write_vectored(&mut context(), &pieces);
        assert!(Pin::new(stream).poll_flush(&mut context()).is_ready());
        written
    }

    fn write_all(stream: &mut Corked<Socket>, bytes: &[u8]) {
        assert!(matches!(write(stream, bytes), Poll::Ready(Ok(n)) if n == bytes.len()));
    }

    /// Polls a connection that writes `pieces` and then waits.
    fn poll(cork: &Cork<Socket>, stream: &mut Corked<Socket>, pieces: &[&[u8]]) -> bool {
        let connection = poll_fn(|_| {
            pieces.iter().for_each(|piece| write_all(stream, piece));
            Poll::<()>::Pending
        });
        cork.poll(pin!(connection), &mut context()).is_pending()
    }

    fn sent(cork: &Cork<Socket>) -> Vec<u8> {
        cork.0.lock().stream.writes.concat()
    }

    #[test]
    fn what_one_poll_writes_goes_out_with_one_call() {
        let (mut stream, cork) = cork(Socket::default());
        assert!(poll(&cork, &mut stream, &[b"head", b"data", b"end"]));
        assert!(poll(&cork, &mut stream, &[]), "nothing to send is no reason for a call");
        assert!(poll(&cork, &mut stream, &[b"more"]));
        assert_eq!(cork.0.lock().stream.writes, [b"headdataend".to_vec(), b"more".to_vec()]);
    }

    #[test]
    fn nothing_of_http_1_is_held_back() {
        let (mut stream, cork) = cork(Socket { bytes_per_write: 9, ..Socket::default() });
        assert!(matches!(write(&mut stream, b"HTTP/1.1 200 OK"), Poll::Ready(Ok(9))));
        write_all(&mut stream, b"200 OK");
        assert_eq!(sent(&cork), b"HTTP/1.1 200 OK");
        cork.0.lock().stream.writes_until_full = 0;
        assert!(write(&mut stream, b"body").is_pending());
        assert_eq!(cork.0.lock().stream.flushes, 3);
    }

    #[test]
    fn a_socket_that_takes_little_gets_all_in_order() {
        let socket = Socket { bytes_per_write: 3, writes_until_full: 2, ..Socket::default() };
        let (mut stream, cork) = cork(socket);
        assert!(poll(&cork, &mut stream, &[b"0123456789"]));
        assert_eq!(sent(&cork), b"012345");
        assert!(poll(&cork, &mut stream, &[b"ab"]), "what is behind waits, too");
        cork.0.lock().stream.writes_until_full = 9;
        assert!(poll(&cork, &mut stream, &[b"cd"]));
        assert_eq!(sent(&cork), b"0123456789abcd");
    }

    #[test]
    fn who_waits_for_room_in_the_socket_is_woken() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let (near, mut far) = tokio::io::duplex(16);
            let (mut stream, cork) = cork(near);
            let said = [7; 1000];
            let mut has_spoken = false;
            let mut connection = pin!(poll_fn(|context| {
                if !std::mem::replace(&mut has_spoken, true) {
                    assert!(Pin::new(&mut stream).poll_write(context, &said).is_ready());
                }
                Poll::<()>::Pending
            }));
            let mut heard = [0; 1000];
            tokio::select! {
                _ = poll_fn(|context| cork.poll(connection.as_mut(), context)) => panic!("ended"),
                read = timeout(PATIENCE, far.read_exact(&mut heard)) => {
                    read.expect("nobody waits for long").expect("the other end is open");
                }
            }
            assert_eq!(heard, said);
        });
    }

    #[test]
    fn no_more_is_held_than_the_limit() {
        let (mut stream, cork) = cork(Socket::default());
        let (half, large) = ([b'h'; HELD_BYTES_MAX / 2], vec![b'l'; 3 * HELD_BYTES_MAX]);
        cork.0.lock().is_corked = Some(true);
        write_all(&mut stream, &half);
        write_all(&mut stream, &half);
        assert!(sent(&cork).is_empty());
        cork.0.lock().stream.bytes_per_write = HELD_BYTES_MAX;
        assert!(matches!(write(&mut stream, &large), Poll::Ready(Ok(HELD_BYTES_MAX))));
        assert_eq!(sent(&cork), [&half[..], &half, &large[..HELD_BYTES_MAX]].concat());

        // A socket that is full holds up who writes, also after it took a part.
        write_all(&mut stream, &half);
        write_all(&mut stream, &half);
        cork.0.lock().stream =
            Socket { bytes_per_write: 9, writes_until_full: 1, ..Socket::default() };
        assert!(write(&mut stream, &large).is_pending());
        assert!(write(&mut stream, &half).is_pending());
        assert_eq!(cork.0.lock().bytes.len(), HELD_BYTES_MAX);
    }

    #[test]
    fn little_is_kept_of_what_was_needed_once() {
        let (mut stream, cork) = cork(Socket::default());
        assert!(poll(&cork, &mut stream, &[&[0; HELD_BYTES_MAX]]));
        assert!(cork.0.lock().bytes.capacity() <= KEPT_BYTES);
        assert!(poll(&cork, &mut stream, &[b"x"]));
        assert_eq!(cork.0.lock().bytes.capacity(), KEPT_BYTES);
    }

    #[test]
    fn a_shutdown_sends_what_is_held_before() {
        let (mut stream, cork) = cork(Socket { writes_until_full: 0, ..Socket::default() });
        write_all(&mut stream, b"bye");
        assert!(Pin::new(&mut stream).poll_shutdown(&mut context()).is_pending());
        cork.0.lock().stream.writes_until_full = 1;
        assert!(Pin::new(&mut stream).poll_shutdown(&mut context()).is_ready());
        let held = cork.0.lock();
        assert_eq!((held.stream.writes.concat(), held.stream.is_shut), (b"bye".to_vec(), true));
    }

    #[test]
    fn a_connection_ends_by_itself_or_when_its_socket_breaks() {
        let (mut stream, cork) = cork(Socket { is_shut: true, ..Socket::default() });
        let ended = cork.poll(pin!(ready(7)), &mut context());
        assert_eq!(ended, Poll::Ready(Some(7)));
        let waiting = cork.poll(pin!(pending::<u8>()), &mut context());
        assert_eq!(waiting, Poll::Pending, "nothing has shown that it is broken");
        let speaks = poll_fn(|_| {
            write_all(&mut stream, b"to nobody");
            Poll::<u8>::Pending
        });
        assert_eq!(cork.poll(pin!(speaks), &mut context()), Poll::Ready(None));
        let never = poll_fn(|_| -> Poll<u8> { panic!("polled, although it can't be answered") });
        assert_eq!(cork.poll(pin!(never), &mut context()), Poll::Ready(None));
        assert!(matches!(write(&mut stream, &[0; HELD_BYTES_MAX]), Poll::Ready(Err(_))));
    }

    #[test]
    fn a_socket_that_takes_nothing_is_broken() {
        let (mut stream, cork) = cork(Socket { bytes_per_write: 0, ..Socket::default() });
        write_all(&mut stream, b"word");
        assert_eq!(cork.poll(pin!(pending::<u8>()), &mut context()), Poll::Ready(None));
    }
}
