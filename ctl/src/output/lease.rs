//! Responses about leases. etcd's client has structs of its own for them: the header's fields come
//! first in JSON, and `protobuf` is the header alone.

use prost::Message;
use retcd_api::base64;
use retcd_api::etcdserverpb::{
    LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseTimeToLiveResponse,
    ResponseHeader,
};
use serde::Serialize;

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;

/// A new lease.
#[derive(Serialize)]
pub(crate) struct Granted {
    #[serde(flatten)]
    header: ResponseHeader,
    #[serde(rename = "ID")]
    id: i64,
    #[serde(rename = "TTL")]
    ttl: i64,
    #[serde(rename = "Error")]
    error: String,
}

impl From<LeaseGrantResponse> for Granted {
    fn from(response: LeaseGrantResponse) -> Self {
        let header = response.header();
        Self { header, id: response.id, ttl: response.ttl, error: response.error }
    }
}

impl Show for Granted {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(format_args!("lease {:016x} granted with TTL({}s)", self.id, self.ttl))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header)?;
        page.field("ID", self.id)?;
        page.field("TTL", self.ttl)
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.header.encode_to_vec())
    }
}

/// A lease that has its whole time again.
#[derive(Serialize)]
pub(crate) struct KeptAlive {
    #[serde(flatten)]
    header: ResponseHeader,
    #[serde(rename = "ID")]
    id: i64,
    #[serde(rename = "TTL")]
    ttl: i64,
}

impl From<LeaseKeepAliveResponse> for KeptAlive {
    fn from(response: LeaseKeepAliveResponse) -> Self {
        Self { header: response.header(), id: response.id, ttl: response.ttl }
    }
}

impl Show for KeptAlive {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(format_args!("lease {:016x} keepalived with TTL({})", self.id, self.ttl))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header)?;
        page.field("ID", self.id)?;
        page.field("TTL", self.ttl)
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.header.encode_to_vec())
    }
}

/// What is left of a lease, and its keys if they were asked for.
#[derive(Serialize)]
pub(crate) struct TimeToLive {
    #[serde(flatten)]
    header: ResponseHeader,
    id: i64,
    ttl: i64,
    #[serde(rename = "granted-ttl")]
    granted_ttl: i64,
    /// In base64; `null` if there are none.
    keys: Option<Vec<String>>,
    #[serde(skip)]
    raw_keys: Vec<bytes::Bytes>,
    #[serde(skip)]
    shows_keys: bool,
}

impl TimeToLive {
    /// `shows_keys`: whether the keys were asked for.
    pub(crate) fn new(response: LeaseTimeToLiveResponse, shows_keys: bool) -> Self {
        let texts = response.keys.iter().map(|key| base64::encode(key)).collect();
        Self {
            header: response.header(),
            id: response.id,
            ttl: response.ttl,
            granted_ttl: response.granted_ttl,
            keys: Some(texts).filter(|keys: &Vec<String>| !keys.is_empty()),
            raw_keys: response.keys,
            shows_keys,
        }
    }
}

impl Show for TimeToLive {
    fn simple(&self, page: &mut Page) -> Outcome {
        let id = self.id;
        if self.granted_ttl == 0 && self.ttl == -1 {
            return page.line(format_args!("lease {id:016x} already expired"));
        }
        let (granted, left) = (self.granted_ttl, self.ttl);
        let text = format!("lease {id:016x} granted with TTL({granted}s), remaining({left}s)");
        page.bytes(text.as_bytes())?;
        if self.shows_keys {
            page.bytes(b", attached keys([")?;
            page.bytes(&self.raw_keys.join(&b' '))?;
            page.bytes(b"])")?;
        }
        page.line("")
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header)?;
        page.field("ID", self.id)?;
        page.field("TTL", self.ttl)?;
        page.field("GrantedTTL", self.granted_ttl)?;
        self.raw_keys.iter().try_for_each(|key| page.quoted_field("Key", key))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.header.encode_to_vec())
    }
}

/// All leases.
#[derive(Serialize)]
pub(crate) struct Leases {
    #[serde(flatten)]
    header: ResponseHeader,
    leases: Vec<Lease>,
}

#[derive(Serialize)]
struct Lease {
    id: i64,
}

impl From<LeaseLeasesResponse> for Leases {
    fn from(response: LeaseLeasesResponse) -> Self {
        let leases = response.leases.iter().map(|lease| Lease { id: lease.id }).collect();
        Self { header: response.header(), leases }
    }
}

impl Show for Leases {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(format_args!("found {} leases", self.leases.len()))?;
        self.leases.iter().try_for_each(|lease| page.line(format_args!("{:016x}", lease.id)))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header)?;
        self.leases.iter().try_for_each(|lease| page.field("ID", lease.id))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.header.encode_to_vec())
    }
}
