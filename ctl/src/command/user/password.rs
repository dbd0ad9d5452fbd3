//! `user passwd`, and where passwords come from.

use std::ffi::OsString;
use std::io::{self, BufRead};

use clap::Args;
use retcd_api::etcdserverpb::AuthUserChangePasswordRequest;

use super::user_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Told;
use crate::terminal;

const PASSWD_EXAMPLES: &str = "Examples:
  etcdctl user passwd alice
  echo \"$SECRET\" | etcdctl user passwd alice --interactive=false";

/// Change a user's password
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user passwd [OPTIONS] NAME")]
#[command(after_help = PASSWD_EXAMPLES)]
pub(super) struct Passwd {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Ask for the password; if false, read it from standard input
    #[arg(long, default_value_t = true)]
    interactive: bool,
}

impl Passwd {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let name = user_name(&self.args, "passwd")?;
        let password = Source::new(self.interactive).read(&name)?;
        let mut session = app.session().await?;
        let request = AuthUserChangePasswordRequest {
            name,
            password,
            ..AuthUserChangePasswordRequest::default()
        };
        let response = session.client.call(request, Deadline::NEVER).await;
        let response = response.map_err(Failure::error)?;
        session.printer.print(&Told::new("Password updated", response))
    }
}

/// Where a password comes from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The person at the terminal, asked twice.
    Person,
    /// The first word of standard input's first line.
    Input,
}

impl Source {
    /// What `--interactive` says.
    pub(super) fn new(is_interactive: bool) -> Self {
        if is_interactive { Self::Person } else { Self::Input }
    }

    /// The password for a user.
    pub(super) fn read(self, name: &str) -> Outcome<String> {
        match self {
            Self::Person => ask(name),
            Self::Input => Ok(first_word(&mut io::stdin().lock())?),
        }
    }
}

fn ask(name: &str) -> Outcome<String> {
    let password = terminal::ask_secretly(&format!("Password of {name}: "))?;
    if password.is_empty() {
        return Err(Failure::bad_arguments("empty password"));
    }
    let again = format!("Type password of {name} again for confirmation: ");
    if terminal::ask_secretly(&again)? != password {
        return Err(Failure::bad_arguments("given passwords are different"));
    }
    Ok(password)
}

fn first_word(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::first_word;

    #[test]
    fn a_password_is_the_first_word_of_the_first_line() {
        for (input, password) in [("pw\n", "pw"), ("  pw rest", "pw"), ("\npw\n", ""), ("", "")] {
            assert_eq!(first_word(&mut input.as_bytes()).expect("it is text"), password);
        }
    }
}
