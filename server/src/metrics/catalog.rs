//! Makes metrics and enters them into a registry. Names, help texts, labels and buckets of those
//! called `etcd_…`, `grpc_…`, `process_…` and `os_…` are etcd's: dashboards and alerts match on
//! them.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, exponential_buckets,
};

/// A registry that is being filled.
///
/// # Panics
/// All functions panic if a name is taken or malformed: the names are constants of this program.
pub(super) struct Catalog(Registry);

impl Catalog {
    pub(super) fn new() -> Catalog {
        Catalog(Registry::new())
    }

    pub(super) fn finish(self) -> Registry {
        self.0
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.enter(IntCounter::new(name, help))
    }

    pub(super) fn float_counter(&self, name: &str, help: &str) -> Counter {
        self.enter(Counter::new(name, help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.enter(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.enter(IntGauge::new(name, help))
    }

    pub(super) fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.enter(Gauge::new(name, help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.enter(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: Buckets) -> Histogram {
        self.enter(Histogram::with_opts(buckets.options(name, help)))
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: Buckets,
        labels: &[&str],
    ) -> HistogramVec {
        self.enter(HistogramVec::new(buckets.options(name, help), labels))
    }

    fn enter<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect("names and labels of metrics are well-formed constants");
        self.0.register(Box::new(metric.clone())).expect("no two metrics have one name");
        metric
    }
}

/// Bounds of a histogram.
#[derive(Clone, Copy, Debug)]
pub(super) enum Buckets {
    /// Go's defaults, 5 ms to 10 s.
    Default,
    /// `count` bounds from `start`, each twice the one before.
    Doubling {
        /// First bound.
        start: f64,
        /// How many.
        count: usize,
    },
}

impl Buckets {
    fn options(self, name: &str, help: &str) -> HistogramOpts {
        let options = HistogramOpts::new(name, help);
        match self {
            Buckets::Default => options,
            Buckets::Doubling { start, count } => options.buckets(
                exponential_buckets(start, 2.0, count).expect("the bounds are constants and grow"),
            ),
        }
    }
}

/// 1 ms to 8.2 s: etcd's bounds for everything about disks.
pub(super) const DISK: Buckets = Buckets::Doubling { start: 0.001, count: 14 };
