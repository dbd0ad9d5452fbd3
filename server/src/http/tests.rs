//! The pages as a client sees them.

use std::sync::Mutex;

use http_body_util::BodyExt;

use super::*;
use crate::flags::{Allowed, MetricsDetail};
use crate::metrics::Facts;

/// A member as the test wants it.
struct Scripted {
    alarms: Vec<Alarm>,
    has_leader: bool,
    cluster_version: Option<String>,
    read: Mutex<Result<(), String>>,
}

impl Default for Scripted {
    fn default() -> Scripted {
        Scripted {
            alarms: Vec::new(),
            has_leader: true,
            cluster_version: Some("3.5.0".to_owned()),
            read: Mutex::new(Ok(())),
        }
    }
}

impl Source for Scripted {
    fn alarms(&self) -> Vec<Alarm> {
        self.alarms.clone()
    }

    fn has_leader(&self) -> bool {
        self.has_leader
    }

    fn is_learner(&self) -> bool {
        false
    }

    fn cluster_version(&self) -> Option<String> {
        self.cluster_version.clone()
    }

    fn serializable_read(&self) -> Later<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn linearizable_read(&self) -> Later<'_, Result<(), String>> {
        Box::pin(async { self.read.lock().expect("no test panics here").clone() })
    }

    fn raft_status(&self) -> RaftStatus {
        RaftStatus { id: 0x10, term: 2, lead: 0x10, commit: 4, applied: 4 }
    }

    fn metrics(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async { b"a_metric 1\n".to_vec() })
    }
}

fn pages(source: Scripted) -> Pages {
    let config = HttpConfig { cors: Allowed::All, hosts: Allowed::All };
    pages_with(source, config)
}

fn pages_with(source: Scripted, config: HttpConfig) -> Pages {
    let facts = Facts {
        member_id: 1,
        quota_bytes: None,
        log_io: "direct".to_owned(),
        log_depth: 1,
        detail: MetricsDetail::Basic,
    };
    let arguments = vec!["etcd".to_owned(), "--name=a".to_owned()];
    Pages::new(Arc::new(source), Arc::new(Metrics::new(&facts)), config, arguments)
}

/// Status, header lines that matter here, and the body.
fn ask_request(pages: &Pages, request: &Request<()>) -> (u16, Vec<String>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let page = pages.answer(request).await;
        let status = page.status().as_u16();
        let headers = page
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        let body = page.into_body().collect().await.expect("a full body").to_bytes();
        (status, headers, String::from_utf8(body.to_vec()).expect("text"))
    })
}

fn ask(pages: &Pages, method: &str, target: &str) -> (u16, Vec<String>, String) {
    let request = Request::builder().method(method).uri(target).body(()).expect("valid");
    ask_request(pages, &request)
}

fn get(pages: &Pages, target: &str) -> (u16, String) {
    let (status, _, body) = ask(pages, "GET", target);
    (status, body)
}

