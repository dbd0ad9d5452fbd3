//! Programs that commands start: for each event of a watch, or while a lock is held.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::code;
use crate::go::quote;

/// Why a program couldn't be started, or how it ended if without success.
#[derive(Debug)]
pub(super) struct Unsuccessful {
    text: String,
    /// Its exit code, or one that stands for what happened.
    pub(super) code: u8,
}

/// Go's words for it.
impl fmt::Display for Unsuccessful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Runs a program with these variables added to its environment, until it ends. Its output is ours,
/// and it has no input.
pub(super) async fn run(
    words: &[OsString],
    variables: Vec<(&'static str, OsString)>,
) -> Result<(), Unsuccessful> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).envs(variables).stdin(Stdio::null());
    // The connection has to stay alive meanwhile.
    let ended = tokio::task::spawn_blocking(move || command.status()).await;
    match ended.map_err(io::Error::other).and_then(|status| status) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            // What a signal has ended has no code of its own.
            let code = status.code().map_or(u8::MAX, |code| code as u8);
            Err(Unsuccessful { text: describe(status), code })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = quote(program.as_encoded_bytes());
            let text = format!("exec: {name}: executable file not found in $PATH");
            Err(Unsuccessful { text, code: code::ERROR })
        }
        Err(error) => Err(Unsuccessful { text: error.to_string(), code: code::ERROR }),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {}", signal_name(signal)),
        (None, None) => "not started".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        6 => "aborted",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::run;

    #[tokio::test]
    async fn ends_are_told_in_gos_words() {
        let end = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(Into::into).collect();
            async move {
                let ended = run(&words, vec![("RETCD_TEST", "1".into())]).await;
                ended.map_err(|end| (end.to_string(), end.code))
            }
        };
        let unsuccessful = |text: &str, code| Err((text.to_owned(), code));
        assert_eq!(end(&["sh", "-c", "test \"$RETCD_TEST\" = 1"]).await, Ok(()));
        assert_eq!(end(&["sh", "-c", "exit 3"]).await, unsuccessful("exit status 3", 3));
        assert_eq!(end(&["sh", "-c", "kill -9 $$"]).await, unsuccessful("signal: killed", 255));
        assert_eq!(
            end(&["no-such-program"]).await,
            unsuccessful("exec: \"no-such-program\": executable file not found in $PATH", 1)
        );
    }
}
