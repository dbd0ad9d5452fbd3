//! What happens for each response: it is printed, and the program runs for each event.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use retcd_api::mvccpb::Event;

use crate::app::Session;
use crate::command::exec;
use crate::failure::{Failure, Outcome, code};
use crate::go::quote;
use crate::output::Watched;

/// Prints a response and runs `program` for its events.
pub(super) async fn react(
    session: &mut Session,
    watched: &Watched,
    program: &[OsString],
) -> Outcome {
    if is_progress(watched) {
        session.printer.say(&format!("progress notify: {}", watched.header.revision))?;
    }
    session.printer.print(watched)?;
    if program.is_empty() {
        return Ok(());
    }
    for event in watched.events() {
        let variables = variables(watched.header.revision, event);
        exec::run(program, variables).await.map_err(|error| {
            let words: Vec<String> =
                program.iter().map(|word| quote(word.as_encoded_bytes())).collect();
            let text = format!("command [{}] error ({error})\n", words.join(" "));
            Failure::plain(code::ERROR, text)
        })?;
    }
    Ok(())
}

fn is_progress(watched: &Watched) -> bool {
    let has_more = watched.canceled || watched.created || watched.compact_revision != 0;
    watched.events().is_empty() && !has_more && watched.header.revision != 0
}

fn variables(revision: i64, event: &Event) -> Vec<(&'static str, OsString)> {
    let pair = event.kv.clone().unwrap_or_default();
    let text = |bytes: &[u8]| OsString::from_vec(quote(bytes).into_bytes());
    vec![
        ("ETCD_WATCH_REVISION", revision.to_string().into()),
        ("ETCD_WATCH_EVENT_TYPE", text(event.r#type().as_str_name().as_bytes())),
        ("ETCD_WATCH_KEY", text(&pair.key)),
        ("ETCD_WATCH_VALUE", text(&pair.value)),
    ]
}
