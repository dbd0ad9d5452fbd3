//! Asks a peer for a sign of life now and then, to know how far away it is.

use super::client::call;
use super::peer::Peer;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// How often. etcd's number.
const PERIOD: Duration = Duration::from_secs(5);

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Probes a peer for ever. Whether it is reached at all is the streams' business.
pub(super) async fn probe(peer: Arc<Peer>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(url) = peer.url() else { continue };
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = http::Uri::from_static("/raft/probing");
        let asked = Instant::now();
        if call(&url, request, TIMEOUT).await.is_ok() {
            peer.metrics.probed(asked.elapsed());
        }
    }
}
