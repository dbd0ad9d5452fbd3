//! The network threads.

use super::connection::{Answerer, ConnectionOptions, serve};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Threads that may wait for a disk read or a long scan, for each network thread.
const READERS_MAX: usize = 16;

/// Network threads, each with a runtime of its own.
pub(crate) struct NetworkThreads {
    threads: Vec<NetworkThread>,
    next: Arc<AtomicUsize>,
    closing: watch::Sender<bool>,
}

struct NetworkThread {
    handle: Handle,
    sockets: mpsc::UnboundedSender<Socket>,
    joined: JoinHandle<()>,
}

type Socket = Box<dyn FnOnce(watch::Receiver<bool>) -> Connection + Send>;
type Connection = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a listener serves.
pub(crate) struct Served<A> {
    /// The bound socket.
    pub(crate) listener: TcpListener,
    /// Who answers.
    pub(crate) answerer: A,
    /// How its connections are kept.
    pub(crate) options: ConnectionOptions,
}

impl NetworkThreads {
    /// Starts `count` threads. `enter` runs on each before anything else.
    pub(crate) fn start(
        count: usize,
        enter: impl Fn(usize) + Send + Clone + 'static,
    ) -> io::Result<NetworkThreads> {
        let (closing, _) = watch::channel(false);
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (sockets, incoming) = mpsc::unbounded_channel();
            let (sender, receiver) = std::sync::mpsc::channel();
            let closing = closing.subscribe();
            let enter = enter.clone();
            let joined =
                std::thread::Builder::new().name(format!("net-{number}")).spawn(move || {
                    let runtime = Builder::new_current_thread()
                        .enable_all()
                        .max_blocking_threads(READERS_MAX)
                        .build();
                    match runtime {
                        Ok(runtime) => {
                            enter(number);
                            let _ = sender.send(Ok(runtime.handle().clone()));
                            runtime.block_on(run(incoming, closing));
                        }
                        Err(error) => {
                            let _ = sender.send(Err(error));
                        }
                    }
                })?;
            let handle = receiver.recv().map_err(|_| io::Error::other("a thread died"))??;
            threads.push(NetworkThread { handle, sockets, joined });
        }
        Ok(NetworkThreads { threads, next: Arc::default(), closing })
    }

    /// A runtime for tasks that belong to no connection.
    pub(crate) fn handle(&self, number: usize) -> &Handle {
        &self.threads[number % self.threads.len()].handle
    }

    /// Accepts connections from now on and deals them out.
    pub(crate) fn serve<A: Answerer>(&self, served: Served<A>) -> io::Result<()> {
        let sockets: Vec<_> = self.threads.iter().map(|thread| thread.sockets.clone()).collect();
        let next = self.next.clone();
        let mut closing = self.closing.subscribe();
        let answerer = Arc::new(served.answerer);
        let (ready, bound) = std::sync::mpsc::channel();
        self.handle(0).spawn(async move {
            let listener = match tokio::net::TcpListener::from_std(served.listener) {
                Ok(listener) => listener,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok(()));
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = closing.wait_for(|&closing| closing) => return,
                };
                let Some(stream) = prepared(accepted).await else { continue };
                let (answerer, options) = (Arc::clone(&answerer), served.options.clone());
                let socket: Socket = Box::new(move |closing| {
                    Box::pin(async move {
                        if let Ok(stream) = TcpStream::from_std(stream) {
                            serve(stream, answerer, options, closing).await;
                        }
                    })
                });
                let number = next.fetch_add(1, Ordering::Relaxed) % sockets.len();
                // A thread that is gone is shutting down.
                let _ = sockets[number].send(socket);
            }
        });
        bound.recv().map_err(|_| io::Error::other("the network thread died"))?
    }

    /// Stops accepting, lets requests under way end within their grace, and ends the threads.
    pub(crate) fn stop(self) {
        self.closing.send_replace(true);
        for thread in self.threads {
            drop(thread.sockets);
            // A panic of a network thread was reported when it happened.
            let _ = thread.joined.join();
        }
    }

    /// Turns true when the server stops.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }
}

/// Takes a socket out of the accepting runtime. After an error of the system (out of descriptors,
/// a client that is gone already) the next one gets its chance a little later.
async fn prepared(
    accepted: io::Result<(TcpStream, std::net::SocketAddr)>,
) -> Option<std::net::TcpStream> {
    match accepted.and_then(|(stream, _)| {
        stream.set_nodelay(true)?;
        stream.into_std()
    }) {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            None
        }
    }
}

/// Runs a thread's connections until the server stops and they are done.
async fn run(mut sockets: mpsc::UnboundedReceiver<Socket>, closing: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut stop = closing.clone();
    loop {
        tokio::select! {
            socket = sockets.recv() => match socket {
                Some(socket) => { connections.spawn(socket(closing.clone())); }
                None => break,
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
            _ = stop.wait_for(|&closing| closing) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}
