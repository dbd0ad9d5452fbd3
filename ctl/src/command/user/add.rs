//! `user add`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::authpb::UserAddOptions;
use retcd_api::etcdserverpb::AuthUserAddRequest;

use super::password::Source;
use super::user_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

const EXAMPLES: &str = "Without a password on the line it is asked for.

Examples:
  etcdctl user add alice
  etcdctl user add alice --interactive=false < password.txt
  etcdctl user add service --no-password    known by the name in its certificate";

/// Add a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user add [OPTIONS] NAME[:PASSWORD]", after_help = EXAMPLES)]
pub(super) struct Add {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Ask for the password; if false, read it from standard input
    #[arg(long, default_value_t = true)]
    interactive: bool,
    /// The password
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PASSWORD")]
    new_user_password: String,
    /// No password: the user is known by the common name of a certificate
    #[arg(long)]
    no_password: bool,
}

impl Add {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let (name, password) = self.name_and_password()?;
        let mut session = app.session().await?;
        let request = AuthUserAddRequest {
            name: name.clone(),
            password,
            options: Some(UserAddOptions { no_password: self.no_password }),
            ..AuthUserAddRequest::default()
        };
        let response = session.client.call(request, Deadline::NEVER).await;
        let response = response.map_err(Failure::error)?;
        session.printer.print(&Told::new(format!("User {name} created"), response))
    }

    fn name_and_password(&self) -> Outcome<(String, String)> {
        let name = user_name(&self.args, "add")?;
        if self.no_password {
            return Ok((name, String::new()));
        }
        if !self.new_user_password.is_empty() {
            return Ok((name, self.new_user_password.clone()));
        }
        if let Some((name, password)) = name.split_once(':') {
            if name.is_empty() {
                return Err(Failure::bad_arguments("empty user name is not allowed"));
            }
            return Ok((name.to_owned(), password.to_owned()));
        }
        let password = Source::new(self.interactive).read(&name)?;
        Ok((name, password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(name: &str, new_user_password: &str) -> Add {
        Add {
            args: vec![name.into()],
            interactive: true,
            new_user_password: new_user_password.to_owned(),
            no_password: false,
        }
    }

    #[test]
    fn a_password_stands_in_a_flag_or_behind_the_name() {
        let given = |add: Add| add.name_and_password().expect("both are there");
        let pair = |name: &str, password: &str| (name.to_owned(), password.to_owned());
        assert_eq!(given(add("alice:p:w", "")), pair("alice", "p:w"));
        assert_eq!(given(add("alice:pw", "flag")), pair("alice:pw", "flag"));
        assert_eq!(given(Add { no_password: true, ..add("a:b", "") }), pair("a:b", ""));
        let refused = add(":pw", "").name_and_password().expect_err("there is no name");
        assert_eq!(refused.text(), "Error: empty user name is not allowed\n");
        assert_eq!(refused.code(), 128);
    }
}
