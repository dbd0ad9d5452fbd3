//! What endpoints answered when they were asked one by one.

use retcd_api::etcdserverpb::{HashKvResponse, StatusResponse};
use serde::Serialize;

use super::size::human;
use super::{HasHeader, Page, Show, unsupported};
use crate::failure::Outcome;
use crate::go::duration;

/// Whether an endpoint serves.
#[derive(Serialize)]
pub(crate) struct Health {
    endpoint: String,
    health: bool,
    took: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

impl Health {
    /// What was found, and after how long. An endpoint that serves has no problem.
    pub(crate) fn new(endpoint: &str, took: std::time::Duration, problem: Option<String>) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            health: problem.is_none(),
            took: duration::format(took),
            error: problem.unwrap_or_default(),
        }
    }

    /// An endpoint that couldn't even be asked.
    pub(crate) fn unreachable(endpoint: &str, problem: String) -> Self {
        let (endpoint, took) = (endpoint.to_owned(), String::new());
        Self { endpoint, health: false, took, error: problem }
    }

    /// Whether it serves.
    pub(crate) fn is_good(&self) -> bool {
        self.health
    }
}

/// The health of several endpoints.
#[derive(Serialize)]
pub(crate) struct Healths(pub(crate) Vec<Health>);

impl Show for Healths {
    fn simple(&self, page: &mut Page) -> Outcome {
        for found in &self.0 {
            let (endpoint, took, error) = (&found.endpoint, &found.took, &found.error);
            if found.health {
                page.line(format_args!(
                    "{endpoint} is healthy: successfully committed proposal: took = {took}"
                ))?;
            } else {
                eprintln!("{endpoint} is unhealthy: failed to commit proposal: {error}");
            }
        }
        Ok(())
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        for found in &self.0 {
            page.quoted_field("Endpoint", found.endpoint.as_bytes())?;
            page.field("Health", found.health)?;
            page.field("Took", &found.took)?;
            page.field("Error", &found.error)?;
            page.line("")?;
        }
        Ok(())
    }

    fn table(&self, page: &mut Page) -> Outcome {
        let row = |found: &Health| {
            let health = found.health.to_string();
            vec![found.endpoint.clone(), health, found.took.clone(), found.error.clone()]
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        page.table(&["ENDPOINT", "HEALTH", "TOOK", "ERROR"], &rows)
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Err(unsupported("protobuf"))
    }
}

/// An endpoint's member, in its own words.
#[derive(Serialize)]
pub(crate) struct Status {
    #[serde(rename = "Endpoint")]
    pub(crate) endpoint: String,
    #[serde(rename = "Status")]
    pub(crate) response: StatusResponse,
}

/// The status of several endpoints.
#[derive(Serialize)]
pub(crate) struct Statuses(pub(crate) Vec<Status>);

const STATUS_HEADINGS: [&str; 10] = [
    "ENDPOINT",
    "ID",
    "VERSION",
    "DB SIZE",
    "IS LEADER",
    "IS LEARNER",
    "RAFT TERM",
    "RAFT INDEX",
    "RAFT APPLIED INDEX",
    "ERRORS",
];

impl Status {
    fn row(&self) -> Vec<String> {
        let (status, header) = (&self.response, self.response.header());
        vec![
            self.endpoint.clone(),
            format!("{:x}", header.member_id),
            status.version.clone(),
            human(status.db_size.unsigned_abs()),
            (status.leader == header.member_id).to_string(),
            status.is_learner.to_string(),
            status.raft_term.to_string(),
            status.raft_index.to_string(),
            status.raft_applied_index.to_string(),
            status.errors.join(", "),
        ]
    }
}

impl Show for Statuses {
    fn simple(&self, page: &mut Page) -> Outcome {
        self.0.iter().try_for_each(|status| page.line(status.row().join(", ")))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        for Status { endpoint, response } in &self.0 {
            page.header_fields(&response.header())?;
            page.quoted_field("Version", response.version.as_bytes())?;
            page.field("DBSize", response.db_size)?;
            page.field("Leader", response.leader)?;
            page.field("IsLearner", response.is_learner)?;
            page.field("RaftIndex", response.raft_index)?;
            page.field("RaftTerm", response.raft_term)?;
            page.field("RaftAppliedIndex", response.raft_applied_index)?;
            page.field("Errors", format_args!("[{}]", response.errors.join(" ")))?;
            page.quoted_field("Endpoint", endpoint.as_bytes())?;
            page.line("")?;
        }
        Ok(())
    }

    fn table(&self, page: &mut Page) -> Outcome {
        let rows: Vec<_> = self.0.iter().map(Status::row).collect();
        page.table(&STATUS_HEADINGS, &rows)
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Err(unsupported("protobuf"))
    }
}

/// The hash of all that an endpoint's member has.
#[derive(Serialize)]
pub(crate) struct Hash {
    #[serde(rename = "Endpoint")]
    pub(crate) endpoint: String,
    #[serde(rename = "HashKV")]
    pub(crate) response: HashKvResponse,
}

/// The hashes of several endpoints.
#[derive(Serialize)]
pub(crate) struct Hashes(pub(crate) Vec<Hash>);

impl Show for Hashes {
    fn simple(&self, page: &mut Page) -> Outcome {
        self.0.iter().try_for_each(|Hash { endpoint, response }| {
            page.line(format_args!("{endpoint}, {}", response.hash))
        })
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        for Hash { endpoint, response } in &self.0 {
            page.header_fields(&response.header())?;
            page.quoted_field("Endpoint", endpoint.as_bytes())?;
            page.field("Hash", response.hash)?;
            page.line("")?;
        }
        Ok(())
    }

    fn table(&self, page: &mut Page) -> Outcome {
        let row = |hash: &Hash| vec![hash.endpoint.clone(), hash.response.hash.to_string()];
        page.table(&["ENDPOINT", "HASH"], &self.0.iter().map(row).collect::<Vec<_>>())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Err(unsupported("protobuf"))
    }
}
