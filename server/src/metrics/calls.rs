//! Counters of gRPC calls: one set for every method, looked up by the method's number, so that a
//! call costs a few additions and no lookup by label. All series exist from the start at 0.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::catalog::{Buckets, Catalog};
use crate::flags::MetricsDetail;
use crate::rpc::{Kind, Method};

/// Labels of the status codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// How many versions of clients are told apart. The version is whatever a client says: without a
/// limit it could fill the memory.
const CLIENT_VERSIONS_MAX: usize = 32;

struct Counters {
    started: IntCounter,
    received: IntCounter,
    sent: IntCounter,
    handled: [IntCounter; CODES.len()],
    handling: Option<Histogram>,
}

/// Counters of all methods.
pub(super) struct Calls {
    by_method: Vec<Counters>,
    received_bytes: IntCounter,
    sent_bytes: IntCounter,
    by_version: IntCounterVec,
    versions: [OnceLock<(String, [IntCounter; 2])>; CLIENT_VERSIONS_MAX],
}

impl Calls {
    pub(super) fn new(catalog: &Catalog, detail: MetricsDetail) -> Calls {
        let labels = ["grpc_method", "grpc_service", "grpc_type"];
        let counters = |name: &str, help: &str| catalog.counters(name, help, &labels);
        let started =
            counters("grpc_server_started_total", "Total number of RPCs started on the server.");
        let received = counters(
            "grpc_server_msg_received_total",
            "Total number of RPC stream messages received on the server.",
        );
        let sent = counters(
            "grpc_server_msg_sent_total",
            "Total number of gRPC stream messages sent by the server.",
        );
        let handled = catalog.counters(
            "grpc_server_handled_total",
            "Total number of RPCs completed on the server, regardless of success or failure.",
            &["grpc_code", "grpc_method", "grpc_service", "grpc_type"],
        );
        let handling = (detail == MetricsDetail::Extensive).then(|| {
            let help = "Histogram of response latency (seconds) of gRPC that had been \
                        application-level handled by the server.";
            catalog.histograms("grpc_server_handling_seconds", help, Buckets::Default, &labels)
        });
        let of_method = |method: &Method| {
            let labels = [method.name(), method.service(), method.kind().label()];
            let with_code = |code: usize| {
                let [name, service, kind] = labels;
                handled.with_label_values(&[CODES[code], name, service, kind])
            };
            Counters {
                started: started.with_label_values(&labels),
                received: received.with_label_values(&labels),
                sent: sent.with_label_values(&labels),
                handled: std::array::from_fn(with_code),
                handling: handling.as_ref().map(|all| all.with_label_values(&labels)),
            }
        };
        Calls {
            by_method: Method::ALL.iter().map(of_method).collect(),
            received_bytes: catalog.counter(
                "etcd_network_client_grpc_received_bytes_total",
                "The total number of bytes received from grpc clients.",
            ),
            sent_bytes: catalog.counter(
                "etcd_network_client_grpc_sent_bytes_total",
                "The total number of bytes sent to grpc clients.",
            ),
            by_version: catalog.counters(
                "etcd_server_client_requests_total",
                "The total number of client requests per client version.",
                &["type", "client_api_version"],
            ),
            versions: [const { OnceLock::new() }; CLIENT_VERSIONS_MAX],
        }
    }

    /// A call began; the client says what it is.
    pub(super) fn started(&self, method: Method, client_version: &str) {
        self.of(method).started.inc();
        let streams = usize::from(method.kind() != Kind::Unary);
        for slot in &self.versions {
            let (version, counters) = slot.get_or_init(|| {
                let counter = |kind| self.by_version.with_label_values(&[kind, client_version]);
                (client_version.to_owned(), [counter("unary"), counter("stream")])
            });
            if version == client_version {
                counters[streams].inc();
                return;
            }
        }
        let kind = ["unary", "stream"][streams];
        self.by_version.with_label_values(&[kind, "unknown"]).inc();
    }

    /// A call ended. Its time is kept only with `--metrics=extensive`.
    pub(super) fn done(&self, method: Method, code: tonic::Code, took: Duration) {
        let counters = self.of(method);
        let code = usize::try_from(i32::from(code)).expect("codes are numbered from 0");
        counters.handled[code].inc();
        if let Some(histogram) = &counters.handling {
            histogram.observe(took.as_secs_f64());
        }
    }

    /// A message of a client came in.
    pub(super) fn received(&self, method: Method, bytes: usize) {
        self.of(method).received.inc();
        self.received_bytes.inc_by(bytes as u64);
    }

    /// A message went out to a client.
    pub(super) fn sent(&self, method: Method, bytes: usize) {
        self.of(method).sent.inc();
        self.sent_bytes.inc_by(bytes as u64);
    }

    fn of(&self, method: Method) -> &Counters {
        &self.by_method[method as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_make_series_without_end() {
        let catalog = Catalog::new();
        let calls = Calls::new(&catalog, MetricsDetail::Basic);
        for number in 0..1_000 {
            calls.started(Method::Put, &format!("3.{number}"));
        }
        let families = catalog.finish().gather();
        let family = families
            .iter()
            .find(|family| family.name() == "etcd_server_client_requests_total")
            .expect("counted");
        let series = family.get_metric();
        assert!(series.len() <= 2 * CLIENT_VERSIONS_MAX + 2);
        let total: f64 = series.iter().map(|metric| metric.get_counter().get_value()).sum();
        assert_eq!(total, 1_000.0);
    }

    #[test]
    fn codes_have_the_labels_of_their_numbers() {
        assert_eq!(CODES[tonic::Code::Unauthenticated as usize], "Unauthenticated");
        assert_eq!(CODES[tonic::Code::Unimplemented as usize], "Unimplemented");
        assert_eq!(CODES[tonic::Code::Cancelled as usize], "Canceled");
    }
}
