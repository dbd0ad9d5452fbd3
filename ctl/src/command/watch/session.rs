//! All watches of one run: they share a stream, and outlive it.
//!
//! 1. Watches are created one after the other: a member tells their ids in this order.
//! 2. Each remembers the revision behind the last one that it has seen.
//! 3. If the stream breaks, another one is opened, maybe to another member, and each watch is
//!    created again from there: no event is lost or told twice.

use std::ffi::OsString;
use std::io::BufRead;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use retcd_api::Error;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Line;
use super::arguments::{KeyVariables, Mistake};
use super::reaction::react;
use super::stream::{Stream, is_worth_retrying};
use crate::app::Session;
use crate::cli::{mistake, parse_words};
use crate::client::{CallError, Deadline};
use crate::failure::{Failure, Outcome, code};
use crate::go::scan;
use crate::output::Watched;

/// How long to wait before a broken stream is opened again.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// How long the answer to a last `progress` is waited for when the input has ended.
const LAST_PROGRESS: Duration = Duration::from_secs(1);

/// The id of a response that is for all watches.
const EVERYBODY: i64 = -1;

/// Watches, their stream, and where to print.
pub(super) struct WatchSession {
    session: Session,
    stream: Option<Stream>,
    watches: Vec<One>,
    awaits_progress: bool,
    /// Whether a stream broke and the one after it hasn't said anything yet.
    is_resuming: bool,
}

/// A watch.
struct One {
    /// How to create it, again if need be.
    request: WatchCreateRequest,
    /// The member's name for it, once it has one.
    id: Option<i64>,
    program: Vec<OsString>,
}

