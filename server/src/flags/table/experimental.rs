//! Names that 3.4 to 3.6 had on trial. Most became plain flags or feature gates in 3.6.

use super::Role::{Gate, Gone, Same};
use super::{Flag, Key, section};
use crate::flags::value::Kind::{Bool, Duration, Int, Text, Uint, Uint64};

pub(super) const EXPERIMENTAL: &[Flag] = section! { Experimental:
    "experimental-backend-bbolt-freelist-type", Text, "map", Same("backend-bbolt-freelist-type");
    "See --backend-bbolt-freelist-type."
    "experimental-bootstrap-defrag-threshold-megabytes", Uint, "0",
    Same("bootstrap-defrag-threshold-megabytes");
    "See --bootstrap-defrag-threshold-megabytes."
    "experimental-compact-hash-check-enabled", Bool, "false", Gate("CompactHashCheck");
    "Compares compaction hashes between members."
    "experimental-compact-hash-check-time", Duration, "1m0s", Same("compact-hash-check-time");
    "See --compact-hash-check-time."
    "experimental-compaction-batch-limit", Int, "0", Same("compaction-batch-limit");
    "See --compaction-batch-limit."
    "experimental-compaction-sleep-interval", Duration, "0s", Same("compaction-sleep-interval");
    "See --compaction-sleep-interval."
    "experimental-corrupt-check-time", Duration, "0s", Same("corrupt-check-time");
    "See --corrupt-check-time."
    "experimental-distributed-tracing-address", Text, "localhost:4317",
    Same("distributed-tracing-address");
    "See --distributed-tracing-address."
    "experimental-distributed-tracing-instance-id", Text, "",
    Same("distributed-tracing-instance-id");
    "See --distributed-tracing-instance-id."
    "experimental-distributed-tracing-sampling-rate", Int, "0",
    Same("distributed-tracing-sampling-rate");
    "See --distributed-tracing-sampling-rate."
    "experimental-distributed-tracing-service-name", Text, "etcd",
    Same("distributed-tracing-service-name");
    "See --distributed-tracing-service-name."
    "experimental-downgrade-check-time", Duration, "5s", Same("downgrade-check-time");
    "See --downgrade-check-time."
    "experimental-enable-distributed-tracing", Bool, "false",
    Same("enable-distributed-tracing");
    "See --enable-distributed-tracing."
    "experimental-enable-lease-checkpoint", Bool, "false", Gate("LeaseCheckpoint");
    "Tells all members from time to time how long leases have left."
    "experimental-enable-lease-checkpoint-persist", Bool, "false",
    Gate("LeaseCheckpointPersist");
    "Keeps that over a restart."
    "experimental-enable-v2v3", Text, "", Gone("the v2 API", &[]);
    "Serves the v2 API over v3 data under a prefix."
    "experimental-initial-corrupt-check", Bool, "false", Gate("InitialCorruptCheck");
    "Compares data with other members before serving."
    "experimental-memory-mlock", Bool, "false", Same("memory-mlock");
    "See --memory-mlock."
    "experimental-peer-skip-client-san-verification", Bool, "false",
    Same("peer-skip-client-san-verification");
    "See --peer-skip-client-san-verification."
    "experimental-set-member-localaddr", Bool, "false", Gate("SetMemberLocalAddr");
    "Calls other members from an address that is advertised."
    "experimental-snapshot-catchup-entries", Uint64, "5000", Same("snapshot-catchup-entries"),
    @ Key::Path("experimental-snapshot-catch-up-entries");
    "See --snapshot-catchup-entries."
    "experimental-stop-grpc-service-on-defrag", Bool, "false", Gate("StopGRPCServiceOnDefrag");
    "Reports not serving while defragmenting."
    "experimental-txn-mode-write-with-shared-buffer", Bool, "true",
    Gate("TxnModeWriteWithSharedBuffer");
    "Reads of a writing transaction share a buffer."
    "experimental-warning-apply-duration", Duration, "100ms", Same("warning-apply-duration");
    "See --warning-apply-duration."
    "experimental-warning-unary-request-duration", Duration, "300ms",
    Same("warning-unary-request-duration");
    "See --warning-unary-request-duration."
    "experimental-watch-progress-notify-interval", Duration, "0s",
    Same("watch-progress-notify-interval");
    "See --watch-progress-notify-interval."
};