fn status_and_body(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

#[test]
fn a_healthy_member_says_so() {
    let pages = pages(Scripted::default());
    let (status, headers, body) = ask(&pages, "GET", "/health");
    assert_eq!((status, body.as_str()), (200, "{\"health\":\"true\",\"reason\":\"\"}"));
    assert_eq!(
        headers,
        [
            "content-type: text/plain; charset=utf-8",
            "access-control-allow-methods: POST, GET, OPTIONS, PUT, DELETE",
            "access-control-allow-origin: *",
            "access-control-allow-headers: accept, content-type, authorization",
        ]
    );
}

#[test]
fn reasons_against_health() {
    let unhealthy = |reason: &str| {
        status_and_body(503, &format!("{{\"health\":\"false\",\"reason\":\"{reason}\"}}\n"))
    };
    let healthy = status_and_body(200, "{\"health\":\"true\",\"reason\":\"\"}");

    let alarmed = pages(Scripted { alarms: vec![Alarm::NoSpace], ..Scripted::default() });
    assert_eq!(get(&alarmed, "/health"), unhealthy("ALARM NOSPACE"));
    assert_eq!(get(&alarmed, "/health?exclude=NOSPACE"), healthy);
    assert_eq!(get(&alarmed, "/health?exclude=CORRUPT"), unhealthy("ALARM NOSPACE"));

    let alone = pages(Scripted { has_leader: false, ..Scripted::default() });
    assert_eq!(get(&alone, "/health"), unhealthy("RAFT NO LEADER"));
    assert_eq!(get(&alone, "/health?serializable=true"), healthy);

    let timeout = Err("etcdserver: request timed out".to_owned());
    let slow = pages(Scripted { read: Mutex::new(timeout), ..Scripted::default() });
    assert_eq!(get(&slow, "/health"), unhealthy("RANGE ERROR:etcdserver: request timed out"));
}

#[test]
fn checks_can_be_asked_for_one_by_one_and_left_out() {
    let ok = status_and_body(200, "ok\n");
    let fine = pages(Scripted::default());
    for target in ["/livez", "/livez/serializable_read", "/readyz", "/readyz/non_learner"] {
        assert_eq!(get(&fine, target), ok, "{target}");
    }
    assert_eq!(
        get(&fine, "/readyz?verbose"),
        status_and_body(
            200,
            "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n\
             [+]non_learner ok\nok\n"
        )
    );
    assert_eq!(get(&fine, "/livez/linearizable_read").0, 404);

    let corrupt = pages(Scripted { alarms: vec![Alarm::Corrupt], ..Scripted::default() });
    assert_eq!(
        get(&corrupt, "/readyz/data_corruption"),
        status_and_body(503, "[-]data_corruption failed: alarm activated: CORRUPT\n\n")
    );
    assert_eq!(get(&corrupt, "/readyz?exclude=data_corruption&exclude=nonsense"), ok);
    assert_eq!(get(&corrupt, "/readyz").0, 503);
    assert_eq!(get(&corrupt, "/livez"), ok);
}

#[test]
fn versions_variables_and_metrics_are_told() {
    let fine = pages(Scripted::default());
    let (status, headers, body) = ask(&fine, "GET", "/version");
    assert_eq!(
        (status, body.as_str()),
        (200, "{\"etcdserver\":\"3.5.33\",\"etcdcluster\":\"3.5.0\"}")
    );
    assert_eq!(headers[0], "content-type: application/json");
    let young = pages(Scripted { cluster_version: None, ..Scripted::default() });
    assert!(get(&young, "/version").1.contains("\"not_decided\""));

    let (status, headers, body) = ask(&fine, "GET", "/metrics");
    assert_eq!((status, body.as_str()), (200, "a_metric 1\n"));
    assert_eq!(headers[0], "content-type: text/plain; version=0.0.4; charset=utf-8");

    let (_, headers, body) = ask(&fine, "GET", "/debug/vars");
    assert_eq!(headers[0], "content-type: application/json; charset=utf-8");
    let variables: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(variables["cmdline"], serde_json::json!(["etcd", "--name=a"]));
    assert_eq!(variables["raft.status"]["raftState"], "StateLeader");
    assert_eq!(variables["raft.status"]["id"], "10");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let fine = pages(Scripted::default());
    assert_eq!(get(&fine, "/nosuch"), status_and_body(404, "404 page not found\n"));
    for target in ["/health", "/version", "/debug/vars", "/readyz"] {
        for method in ["POST", "HEAD"] {
            let (status, headers, body) = ask(&fine, method, target);
            assert_eq!((status, body.as_str()), (405, "Method Not Allowed\n"), "{target}");
            assert!(headers.contains(&"allow: GET".to_owned()));
            assert!(headers.contains(&"x-content-type-options: nosniff".to_owned()));
        }
    }
    assert_eq!(ask(&fine, "OPTIONS", "/anything").0, 200);
    assert_eq!(ask(&fine, "OPTIONS", "/anything").2, "");
}

#[test]
fn ports_differ_in_their_pages() {
    let client = pages(Scripted::default());
    let (status, headers, _) = ask(&client.for_metrics(), "GET", "/health");
    assert_eq!((status, headers.len()), (200, 1));
    assert_eq!(get(&client.for_metrics(), "/metrics").0, 200);
    assert_eq!(get(&client.for_metrics(), "/version").0, 404);
    assert_eq!(ask(&client.for_metrics(), "OPTIONS", "/x").0, 404);
    assert_eq!(get(&client.for_peers(), "/version").0, 200);
    assert_eq!(get(&client.for_peers(), "/metrics").0, 404);
    assert_eq!(get(&client.for_grpc_alone(), "/health").0, 404);
}

#[test]
fn hosts_and_origins_are_checked_where_they_are_listed() {
    let config = HttpConfig {
        cors: Allowed::Only(vec!["http://a:1".to_owned()]),
        hosts: Allowed::Only(vec!["good".to_owned(), "::1".to_owned()]),
    };
    let pages = pages_with(Scripted::default(), config);
    let ask = |host: &str, origin: &str| {
        let request = Request::builder().uri("/version").header("host", host);
        let request = request.header("origin", origin).body(()).expect("valid");
        ask_request(&pages, &request)
    };
    let (status, headers, _) = ask("good:2379", "http://a:1");
    assert_eq!(status, 200);
    assert!(headers.contains(&"access-control-allow-origin: http://a:1".to_owned()));
    let (status, headers, _) = ask("[::1]:2379", "http://b:1");
    assert_eq!((status, headers.len()), (200, 1));
    let (status, _, body) = ask("bad:2379", "http://a:1");
    assert_eq!(status, 421);
    assert!(body.contains("\"bad\"") && body.contains("--host-whitelist"));
}
