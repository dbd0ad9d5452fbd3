//! The connection in use, and the search for another one.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tonic::transport::Channel;

use super::Settings;
use super::dial::Dialer;
use crate::go::log;

/// How long to wait after a round in which no endpoint could be reached: twice as long each time,
/// from the first to the second.
const ROUND_DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Endpoints, and which of them is connected.
pub(super) struct Pool {
    dialer: Dialer,
    tells: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The endpoint's number and the connection to it.
    connected: Option<(usize, Channel)>,
    /// The endpoint to try first when there is none.
    next: usize,
    last_error: Option<String>,
}

impl Pool {
    pub(super) fn new(settings: &Settings) -> Self {
        let tells = settings.tells_connections;
        Self { dialer: Dialer::new(settings), tells, state: Mutex::default() }
    }

    /// The connection and its endpoint's number. Searches for one as long as the caller waits.
    pub(super) async fn connection(&self) -> (usize, Channel) {
        if let Some(connected) = self.state().connected.clone() {
            return connected;
        }
        let mut delay = ROUND_DELAYS.0;
        loop {
            for _ in 0..self.dialer.endpoints.len() {
                let number = self.state().next;
                self.tell("connecting", number, &[]);
                match self.dialer.connect(number).await {
                    Ok(channel) => {
                        self.tell("connected", number, &[]);
                        let connected = (number, channel);
                        self.state().connected = Some(connected.clone());
                        return connected;
                    }
                    Err(error) => {
                        self.tell("can't connect", number, &[("error", &error)]);
                        let text = format!("{}: {error}", self.dialer.endpoints[number].text);
                        self.state().last_error = Some(text);
                        self.skip(number);
                    }
                }
            }
            tokio::time::sleep(delay).await;
            delay = ROUND_DELAYS.1.min(delay * 2);
        }
    }

    /// Gives up the connection to an endpoint, and begins the next search behind it.
    pub(super) fn leave(&self, number: usize) {
        let mut state = self.state();
        let is_connected = |(connected, _): &(usize, Channel)| *connected == number;
        if state.connected.take_if(|connected| is_connected(connected)).is_some() {
            self.tell("leaving an endpoint that can't serve", number, &[]);
        }
        drop(state);
        self.skip(number);
    }

    /// What went wrong with the endpoint that was tried last.
    pub(super) fn last_error(&self) -> Option<String> {
        self.state().last_error.clone()
    }

    /// A line for whoever looks for why an endpoint isn't used.
    fn tell(&self, message: &str, number: usize, fields: &[(&str, &str)]) {
        if self.tells {
            let endpoint = [("endpoint", self.dialer.endpoints[number].text.as_str())];
            log::write("debug", message, &[&endpoint, fields].concat());
        }
    }

    fn skip(&self, number: usize) {
        self.state().next = (number + 1) % self.dialer.endpoints.len();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}
