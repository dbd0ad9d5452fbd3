//! The auth service, as it answers while authentication is off and can't be turned on yet.

use super::{Method, encode};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::etcdserverpb::{AuthDisableResponse, AuthStatusResponse};
use retcd_api::{Error, Result};

/// The auth store's revision before anything was ever changed in it.
const FIRST_REVISION: u64 = 1;

/// Disabled, nothing to disable, nobody to authenticate.
pub(super) fn answer(member: &Member, method: Method) -> Result<Bytes> {
    let header = Some(member.current_header());
    match method {
        Method::AuthStatus => Ok(encode(&AuthStatusResponse {
            header,
            enabled: false,
            auth_revision: FIRST_REVISION,
        })),
        Method::AuthDisable => Ok(encode(&AuthDisableResponse { header })),
        _ => Err(Error::AuthNotEnabled),
    }
}