impl WatchSession {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            stream: None,
            watches: Vec::new(),
            awaits_progress: false,
            is_resuming: false,
        }
    }

    /// Begins one more watch.
    pub(super) fn add(&mut self, request: WatchCreateRequest, program: Vec<OsString>) {
        let is_first_pending = !self.has_pending();
        self.watches.push(One { request, id: None, program });
        // Without a stream, the wait for a response opens one.
        if is_first_pending {
            self.create_pending();
        }
    }

    /// Prints what happens until no watch is left.
    pub(super) async fn run(&mut self) -> Outcome {
        while !self.watches.is_empty() {
            let response = self.next().await;
            self.take(response).await?;
        }
        Ok(())
    }

    /// Reads watches from standard input, and prints what happens meanwhile.
    pub(super) async fn read_lines(&mut self, variables: &KeyVariables) -> Outcome {
        let mut lines = standard_input();
        loop {
            // The next watch waits until the one before it is there.
            let may_read = !self.has_pending();
            tokio::select! {
                line = lines.recv(), if may_read => match line {
                    Some(line) => self.take_line(&line, variables).await?,
                    None => return Err(self.end_of_lines().await?),
                },
                response = self.next(), if !self.watches.is_empty() => {
                    self.take(response).await?;
                }
            }
        }
    }

    /// What was asked for last is still answered.
    async fn end_of_lines(&mut self) -> Outcome<Failure> {
        let deadline = Deadline::after(LAST_PROGRESS);
        while self.awaits_progress {
            match deadline.limit(self.next()).await {
                Ok(response) => self.take(response).await?,
                Err(_) => break,
            }
        }
        let message = "error reading watch request line: EOF";
        Ok(Failure::new(code::INVALID_INPUT, message))
    }

    async fn take_line(&mut self, line: &[u8], variables: &KeyVariables) -> Outcome {
        let line = String::from_utf8_lossy(line);
        let words = scan::words(&line).map_err(|e| Failure::new(code::INVALID_INPUT, e))?;
        let Some((first, rest)) = words.split_first() else {
            eprintln!("Invalid command: {line} (watch and progress supported)");
            return Ok(());
        };
        match &first[..] {
            b"watch" if rest.is_empty() && variables.is_empty() => {
                eprintln!("Invalid command {line} (command type or key is not provided)");
            }
            b"watch" => {
                let ends_with_separator = rest.last().is_some_and(|last| last == b"--");
                let words: Vec<_> = rest.iter().cloned().map(OsString::from_vec).collect();
                let parsed = parse_words::<Line>(words.clone())
                    .map_err(|error| Failure::bad_arguments(mistake(&error, &words)))?;
                let watch = parsed.watch;
                let has_bare_separator = watch.program.is_empty() && ends_with_separator;
                match watch.request(variables, has_bare_separator) {
                    Ok(request) => self.add(request, watch.program),
                    Err(Mistake::Line(text)) => return Err(Failure::bad_arguments(text)),
                    Err(Mistake::Watch(text)) => eprintln!("Invalid command {line} ({text})"),
                }
            }
            b"progress" => {
                if let Some(stream) = &self.stream {
                    stream.ask_progress();
                    self.awaits_progress = !self.watches.is_empty();
                }
            }
            _ => eprintln!("Invalid command {line} (only support watch)"),
        }
        Ok(())
    }

    fn has_pending(&self) -> bool {
        self.watches.iter().any(|watch| watch.id.is_none())
    }

    /// Asks for the first watch that the member doesn't have yet.
    fn create_pending(&self) {
        let pending = self.watches.iter().find(|watch| watch.id.is_none());
        if let (Some(stream), Some(watch)) = (&self.stream, pending) {
            stream.create(watch.request.clone());
        }
    }

    /// The next response, on a new stream if there is none. Whoever stops waiting loses none.
    async fn next(&mut self) -> Result<WatchResponse, CallError> {
        loop {
            let answer = self.receive().await;
            let Err(error) = &answer else {
                self.is_resuming = false;
                return answer;
            };
            // A member that has just started may have no leader yet. In the middle of a stream it
            // is told, as etcd's client does.
            let may_get_leader = self.is_resuming && error.is(&Error::NoLeader);
            if !may_get_leader && !is_worth_retrying(error) {
                return answer;
            }
            self.stream = None;
            self.is_resuming = true;
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    async fn receive(&mut self) -> Result<WatchResponse, CallError> {
        if self.stream.is_none() {
            self.watches.iter_mut().for_each(|watch| watch.id = None);
            let first = self.watches.first().map(|watch| watch.request.clone());
            let first = first.expect("responses are awaited for watches only");
            self.stream = Some(Stream::open(&self.session.client, first).await?);
        }
        let stream = self.stream.as_mut().expect("it was opened above");
        stream.next().await
    }

    /// Does what a response asks for.
    async fn take(&mut self, response: Result<WatchResponse, CallError>) -> Outcome {
        match response {
            Err(error) => {
                self.stream = None;
                for watch in std::mem::take(&mut self.watches) {
                    self.end(&watch, &error.to_string()).await?;
                }
                Ok(())
            }
            Ok(response) if response.created => self.take_created(response).await,
            Ok(response) if response.watch_id == EVERYBODY => {
                self.awaits_progress = false;
                let numbers: Vec<usize> = (0..self.watches.len()).collect();
                self.tell(&numbers, response).await
            }
            Ok(response) => {
                let id = response.watch_id;
                let found = self.watches.iter().position(|watch| watch.id == Some(id));
                let Some(number) = found else { return Ok(()) };
                if !response.canceled {
                    return self.tell(&[number], response).await;
                }
                let watch = self.watches.remove(number);
                // etcd's client says nothing of a watch that ends for another reason.
                if response.compact_revision == 0 {
                    return Ok(());
                }
                eprintln!("watch was canceled ({})", Error::Compacted);
                react(&mut self.session, &response.into(), &watch.program).await
            }
        }
    }

    /// The first watch without an id gets one, or is refused.
    async fn take_created(&mut self, response: WatchResponse) -> Outcome {
        let Some(number) = self.watches.iter().position(|watch| watch.id.is_none()) else {
            return Ok(());
        };
        let is_refused = response.canceled && !response.cancel_reason.is_empty();
        if is_refused || response.watch_id == EVERYBODY {
            let watch = self.watches.remove(number);
            self.end(&watch, &response.cancel_reason).await?;
        } else {
            let watch = &mut self.watches[number];
            watch.id = Some(response.watch_id);
            if watch.request.start_revision == 0 {
                let now = response.header.map_or(0, |header| header.revision);
                watch.request.start_revision = now + 1;
            }
        }
        self.create_pending();
        Ok(())
    }

    /// A watch that ends without a response of its own.
    async fn end(&mut self, watch: &One, reason: &str) -> Outcome {
        eprintln!("watch was canceled ({reason})");
        react(&mut self.session, &Watched::broken(), &watch.program).await
    }

    /// A response for the watches with these numbers.
    async fn tell(&mut self, numbers: &[usize], response: WatchResponse) -> Outcome {
        let watched = Watched::from(response);
        let last = watched.events().last().and_then(|event| event.kv.as_ref());
        let seen = last.map_or(watched.header.revision, |pair| pair.mod_revision);
        for number in numbers {
            let watch = &mut self.watches[*number];
            watch.request.start_revision = watch.request.start_revision.max(seen + 1);
            react(&mut self.session, &watched, &watch.program).await?;
        }
        Ok(())
    }
}

/// Lines of standard input without their ends, read by a thread of their own. A last line without
/// an end isn't one.
fn standard_input() -> UnboundedReceiver<Vec<u8>> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok() && line.pop() == Some(b'\n') {
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    receiver
}
