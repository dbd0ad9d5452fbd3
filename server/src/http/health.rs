//! `/health`, and the newer `/livez` and `/readyz` with a path for each check.

use ::http::{Request, StatusCode};

use super::Page;
use super::query;
use super::reply;
use super::source::{Alarm, Source};
use crate::metrics::Metrics;

/// One thing that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Check::DataCorruption => "data_corruption",
            Check::SerializableRead => "serializable_read",
            Check::LinearizableRead => "linearizable_read",
            Check::NonLearner => "non_learner",
        }
    }

    async fn run(self, source: &dyn Source) -> Result<(), String> {
        match self {
            Check::DataCorruption => match source.alarms().contains(&Alarm::Corrupt) {
                true => Err("alarm activated: CORRUPT".to_owned()),
                false => Ok(()),
            },
            Check::SerializableRead => source.serializable_read().await,
            Check::LinearizableRead => source.linearizable_read().await,
            Check::NonLearner => match source.is_learner() {
                true => Err("not supported for learner".to_owned()),
                false => Ok(()),
            },
        }
    }
}

/// What `/livez` looks at: whether a restart would help.
const LIVENESS: &[Check] = &[Check::SerializableRead];

/// What `/readyz` looks at: whether requests should come here.
const READINESS: &[Check] =
    &[Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner];

/// The page at `path`, if it is about health.
pub(super) async fn page(
    source: &dyn Source,
    metrics: &Metrics,
    path: &str,
    request: &Request<()>,
) -> Option<Page> {
    let mut parts = path.strip_prefix('/')?.splitn(2, '/');
    let (kind, name) = (parts.next()?, parts.next());
    let checks = match (kind, name) {
        ("health", None) => return Some(health(source, metrics, request).await),
        ("livez", _) => LIVENESS,
        ("readyz", _) => READINESS,
        _ => return None,
    };
    let chosen: Vec<Check> = match name {
        Some(name) => checks.iter().copied().filter(|check| check.name() == name).collect(),
        None => without_excluded(checks, request),
    };
    if name.is_some() && chosen.is_empty() {
        return None;
    }
    Some(run(source, metrics, kind, &chosen, request).await)
}

fn without_excluded(checks: &[Check], request: &Request<()>) -> Vec<Check> {
    let excluded = query::values(request.uri().query(), "exclude");
    let is_known = |name: &&String| checks.iter().any(|check| check.name() == name.as_str());
    let unknown: Vec<&String> =
        excluded.iter().filter(|name| !name.is_empty() && !is_known(name)).collect();
    if !unknown.is_empty() {
        tracing::warn!("missing-health-checks" = ?unknown, "some health checks cannot be excluded");
    }
    let is_excluded = |check: &Check| excluded.iter().any(|name| name == check.name());
    checks.iter().copied().filter(|check| !is_excluded(check)).collect()
}

async fn run(
    source: &dyn Source,
    metrics: &Metrics,
    kind: &str,
    checks: &[Check],
    request: &Request<()>,
) -> Page {
    if let Some(refusal) = reply::refuse_other_methods(request) {
        return refusal;
    }
    let mut report = String::new();
    let mut passed = true;
    for check in checks {
        let name = check.name();
        let result = check.run(source).await;
        metrics.checked(kind, name, result.is_ok());
        match result {
            Ok(()) => report.push_str(&format!("[+]{name} ok\n")),
            Err(what) => {
                report.push_str(&format!("[-]{name} failed: {what}\n"));
                passed = false;
            }
        }
    }
    if !passed {
        tracing::error!(
            path = request.uri().path(),
            reason = report.as_str(),
            "Health check error"
        );
        return reply::error(StatusCode::SERVICE_UNAVAILABLE, &report);
    }
    let verbose = !query::values(request.uri().query(), "verbose").is_empty();
    let mut page = reply::plain(match verbose {
        true => report + "ok\n",
        false => "ok\n".to_owned(),
    });
    reply::no_sniffing(&mut page);
    page
}

async fn health(source: &dyn Source, metrics: &Metrics, request: &Request<()>) -> Page {
    if let Some(refusal) = reply::refuse_other_methods(request) {
        return refusal;
    }
    let reason = reason_against(source, request.uri().query()).await;
    metrics.health_told(reason.is_none());
    match reason {
        None => reply::plain("{\"health\":\"true\",\"reason\":\"\"}"),
        Some(reason) => {
            let reason = serde_json::Value::from(reason);
            let text = format!("{{\"health\":\"false\",\"reason\":{reason}}}");
            tracing::warn!(output = text.as_str(), "status-code" = 503, "/health error");
            reply::error(StatusCode::SERVICE_UNAVAILABLE, &text)
        }
    }
}

/// Why the member isn't healthy: an alarm that isn't excluded, no leader, or a read that fails.
async fn reason_against(source: &dyn Source, query: Option<&str>) -> Option<String> {
    let excluded = query::values(query, "exclude");
    let counts = |alarm: &Alarm| !excluded.iter().any(|name| name == alarm.name());
    if let Some(alarm) = source.alarms().into_iter().find(counts) {
        return Some(format!("ALARM {}", alarm.name()));
    }
    let serializable =
        query::values(query, "serializable").first().is_some_and(|value| value == "true");
    if !serializable && !source.has_leader() {
        return Some("RAFT NO LEADER".to_owned());
    }
    let read = match serializable {
        true => source.serializable_read().await,
        false => source.linearizable_read().await,
    };
    read.err().map(|what| format!("RANGE ERROR:{what}"))
}
