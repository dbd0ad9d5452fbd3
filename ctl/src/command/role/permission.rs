//! `role grant-permission` and `role revoke-permission`.

use std::ffi::{OsStr, OsString};

use bytes::Bytes;
use clap::Args;
use retcd_api::authpb::Permission;
use retcd_api::authpb::permission::Type;
use retcd_api::etcdserverpb::{AuthRoleGrantPermissionRequest, AuthRoleRevokePermissionRequest};

use crate::app::App;
use crate::client::Deadline;
use crate::command::keys::{KeyRange, bytes, prefix};
use crate::failure::{Failure, Outcome};
use crate::output::Told;

/// The smallest key; as a range's end: there is none.
const ZERO: Bytes = Bytes::from_static(b"\0");

const EXAMPLES: &str = "Examples:
  etcdctl role grant-permission app readwrite app/ --prefix
  etcdctl role grant-permission app read config
  etcdctl role grant-permission app read a m        all keys from a up to m, m excluded";

/// Let a role read keys, write them, or both
#[derive(Args, Debug)]
#[command(
    override_usage = "\
etcdctl role grant-permission [OPTIONS] ROLE read|write|readwrite KEY [RANGE_END]",
    after_help = EXAMPLES
)]
pub(super) struct Grant {
    #[arg(hide = true)]
    args: Vec<OsString>,
    #[command(flatten)]
    flags: Flags,
}

/// Take back what a role may do with keys; they are named as when it was given
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl role revoke-permission [OPTIONS] ROLE KEY [RANGE_END]")]
#[command(after_help = "Example:\n  etcdctl role revoke-permission reader app/ --prefix")]
pub(super) struct Revoke {
    #[arg(hide = true)]
    args: Vec<OsString>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Args, Clone, Copy, Debug)]
struct Flags {
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    /// KEY and all keys behind it
    #[arg(long)]
    from_key: bool,
}

impl Grant {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [role, kind, key, rest @ ..] = &self.args[..] else {
            return Err(Failure::bad_arguments(
                "role grant command requires role name, permission type, and key [endkey] as its \
                 argument",
            ));
        };
        let kind = kind.to_string_lossy();
        let Some(perm_type) = Type::from_str_name(&kind.to_uppercase()) else {
            return Err(Failure::bad_arguments(format!("invalid permission type: {kind}")));
        };
        let range = self.flags.range(key, rest)?;
        let mut session = app.session().await?;
        let name = role.to_string_lossy().into_owned();
        let text = format!("Role {name} updated");
        let perm_type = perm_type.into();
        let perm = Permission { perm_type, key: range.key, range_end: range.end };
        let request = AuthRoleGrantPermissionRequest { name, perm: Some(perm) };
        let response = session.client.call(request, Deadline::NEVER).await;
        session.printer.print(&Told::new(text, response.map_err(Failure::error)?))
    }
}

impl Revoke {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [role, key, rest @ ..] = &self.args[..] else {
            return Err(Failure::bad_arguments(
                "role revoke-permission command requires role name and key [endkey] as its \
                 argument",
            ));
        };
        let range = self.flags.range(key, rest)?;
        let mut session = app.session().await?;
        let role = role.to_string_lossy().into_owned();
        let text = told(&role, &key.to_string_lossy(), &range.end);
        let request =
            AuthRoleRevokePermissionRequest { role, key: range.key, range_end: range.end };
        let response = session.client.call(request, Deadline::NEVER).await;
        session.printer.print(&Told::new(text, response.map_err(Failure::error)?))
    }
}

/// What was taken back; the key is the argument, not what it stands for.
fn told(role: &str, key: &str, end: &Bytes) -> String {
    if end.is_empty() {
        return format!("Permission of key {key} is revoked from role {role}");
    }
    let end = if *end == ZERO {
        "<open ended>".to_owned()
    } else {
        format!("{})", String::from_utf8_lossy(end))
    };
    format!("Permission of range [{key}, {end} is revoked from role {role}")
}

impl Flags {
    /// The keys that are meant. An empty key stands for the smallest one.
    fn range(self, key: &OsStr, rest: &[OsString]) -> Outcome<KeyRange> {
        let Self { prefix: is_prefix, from_key } = self;
        let refuse = |text| Err(Failure::bad_arguments(text));
        if is_prefix && from_key && (key.is_empty() || rest.is_empty()) {
            return refuse("--from-key and --prefix flags are mutually exclusive");
        }
        let key = bytes(key);
        if key.is_empty() {
            let end = if is_prefix || from_key { ZERO } else { Bytes::new() };
            return Ok(KeyRange { key: ZERO, end });
        }
        let end = match rest.first() {
            Some(_) if is_prefix => {
                return refuse("unexpected endkey argument with --prefix flag");
            }
            Some(_) if from_key => {
                return refuse("unexpected endkey argument with --from-key flag");
            }
            Some(end) => bytes(end),
            None if is_prefix => prefix(key.clone()).end,
            None if from_key => ZERO,
            None => Bytes::new(),
        };
        Ok(KeyRange { key, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(prefix: bool, from_key: bool, args: &[&str]) -> Outcome<(Vec<u8>, Vec<u8>)> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let range = Flags { prefix, from_key }.range(&args[0], &args[1..])?;
        Ok((range.key.to_vec(), range.end.to_vec()))
    }

    #[test]
    fn flags_and_arguments_say_which_keys_are_meant() {
        for (prefix, from_key, args, key, end) in [
            (false, false, &["k"][..], "k", ""),
            (false, false, &["a", "z"], "a", "z"),
            (true, false, &["pfx"], "pfx", "pfy"),
            (false, true, &["fk"], "fk", "\0"),
            (true, false, &[""], "\0", "\0"),
            (false, false, &["", "z"], "\0", ""),
        ] {
            let found = range(prefix, from_key, args).expect("it can be");
            assert_eq!(found, (key.into(), end.into()), "{args:?}");
        }
        for (prefix, from_key, args, message) in [
            (true, true, &["k"][..], "--from-key and --prefix flags are mutually exclusive"),
            (true, false, &["a", "z"], "unexpected endkey argument with --prefix flag"),
            (false, true, &["a", "z"], "unexpected endkey argument with --from-key flag"),
        ] {
            let refused = range(prefix, from_key, args).expect_err("it can't be");
            assert_eq!(refused.text(), format!("Error: {message}\n"));
        }
    }

    #[test]
    fn what_is_taken_back_is_told_in_etcds_words() {
        let text = |key, end: &'static str| told("r1", key, &Bytes::from(end));
        assert_eq!(text("k1", ""), "Permission of key k1 is revoked from role r1");
        assert_eq!(text("a", "z"), "Permission of range [a, z) is revoked from role r1");
        assert_eq!(text("", "\0"), "Permission of range [, <open ended> is revoked from role r1");
    }
}
