//! Users, roles and what roles may do.

use prost::Message;
use retcd_api::authpb::Permission;
use retcd_api::authpb::permission::Type;
use retcd_api::etcdserverpb::{
    AuthRoleGetResponse, AuthRoleListResponse, AuthStatusResponse, AuthUserGetResponse,
    AuthUserListResponse,
};
use serde::{Serialize, Serializer};

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;
use crate::go::quote;

/// As a range's end: there is none.
const ZERO: &[u8] = b"\0";

impl Show for AuthStatusResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(format_args!("Authentication Status: {}", self.enabled))?;
        page.line(format_args!("AuthRevision: {}", self.auth_revision))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}

impl Show for AuthUserListResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        names(page, &self.users)
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}

impl Show for AuthRoleListResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        names(page, &self.roles)
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header())?;
        let roles = self.roles.iter().map(|role| format!(" {}", quote(role.as_bytes())));
        page.line(format_args!("\"Roles\" :{}", roles.collect::<String>()))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}

/// One a line.
fn names(page: &mut Page, names: &[String]) -> Outcome {
    names.iter().try_for_each(|name| page.line(name))
}

/// A user or a role by its name, which the response doesn't have.
pub(crate) struct Named<M> {
    pub(crate) name: String,
    pub(crate) response: M,
}

impl<M: Serialize> Serialize for Named<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.response.serialize(serializer)
    }
}

impl Show for Named<AuthUserGetResponse> {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(format_args!("User: {}", self.name))?;
        let roles = self.response.roles.iter().map(|role| format!(" {role}"));
        page.line(format_args!("Roles:{}", roles.collect::<String>()))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.response.encode_to_vec())
    }
}

impl Show for Named<AuthRoleGetResponse> {
    fn simple(&self, page: &mut Page) -> Outcome {
        let permissions = &self.response.perm;
        page.line(format_args!("Role {}", self.name))?;
        page.line("KV Read:")?;
        let mut reading = permissions.iter().filter(|given| given.perm_type() != Type::Write);
        reading.try_for_each(|given| keys(page, given))?;
        page.line("KV Write:")?;
        let mut writing = permissions.iter().filter(|given| given.perm_type() != Type::Read);
        writing.try_for_each(|given| keys(page, given))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.response.header())?;
        for given in &self.response.perm {
            page.field("PermType", format_args!(" {}", given.perm_type().as_str_name()))?;
            page.quoted_field("Key", &given.key)?;
            page.quoted_field("RangeEnd", &given.range_end)?;
        }
        Ok(())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.response.encode_to_vec())
    }
}

/// The keys that a permission is for.
fn keys(page: &mut Page, given: &Permission) -> Outcome {
    let Permission { key, range_end, .. } = given;
    page.bytes(b"\t")?;
    if range_end.is_empty() {
        page.bytes(key)?;
        return page.line("");
    }
    page.bytes(b"[")?;
    page.bytes(key)?;
    if range_end == ZERO {
        page.bytes(b", <open ended>")?;
    } else {
        page.bytes(b", ")?;
        page.bytes(range_end)?;
        page.bytes(b")")?;
    }
    if is_end_of_prefix(key, range_end) {
        page.bytes(b" (prefix ")?;
        page.bytes(key)?;
        page.bytes(b")")?;
    }
    page.line("")
}

/// Whether the range from `key` to `end` is all that begins with `key`.
fn is_end_of_prefix(key: &[u8], end: &[u8]) -> bool {
    match key.iter().rposition(|byte| *byte < u8::MAX) {
        Some(last) => {
            let (same, raised) = (&key[..last], key[last] + 1);
            end.split_last() == Some((&raised, same))
        }
        None => end == ZERO,
    }
}
