//! Commands that take no arguments and print one answer: `user list`, `role list`.

use std::ffi::OsString;

use crate::app::App;
use crate::client::{Deadline, Unary};
use crate::failure::{Failure, Outcome};
use crate::output::Show;

/// Sends a request and prints what comes back, for the command called `name`.
pub(super) async fn print<R>(app: &mut App, name: &str, args: &[OsString], request: R) -> Outcome
where
    R: Unary,
    R::Response: Show,
{
    if !args.is_empty() {
        return Err(Failure::bad_arguments(format!("{name} command requires no arguments")));
    }
    let mut session = app.session().await?;
    let response = session.client.call(request, Deadline::NEVER).await;
    session.printer.print(&response.map_err(Failure::error)?)
}
