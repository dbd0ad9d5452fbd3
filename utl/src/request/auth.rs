//! Requests about users, roles and permissions, field by field. Passwords, their hashes and tokens
//! are only said to be there.

use super::message::Message;
use retcd_api::authpb::permission::Type;
use retcd_api::authpb::{Permission, UserAddOptions};
use retcd_api::etcdserverpb::{
    AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGetRequest, AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest, AuthUserAddRequest, AuthUserChangePasswordRequest,
    AuthUserDeleteRequest, AuthUserGetRequest, AuthUserGrantRoleRequest, AuthUserRevokeRoleRequest,
    InternalAuthenticateRequest,
};

pub(super) fn authenticate(request: &InternalAuthenticateRequest) -> Message {
    let InternalAuthenticateRequest { name, password, simple_token } = request;
    Message::new()
        .text("name", name)
        .secret("password", password)
        .secret("simple_token", simple_token)
}

pub(super) fn user_add(request: &AuthUserAddRequest) -> Message {
    let AuthUserAddRequest { name, password, options, hashed_password } = request;
    let options = options.as_ref().map(|options| {
        let UserAddOptions { no_password } = options;
        Message::new().flag("no_password", *no_password)
    });
    Message::new()
        .text("name", name)
        .secret("password", password)
        .message("options", options)
        .secret("hashedPassword", hashed_password)
}

pub(super) fn user_delete(request: &AuthUserDeleteRequest) -> Message {
    let AuthUserDeleteRequest { name } = request;
    Message::new().text("name", name)
}

pub(super) fn user_get(request: &AuthUserGetRequest) -> Message {
    let AuthUserGetRequest { name } = request;
    Message::new().text("name", name)
}

pub(super) fn user_change_password(request: &AuthUserChangePasswordRequest) -> Message {
    let AuthUserChangePasswordRequest { name, password, hashed_password } = request;
    Message::new()
        .text("name", name)
        .secret("password", password)
        .secret("hashedPassword", hashed_password)
}

pub(super) fn user_grant_role(request: &AuthUserGrantRoleRequest) -> Message {
    let AuthUserGrantRoleRequest { user, role } = request;
    Message::new().text("user", user).text("role", role)
}

pub(super) fn user_revoke_role(request: &AuthUserRevokeRoleRequest) -> Message {
    let AuthUserRevokeRoleRequest { name, role } = request;
    Message::new().text("name", name).text("role", role)
}

pub(super) fn role_add(request: &AuthRoleAddRequest) -> Message {
    let AuthRoleAddRequest { name } = request;
    Message::new().text("name", name)
}

pub(super) fn role_delete(request: &AuthRoleDeleteRequest) -> Message {
    let AuthRoleDeleteRequest { role } = request;
    Message::new().text("role", role)
}

pub(super) fn role_get(request: &AuthRoleGetRequest) -> Message {
    let AuthRoleGetRequest { role } = request;
    Message::new().text("role", role)
}

pub(super) fn role_grant_permission(request: &AuthRoleGrantPermissionRequest) -> Message {
    let AuthRoleGrantPermissionRequest { name, perm } = request;
    let permission = perm.as_ref().map(|permission| {
        let Permission { perm_type, key, range_end } = permission;
        let message = match Type::try_from(*perm_type) {
            // Reading is zero, but too important to be left out.
            Ok(kind) => Message::new().name("permType", kind.as_str_name()),
            Err(_) => Message::new().named("permType", *perm_type, None),
        };
        message.key("key", key).key("range_end", range_end)
    });
    Message::new().text("name", name).message("perm", permission)
}

pub(super) fn role_revoke_permission(request: &AuthRoleRevokePermissionRequest) -> Message {
    let AuthRoleRevokePermissionRequest { role, key, range_end } = request;
    Message::new().text("role", role).key("key", key).key("range_end", range_end)
}
