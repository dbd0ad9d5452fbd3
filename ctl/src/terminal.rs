//! Questions to the person at the terminal: passwords, which aren't shown while they are typed.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Outcome;
use crate::interrupt;

/// Prints `prompt` on standard output and reads a line from standard input. On a terminal it isn't
/// shown. The end of the input is an empty line.
pub(crate) fn ask_secretly(prompt: &str) -> Outcome<String> {
    let mut out = io::stdout();
    // Before the prompt: what is typed at once mustn't be seen either.
    let hidden = Hidden::begin();
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    drop(hidden);
    writeln!(out)?;
    read?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// The terminal doesn't show what is typed as long as this lives. A signal that ends the program
/// meanwhile makes it show again first.
struct Hidden(Arc<Mutex<Option<Termios>>>);

impl Hidden {
    /// `None` if standard input isn't a terminal.
    fn begin() -> Option<Self> {
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let hidden = Self(Arc::new(Mutex::new(Some(before))));
        let mut signals = Signals::new([SIGINT, SIGTERM]).ok()?;
        let for_signals = Self(hidden.0.clone());
        thread::spawn(move || {
            for signal in signals.forever() {
                for_signals.end();
                if !interrupt::is_awaited() {
                    let _ = emulate_default_handler(signal);
                }
            }
        });
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &silent).ok()?;
        Some(hidden)
    }

    /// If the terminal is gone there is nothing to restore.
    fn end(&self) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.end();
    }
}
