//! All peers, by id.

use super::compatible::{
    CLUSTER_ID, MIN_CLUSTER_VERSION, OLDEST, PEER_URLS, SERVER_FROM, SERVER_VERSION,
};
use super::incoming::listen;
use super::outgoing::OutgoingBody;
use super::peer::{Peer, Stream};
use super::pipeline::post_all;
use super::probe::probe;
use crate::flags::Url;
use crate::member::Mailbox;
use crate::metrics::Metrics;
use crate::version;
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::RwLock;
use retcd_api::etcdserverpb;
use retcd_api::raftpb::Message;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Members that aren't in the configuration and whom this one answers all the same, at most.
const REMOTES_MAX: usize = 16;

/// Who this member is to the others.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// The cluster's id.
    pub(crate) cluster: u64,
    /// Its own id.
    pub(crate) member: u64,
    /// Where it is reached.
    pub(crate) peer_urls: Vec<Url>,
}

impl Local {
    /// Adds the headers that say who asks.
    pub(super) fn sign(&self, headers: &mut HeaderMap) {
        let urls: Vec<String> = self.peer_urls.iter().map(Url::to_string).collect();
        for (name, value) in [
            (SERVER_FROM, format!("{:x}", self.member)),
            (SERVER_VERSION, version::ETCD.to_owned()),
            (MIN_CLUSTER_VERSION, OLDEST.to_owned()),
            (CLUSTER_ID, format!("{:x}", self.cluster)),
            (PEER_URLS, urls.join(",")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// What the tasks of all peers use.
pub(super) struct Shared {
    pub(super) local: Local,
    pub(super) mailbox: Mailbox,
}

impl Shared {
    /// A peer says that this member was removed.
    pub(super) fn removed(&self) {
        self.mailbox.removed();
    }
}

/// See the module's text.
pub(crate) struct Peers {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    /// Tasks are dealt out to these in turn.
    runtimes: Vec<Handle>,
    next_runtime: AtomicUsize,
    closing: watch::Receiver<bool>,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    /// Of the configuration.
    members: HashMap<u64, Arc<Peer>>,
    /// Others who have spoken to this member: it joins and doesn't know them yet, or they were
    /// removed and don't know it. They are only posted to.
    remotes: HashMap<u64, Arc<Peer>>,
}

impl Peers {
    /// Nobody yet.
    pub(crate) fn new(
        local: Local,
        mailbox: Mailbox,
        metrics: Arc<Metrics>,
        runtimes: Vec<Handle>,
        closing: watch::Receiver<bool>,
    ) -> Arc<Peers> {
        Arc::new(Peers {
            shared: Arc::new(Shared { local, mailbox }),
            metrics,
            runtimes,
            next_runtime: AtomicUsize::new(0),
            closing,
            table: RwLock::default(),
        })
    }

    /// Who this member is.
    pub(crate) fn local(&self) -> &Local {
        &self.shared.local
    }

    /// Hands a peer's message to raft.
    pub(crate) async fn deliver(&self, message: Message) {
        self.shared.mailbox.deliver(message).await;
    }

    /// Sends messages. Those that can't be are gone, and raft is told.
    pub(crate) fn send(&self, messages: Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        let table = self.table.read();
        for message in messages {
            let to = message.to;
            let peer = table.members.get(&to).or_else(|| table.remotes.get(&to));
            if let Some(peer) = peer
                && !peer.send(message)
            {
                self.shared.mailbox.unreachable(to);
            }
        }
    }

    /// Makes the configuration's members peers, and lets go of others.
    pub(crate) fn set_members(&self, members: &[etcdserverpb::Member]) {
        let own = self.shared.local.member;
        let mut table = self.table.write();
        table.members.retain(|id, peer| {
            let stays = members.iter().any(|member| member.id == *id);
            if !stays {
                // What is on its way, the notice of its own removal above all, still goes.
                tracing::info!("peer-id" = %format_args!("{id:x}"), "removed remote peer");
                self.close_later(peer.clone());
            }
            stays
        });
        for member in members.iter().filter(|member| member.id != own) {
            let urls = urls_of(&member.peer_ur_ls);
            if let Some(peer) = table.members.get(&member.id) {
                peer.move_to(urls);
                continue;
            }
            if let Some(remote) = table.remotes.remove(&member.id) {
                remote.close();
            }
            let peer = self.start(member.id, urls);
            for stream in [Stream::Append, Stream::Message] {
                let listening = listen(self.shared.clone(), peer.clone(), stream);
                peer.own(self.runtime().spawn(listening).abort_handle());
            }
            peer.own(self.runtime().spawn(probe(peer.clone())).abort_handle());
            tracing::info!("peer-id" = %format_args!("{:x}", member.id), "added remote peer");
            table.members.insert(member.id, peer);
        }
    }

    /// Answers somebody who isn't in the configuration, as far as it is known here.
    pub(crate) fn add_remote(&self, id: u64, peer_urls: &[String]) {
        let mut table = self.table.write();
        let is_known = id == self.shared.local.member
            || table.members.contains_key(&id)
            || table.remotes.contains_key(&id);
        if is_known || table.remotes.len() >= REMOTES_MAX {
            return;
        }
        let peer = self.start(id, urls_of(peer_urls));
        table.remotes.insert(id, peer);
    }

    /// A peer has dialled a stream: what is sent to it leaves there. `None` if it is no member.
    pub(super) fn attach(&self, id: u64, stream: Stream) -> Option<OutgoingBody> {
        let peer = self.table.read().members.get(&id)?.clone();
        let line = peer.attach(stream);
        Some(OutgoingBody::new(self.shared.clone(), peer, stream, line, self.closing.clone()))
    }

    /// Bytes came from a peer.
    pub(super) fn received(&self, id: u64, bytes: usize) {
        if let Some(peer) = self.table.read().members.get(&id) {
            peer.metrics.received.inc_by(bytes as u64);
        }
    }

    /// For how long a peer has answered; `None` if it doesn't.
    pub(crate) fn active_for(&self, id: u64) -> Option<Duration> {
        self.table.read().members.get(&id)?.active_for()
    }

    /// How often a peer has connected to this member; `None` if it isn't in the configuration.
    pub(crate) fn dials(&self, id: u64) -> Option<u64> {
        Some(self.table.read().members.get(&id)?.dials())
    }

    /// Where a peer is reached.
    pub(crate) fn urls(&self, id: u64) -> Vec<Url> {
        self.table.read().members.get(&id).map(|peer| peer.urls()).unwrap_or_default()
    }

    /// A peer whose posts go out.
    fn start(&self, id: u64, urls: Vec<Url>) -> Arc<Peer> {
        let (peer, posts) = Peer::new(id, urls, self.metrics.network().peer(id));
        let posting = post_all(self.shared.clone(), peer.clone(), posts);
        peer.own(self.runtime().spawn(posting).abort_handle());
        peer
    }

    fn close_later(&self, peer: Arc<Peer>) {
        self.runtime().spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.close();
        });
    }

    fn runtime(&self) -> &Handle {
        let number = self.next_runtime.fetch_add(1, Ordering::Relaxed);
        &self.runtimes[number % self.runtimes.len()]
    }
}

/// The URLs that can be understood: others come from versions that know more.
fn urls_of(texts: &[String]) -> Vec<Url> {
    texts.iter().filter_map(|text| Url::parse(text).ok()).collect()
}
