//! `endpoint health`: reads a key through each endpoint, which takes a quorum; looks for alarms.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use retcd_api::Error;
use retcd_api::etcdserverpb::{AlarmRequest, AlarmType, RangeRequest};
use tokio::task::JoinSet;

use crate::app::App;
use crate::client::{Client, Deadline, Settings};
use crate::command::targets::Targets;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Healths};

/// Any key will do, and nobody needs to be allowed to read it.
const KEY: &[u8] = b"health";

/// Print whether endpoints serve: each reads a key through a quorum
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl endpoint health [OPTIONS]")]
#[command(after_help = "Example:\n  etcdctl endpoint health --cluster -w table")]
pub(super) struct Health {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Health {
    pub(super) async fn run(self, app: &mut App, targets: Targets) -> Outcome {
        let (settings, mut printer) = app.settings()?;
        let time = app.global().command_timeout;
        let mut checks = JoinSet::new();
        for endpoint in targets.resolve(&settings, Deadline::after(time)).await? {
            checks.spawn(check(endpoint, settings.clone(), time));
        }
        let healths = Healths(checks.join_all().await);
        printer.print(&healths)?;
        if healths.0.iter().all(output::Health::is_good) {
            return Ok(());
        }
        Err(Failure::error("unhealthy cluster"))
    }
}

async fn check(endpoint: String, settings: Settings, time: Duration) -> output::Health {
    let settings = settings.with_endpoints([endpoint.as_str()]);
    match Client::connect(settings).await {
        Ok(client) => {
            let begun = Instant::now();
            let problem = problem(&client, Deadline::after(time), begun).await;
            output::Health::new(&endpoint, problem.took, problem.text)
        }
        Err(failure) => output::Health::unreachable(&endpoint, failure.into_message()),
    }
}

/// What is wrong with an endpoint, if anything, and how long the read took.
struct Problem {
    took: Duration,
    text: Option<String>,
}

async fn problem(client: &Client, deadline: Deadline, begun: Instant) -> Problem {
    let request = RangeRequest { key: Bytes::from_static(KEY), ..RangeRequest::default() };
    let answer = client.call(request, deadline).await;
    let took = begun.elapsed();
    let text = match answer {
        Err(error) if !error.is(&Error::PermissionDenied) => Some(error.to_string()),
        _ => alarms(client, deadline).await,
    };
    Problem { took, text }
}

async fn alarms(client: &Client, deadline: Deadline) -> Option<String> {
    let Ok(response) = client.call(AlarmRequest::default(), deadline).await else {
        return Some("Unable to fetch the alarm list".to_owned());
    };
    let name = |alarm| match alarm {
        AlarmType::Nospace => "NOSPACE ",
        AlarmType::Corrupt => "CORRUPT ",
        AlarmType::None => "UNKNOWN ",
    };
    let names: String = response.alarms.iter().map(|member| name(member.alarm())).collect();
    (!names.is_empty()).then(|| format!("Active Alarm(s): {names}"))
}
