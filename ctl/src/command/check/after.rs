//! What is done when a check is over: its keys are deleted, and the space given back if wanted.

use std::time::Duration;

use clap::Args;
use retcd_api::etcdserverpb::{CompactionRequest, DefragmentRequest, DeleteRangeRequest};

use crate::client::{CallError, Client, Deadline};
use crate::command::keys::prefix;
use crate::failure::{Failure, Outcome};
use crate::go::quote;
use crate::output::HasHeader;

/// How long each step may take.
const STEP: Duration = Duration::from_secs(30);

/// What to do with the space.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct After {
    /// Compact at the last revision afterwards
    #[arg(long)]
    auto_compact: bool,
    /// Defragment all endpoints afterwards
    #[arg(long)]
    auto_defrag: bool,
}

impl After {
    /// Deletes all that begins with a prefix; returns the revision of it.
    pub(super) async fn delete(client: &Client, key_prefix: &str) -> Result<i64, CallError> {
        let range = prefix(key_prefix.to_owned().into());
        let request = DeleteRangeRequest { key: range.key, range_end: range.end, prev_kv: false };
        let response = client.call(request, Deadline::after(STEP)).await?;
        Ok(response.header().revision)
    }

    /// Gives space back as the flags say. `revision` is that of the deletion, if there was one.
    pub(super) async fn give_space_back(self, client: &Client, revision: Option<i64>) -> Outcome {
        if let Some(revision) = revision.filter(|_| self.auto_compact) {
            println!("Compacting with revision {revision}");
            let request = CompactionRequest { revision, physical: true };
            client.call(request, Deadline::after(STEP)).await.map_err(Failure::error)?;
            println!("Compacted with revision {revision}");
        }
        if !self.auto_defrag {
            return Ok(());
        }
        for endpoint in &client.settings().endpoints {
            let endpoint = &endpoint.text;
            let quoted = quote(endpoint.as_bytes());
            println!("Defragmenting {quoted}");
            let client = client.at(endpoint);
            let answer = client.call(DefragmentRequest {}, Deadline::after(STEP)).await;
            answer.map_err(Failure::error)?;
            println!("Defragmented {quoted}");
        }
        Ok(())
    }
}
