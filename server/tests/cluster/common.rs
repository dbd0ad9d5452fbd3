//! What the tests of clusters share.

use etcd_client::{Client, Error, HashKvResponse, Member, MemberAddOptions};
use retcd_testkit::{Cluster, ServerOptions, WireCutter};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Nothing that these tests wait for takes longer, unless it will never come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What is said of a request that may have been carried out all the same, ...
pub(crate) const TIMED_OUT: &str = "etcdserver: request timed out";

/// ... and if the leader was lost meanwhile.
pub(crate) const LEADER_FAILED: &str =
    "etcdserver: request timed out, possibly due to previous leader failure";

/// A cluster, and the folder that goes with it. The processes go first.
pub(crate) struct Members {
    pub(crate) cluster: Cluster,
    _folder: TempDir,
}

impl Members {
    /// Founds a cluster.
    pub(crate) fn found(size: usize, arguments: &[&str]) -> Members {
        Members::found_behind(size, arguments, None)
    }

    /// Founds a cluster whose members can be parted. Answers their ids, too.
    pub(crate) async fn found_to_be_parted(
        size: usize,
        cutter: &WireCutter,
    ) -> (Members, Vec<u64>) {
        let members = Members::found_behind(size, &[], Some(cutter));
        let mut ids = Vec::new();
        for number in 0..size {
            let status = soon(members.client(number).await.status()).await.expect("status");
            let id = status.header().expect("a header").member_id();
            members.cluster.tell_id(number, id);
            ids.push(id);
        }
        (members, ids)
    }

    fn found_behind(size: usize, arguments: &[&str], cutter: Option<&WireCutter>) -> Members {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let binary: PathBuf = match std::env::var_os("RETCD_TEST_SERVER") {
            Some(path) => path.into(),
            None => env!("CARGO_BIN_EXE_etcd").into(),
        };
        let mut options = ServerOptions::new(binary, folder.path()).patience(PATIENCE);
        options.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let cluster = Cluster::start_behind(options, folder.path(), size, cutter);
        let cluster = cluster.unwrap_or_else(|error| panic!("{error}"));
        Members { cluster, _folder: folder }
    }

    /// Adds a member through member `through`, and starts it. Answers its number and id.
    pub(crate) async fn add(
        &mut self,
        through: usize,
        is_learner: bool,
        gone: &[usize],
    ) -> (usize, u64) {
        let (addresses, url) = self.cluster.next_member().expect("free ports");
        let mut client = self.client(through).await;
        let options = MemberAddOptions::new();
        let options = if is_learner { options.with_is_learner() } else { options };
        let added = soon(async {
            let mut is_again = false;
            loop {
                let added = client.member_add([url.clone()], Some(options.clone())).await;
                match added.as_ref().map_err(message) {
                    Ok(added) => return added.member().map(|member| member.id()),
                    // Peers count as connected after some seconds.
                    Err("etcdserver: unhealthy cluster") => {}
                    Err(TIMED_OUT | LEADER_FAILED) => is_again = true,
                    Err("etcdserver: Peer URLs already exists") if is_again => {
                        let list = client.member_list().await.expect("list");
                        let is_it = |member: &&Member| member.peer_urls().contains(&url);
                        return list.members().iter().find(is_it).map(Member::id);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        });
        let id = added.await.expect("the new member");
        let number = self.cluster.join(addresses, gone).unwrap_or_else(|error| panic!("{error}"));
        (number, id)
    }

    /// Gives a learner a vote, through member `through`, as soon as it knows enough.
    pub(crate) async fn promote(&self, through: usize, id: u64) {
        let mut client = self.client(through).await;
        soon(async {
            while let Err(error) = client.member_promote(id).await {
                let early = "can only promote a learner member which is in sync with leader";
                assert!(message(&error).contains(early), "{error}");
            }
        })
        .await;
    }

    /// A client of one member.
    pub(crate) async fn client(&self, number: usize) -> Client {
        let endpoint = self.cluster.endpoint(number);
        Client::connect([endpoint], None).await.expect("the server accepts connections")
    }

    /// The number of the member that leads, as soon as one of `among` says that one does.
    pub(crate) async fn leader(&self, among: &[usize]) -> usize {
        let found = async {
            loop {
                for &number in among {
                    let mut client = self.client(number).await;
                    let Ok(status) = client.status().await else { continue };
                    let own = status.header().map(|header| header.member_id());
                    if own == Some(status.leader()) {
                        return number;
                    }
                }
            }
        };
        soon(found).await
    }

    /// Waits until all of `among` have applied what is committed, and their content is the same.
    pub(crate) async fn agree(&self, among: &[usize]) {
        let newest_is_same = async || {
            let mut hashes = Vec::new();
            for &number in among {
                let hash = self.client(number).await.hash_kv(0).await;
                let revision =
                    |hash: &HashKvResponse| hash.header().map(|header| header.revision());
                hashes.push(hash.map(|hash| (revision(&hash), hash.hash())));
            }
            are_same(hashes)
        };
        soon(async { while !newest_is_same().await {} }).await;
    }

    /// Waits until the content of all of `among` is the same as of what is the newest now; others
    /// may go on writing.
    pub(crate) async fn agree_on_now(&self, among: &[usize]) {
        let read = soon(self.client(among[0]).await.get("key", None)).await.expect("get");
        let revision = read.header().expect("a header").revision();
        let content_is_same = async || {
            let mut hashes = Vec::new();
            for &number in among {
                let hash = self.client(number).await.hash_kv(revision).await;
                hashes.push(hash.map(|hash| hash.hash()));
            }
            are_same(hashes)
        };
        soon(async { while !content_is_same().await {} }).await;
    }
}

/// Whether all were answered, and alike.
fn are_same<T: PartialEq>(answers: Vec<Result<T, Error>>) -> bool {
    let all: Result<Vec<_>, _> = answers.into_iter().collect();
    all.is_ok_and(|all| all.windows(2).all(|pair| pair[0] == pair[1]))
}

/// Runs something in the midst of a test of threads.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// Waits for an answer, but not for ever.
pub(crate) async fn soon<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, answer).await.expect("an answer before the deadline")
}

/// What the server says of a refusal.
pub(crate) fn message(error: &Error) -> &str {
    match error {
        Error::GRpcStatus(status) => status.message(),
        other => panic!("not a status of the server: {other}"),
    }
}
