//! The flags of the member itself and of its storage.

use super::Role::{Later, Moot, Works};
use super::{Flag, Key, section};
use crate::flags::value::Kind::Bool;
use crate::flags::value::Kind::{Choice, Duration, Int, Int64, Text, Uint, Uint32, Uint64, Urls};

pub(super) const MEMBER: &[Flag] = section! { Member:
    "name", Text, "default", Works;
    "Name of this member; an entry of --initial-cluster must carry it."
    "data-dir", Text, "", Works;
    "Data directory; '${name}.etcd' when empty."
    "wal-dir", Text, "", Works;
    "Directory of the log; DATA/member/wal when empty."
    "snapshot-count", Uint64, "100000", Works;
    "Applied entries after which the engine is flushed and the log cut, at most 150000."
    "snapshot-catchup-entries", Uint64, "5000", Later("keeping entries for slow followers", &[]);
    "Entries kept after a cut of the log, for slow followers."
    "heartbeat-interval", Uint, "100", Works;
    "Length of a tick in milliseconds: a leader's heartbeat."
    "election-timeout", Uint, "1000", Works;
    "Silence in milliseconds after which an election starts; 5 heartbeats to 50000."
    "initial-election-tick-advance", Bool, "true",
    Moot("a lone member campaigns at once");
    "Whether the ticks before the first election are skipped."
    "listen-peer-urls", Urls, "http://localhost:2380", Works;
    "URLs to listen on for other members."
    "listen-client-urls", Urls, "http://localhost:2379", Works;
    "URLs to listen on for clients."
    "listen-client-http-urls", Urls, "", Works;
    "URLs for HTTP requests of clients; --listen-client-urls then serve gRPC only."
    "listen-metrics-urls", Urls, "", Works;
    "Further URLs to listen on for metrics and health."
    "max-snapshots", Uint, "5", Moot("there are no snapshot files");
    "Snapshot files to keep, 0 for all."
    "max-wals", Uint, "5", Works;
    "Log segments to keep for slow members, 0 for all."
    "quota-backend-bytes", Int64, "0", Works;
    "Size at which NOSPACE is raised; 0 for 2 GiB, negative for none."
    "backend-bbolt-freelist-type", Text, "map",
    Moot("there is one kind of it");
    "Kind of bbolt's free list: array or map."
    "backend-batch-interval", Duration, "0s", Works;
    "Longest time that one batch of applied entries takes, and of the btree engine's between two \
    commits; 0 for 100ms."
    "backend-batch-limit", Int, "0", Works;
    "Most operations in one batch of applied entries, and in one commit of the btree engine; 0 \
    for 10000."
    "max-txn-ops", Uint, "128", Works;
    "Most operations in one transaction."
    "max-request-bytes", Uint, "1572864", Works;
    "Largest request of a client."
    "max-concurrent-streams", Uint32, "4294967295", Works;
    "Most streams that one client connection may have open."
    "grpc-keepalive-min-time", Duration, "5s", Moot("clients may ping as often as they like");
    "Shortest time between two pings of a client that is tolerated."
    "grpc-keepalive-interval", Duration, "2h0m0s", Works;
    "Time between pings of the server, 0 for none."
    "grpc-keepalive-timeout", Duration, "20s", Works;
    "Time after an unanswered ping until the connection is closed."
    "socket-reuse-port", Bool, "false", Later("SO_REUSEPORT", &[]),
    @ Key::Path("socket-options.reuse-port");
    "Sets SO_REUSEPORT on listeners."
    "socket-reuse-address", Bool, "false", Later("SO_REUSEADDR", &[]),
    @ Key::Path("socket-options.reuse-address");
    "Sets SO_REUSEADDR on listeners."
    "raft-read-timeout", Duration, "5s", Later("the peer protocol", &[]), @ Key::Absent;
    "Read timeout of connections between members."
    "raft-write-timeout", Duration, "5s", Later("the peer protocol", &[]), @ Key::Absent;
    "Write timeout of connections between members."
    "memory-mlock", Bool, "false", Later("locking memory", &[]);
    "Keeps the process in memory."
};

pub(super) const STORAGE: &[Flag] = section! { Storage:
    "wal-group-bytes", Uint, "1048576", Works;
    "Bytes at which a group of the log is closed; one larger entry still fits."
    "wal-group-delay", Duration, "0s", Works;
    "How long the log waits for a fuller group."
    "wal-compress-bytes", Uint, "65536", Works;
    "Groups of the log with so many bytes are compressed, if it saves something; 0 for none."
    "wal-depth", Uint, "1", Works;
    "Groups of the log in flight at once, 1 to 64; more than 1 needs io_uring."
    "wal-io", Choice(&["auto", "direct", "buffered", "uring"]), "auto", Works;
    "How the log writes: direct, buffered, uring, or auto: the first that is there of uring for \
    a depth above 1, direct, buffered."
    "backend-engine", Choice(&["lsm", "btree"]), "lsm", Works;
    "How keys are kept on the disk; a data directory stays with the one that it was made with."
    "memtable-bytes", Uint, "67108864", Works;
    "Size at which the memtable is frozen and flushed."
    "block-cache-bytes", Uint, "134217728", Works;
    "Memory for blocks of tables, or for pages of the tree."
    "scrub-interval", Duration, "24h0m0s", Works;
    "Time between two passes that look for damage in the engine's files; 0 for none."
    "scrub-bytes-per-second", Uint, "16777216", Works;
    "How fast such a pass reads."
    "compaction-threads", Uint, "1", Works;
    "Threads for flushes and merges, 1 to 4."
};
