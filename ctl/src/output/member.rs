//! The list of members, which has more forms than other responses.

use prost::Message;
use retcd_api::etcdserverpb::{Member, MemberListResponse};
use serde::{Serialize, Serializer};

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;

/// The members of a cluster.
pub(crate) struct Members {
    response: MemberListResponse,
    /// Whether JSON has ids as hexadecimal digits.
    is_hex: bool,
}

const HEADINGS: [&str; 6] = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"];

impl Members {
    pub(crate) fn new(response: MemberListResponse, is_hex: bool) -> Self {
        Self { response, is_hex }
    }
}

fn row(member: &Member) -> Vec<String> {
    vec![
        format!("{:x}", member.id),
        if member.name.is_empty() { "unstarted" } else { "started" }.to_owned(),
        member.name.clone(),
        member.peer_ur_ls.join(","),
        member.client_ur_ls.join(","),
        member.is_learner.to_string(),
    ]
}

impl Show for Members {
    fn simple(&self, page: &mut Page) -> Outcome {
        self.response.members.iter().try_for_each(|member| page.line(row(member).join(", ")))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.response.header())?;
        for member in &self.response.members {
            page.field("ID", member.id)?;
            page.quoted_field("Name", member.name.as_bytes())?;
            for url in &member.peer_ur_ls {
                page.quoted_field("PeerURL", url.as_bytes())?;
            }
            for url in &member.client_ur_ls {
                page.quoted_field("ClientURL", url.as_bytes())?;
            }
            page.field("IsLearner", member.is_learner)?;
            page.line("")?;
        }
        Ok(())
    }

    fn table(&self, page: &mut Page) -> Outcome {
        page.table(&HEADINGS, &self.response.members.iter().map(row).collect::<Vec<_>>())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.response.encode_to_vec())
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_hex {
            HexMembers::from(&self.response).serialize(serializer)
        } else {
            self.response.serialize(serializer)
        }
    }
}

/// The list as etcd 3.5 writes it with `--hex`: no revision, no learners, and the name of a field
/// spelled in another way.
#[derive(Serialize)]
struct HexMembers {
    header: HexHeader,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<HexMember>,
}

#[derive(Serialize)]
struct HexHeader {
    cluster_id: String,
    member_id: String,
    raft_term: u64,
}

#[derive(Serialize)]
struct HexMember {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    /// `null` if there are none, as `client_urls`.
    #[serde(rename = "peerURLs")]
    peer_urls: Option<Vec<String>>,
    #[serde(rename = "clientURLS")]
    client_urls: Option<Vec<String>>,
}

impl From<&MemberListResponse> for HexMembers {
    fn from(response: &MemberListResponse) -> Self {
        let header = response.header();
        let list = |urls: &Vec<String>| Some(urls.clone()).filter(|urls| !urls.is_empty());
        let member = |member: &Member| HexMember {
            id: format!("{:x}", member.id),
            name: member.name.clone(),
            peer_urls: list(&member.peer_ur_ls),
            client_urls: list(&member.client_ur_ls),
        };
        Self {
            header: HexHeader {
                cluster_id: format!("{:x}", header.cluster_id),
                member_id: format!("{:x}", header.member_id),
                raft_term: header.raft_term,
            },
            members: response.members.iter().map(member).collect(),
        }
    }
}
