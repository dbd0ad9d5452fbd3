//! Users, roles, and whether authentication is on: what is stored of them.
//!
//! They come with a state that etcd wrote, are kept as they are, and go out again with the
//! database that etcd's tools read. This version doesn't judge anybody by them: whoever would serve
//! a state in which authentication is on has to refuse that, see [`Store::is_auth_enabled`].

use bytes::Bytes;
use prost::Message;
use retcd_api::authpb;

use crate::Store;

/// Under this name one byte says whether authentication is on.
pub(crate) const AUTH_ENABLED_NAME: &[u8] = b"auth/enabled";
/// Under this name lies the revision of users and roles, u64 BE.
pub(crate) const AUTH_REVISION_NAME: &[u8] = b"auth/revision";
/// What the names of users begin with; the user's name follows.
pub(crate) const AUTH_USER_PREFIX: &[u8] = b"auth-user/";
/// What the names of roles begin with; the role's name follows.
pub(crate) const AUTH_ROLE_PREFIX: &[u8] = b"auth-role/";

/// The revision of users and roles that were never touched.
pub(crate) const FIRST_AUTH_REVISION: u64 = 1;

/// One stored item of authentication.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthItem {
    /// Whether it is on.
    Enabled(bool),
    /// Counts changes of users and roles.
    Revision(u64),
    /// A user.
    User(authpb::User),
    /// A role.
    Role(authpb::Role),
}

impl AuthItem {
    /// The name under which it is stored, and its value.
    pub(crate) fn to_meta(&self) -> (Bytes, Bytes) {
        let under = |prefix: &[u8], name: &[u8]| Bytes::from([prefix, name].concat());
        match self {
            AuthItem::Enabled(is_on) => {
                (Bytes::from_static(AUTH_ENABLED_NAME), Bytes::from(vec![u8::from(*is_on)]))
            }
            AuthItem::Revision(revision) => {
                let value = revision.to_be_bytes().to_vec();
                (Bytes::from_static(AUTH_REVISION_NAME), value.into())
            }
            AuthItem::User(user) => {
                (under(AUTH_USER_PREFIX, &user.name), user.encode_to_vec().into())
            }
            AuthItem::Role(role) => {
                (under(AUTH_ROLE_PREFIX, &role.name), role.encode_to_vec().into())
            }
        }
    }

    /// Reads a stored item; `None` if the name isn't one of these.
    ///
    /// # Errors
    ///
    /// What is wrong with its value.
    pub(crate) fn parse(name: &[u8], value: &Bytes) -> Option<Result<AuthItem, &'static str>> {
        if let Some(user) = name.strip_prefix(AUTH_USER_PREFIX) {
            return Some(user_of(user, value));
        }
        if let Some(role) = name.strip_prefix(AUTH_ROLE_PREFIX) {
            return Some(role_of(role, value));
        }
        match name {
            AUTH_ENABLED_NAME => Some(enabled_of(value)),
            AUTH_REVISION_NAME => Some(revision_of(value)),
            _ => None,
        }
    }

    /// Reads an entry of one of etcd's three buckets; `Ok(None)` for a key that means nothing here.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn of_etcds(
        bucket: &str,
        key: &[u8],
        value: &Bytes,
    ) -> Result<Option<AuthItem>, &'static str> {
        match (bucket, key) {
            ("authUsers", name) => user_of(name, value).map(Some),
            ("authRoles", name) => role_of(name, value).map(Some),
            ("auth", b"authEnabled") => enabled_of(value).map(Some),
            ("auth", b"authRevision") => revision_of(value).map(Some),
            _ => Ok(None),
        }
    }
}

fn user_of(name: &[u8], value: &Bytes) -> Result<AuthItem, &'static str> {
    match authpb::User::decode(value.clone()) {
        Ok(user) if user.name == name => Ok(AuthItem::User(user)),
        Ok(_) => Err("a user under another one's name"),
        Err(_) => Err("a bad user"),
    }
}

fn role_of(name: &[u8], value: &Bytes) -> Result<AuthItem, &'static str> {
    match authpb::Role::decode(value.clone()) {
        Ok(role) if role.name == name => Ok(AuthItem::Role(role)),
        Ok(_) => Err("a role under another one's name"),
        Err(_) => Err("a bad role"),
    }
}

fn enabled_of(value: &[u8]) -> Result<AuthItem, &'static str> {
    match value {
        [0] => Ok(AuthItem::Enabled(false)),
        [1] => Ok(AuthItem::Enabled(true)),
        _ => Err("whether authentication is on isn't one byte"),
    }
}

fn revision_of(value: &[u8]) -> Result<AuthItem, &'static str> {
    let bytes = value.try_into().map_err(|_| "the revision of users and roles isn't a number")?;
    Ok(AuthItem::Revision(u64::from_be_bytes(bytes)))
}

/// What stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuthState {
    /// Whether it is on.
    pub(crate) enabled: bool,
    /// Counts changes of users and roles.
    pub(crate) revision: u64,
}

impl Default for AuthState {
    fn default() -> AuthState {
        AuthState { enabled: false, revision: FIRST_AUTH_REVISION }
    }
}

impl AuthState {
    /// Takes a stored item in.
    pub(crate) fn take(&mut self, item: &AuthItem) {
        match item {
            AuthItem::Enabled(is_on) => self.enabled = *is_on,
            AuthItem::Revision(revision) => self.revision = *revision,
            AuthItem::User(_) | AuthItem::Role(_) => {}
        }
    }
}

impl Store {
    /// Whether the state wants everybody to say who they are. This version can't ask: such a state
    /// must not be served.
    pub fn is_auth_enabled(&self) -> bool {
        self.resident().auth.read().enabled
    }
}
