//! Programs that commands start: for each event of a watch, or while a lock is held.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use crate::go::quote::quote;

/// Runs a program with these variables added to its environment, until it ends. Its output is ours.
///
/// # Errors
///
/// It couldn't be started, or ended without success: Go's words for it.
pub(super) async fn run(
    words: &[OsString],
    variables: Vec<(&'static str, OsString)>,
) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).envs(variables);
    // The connection has to stay alive meanwhile.
    let ended = tokio::task::spawn_blocking(move || command.status()).await;
    match ended.map_err(io::Error::other).and_then(|status| status) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(describe(status)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = quote(program.as_encoded_bytes());
            Err(format!("exec: {name}: executable file not found in $PATH"))
        }
        Err(error) => Err(error.to_string()),
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
            async move { run(&words, vec![("RETCD_TEST", "1".into())]).await }
        };
        assert_eq!(end(&["sh", "-c", "test \"$RETCD_TEST\" = 1"]).await, Ok(()));
        assert_eq!(end(&["sh", "-c", "exit 3"]).await, Err("exit status 3".to_owned()));
        assert_eq!(end(&["sh", "-c", "kill -9 $$"]).await, Err("signal: killed".to_owned()));
        assert_eq!(
            end(&["no-such-program"]).await,
            Err("exec: \"no-such-program\": executable file not found in $PATH".to_owned())
        );
    }
}
