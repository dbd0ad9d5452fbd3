//! The flags about watching and operating a member, and what fits nowhere else.

use super::Role::{Gone, Later, Legacy, Moot, Works};
use super::{Flag, Key, section};
use crate::flags::value::Kind::{Bool, Duration, Gates, Ignored, Int, Set, Text, Uint};

pub(super) const PROFILING: &[Flag] = section! { Profiling:
    "enable-pprof", Bool, "false", Moot("there is no Go runtime to profile");
    "Serves Go's profiles under /debug/pprof/."
    "metrics", Text, "basic", Works;
    "'extensive' adds histograms of gRPC calls."
};

pub(super) const LOGGING: &[Flag] = section! { Logging:
    "logger", Text, "zap", Works;
    "Form of the log; only 'zap' (JSON lines)."
    "log-outputs", Set, "default", Works;
    "Where the log goes: default, stderr, stdout, or files."
    "log-level", Text, "info", Works;
    "debug, info, warn, error, panic or fatal."
    "log-format", Text, "json", Later("the console format of the log", &[]);
    "json or console."
    "enable-log-rotation", Bool, "false", Later("log rotation", &[]);
    "Rotates the one file among --log-outputs."
    "log-rotation-config-json", Text,
    "{\"maxsize\": 100, \"maxage\": 0, \"maxbackups\": 0, \"localtime\": false, \
     \"compress\": false}",
    Moot("log rotation is off");
    "How the file is rotated."
    "log-output", Set, "default", Gone("--log-output of 3.4; use --log-outputs", &["stderr"]);
    "Name of --log-outputs in 3.4."
    "log-package-levels", Text, "", Gone("levels per package", &[]);
    "Levels per package in 3.4."
    "debug", Bool, "false", Gone("--debug of 3.4; use --log-level=debug", &[]);
    "Debug level in 3.4."
};

pub(super) const TRACING: &[Flag] = section! { Tracing:
    "enable-distributed-tracing", Bool, "false", Later("distributed tracing", &[]);
    "Sends traces to a collector."
    "distributed-tracing-address", Text, "localhost:4317", Moot("tracing is off");
    "Address of the collector."
    "distributed-tracing-service-name", Text, "etcd", Moot("tracing is off");
    "Name of the service in traces."
    "distributed-tracing-instance-id", Text, "", Moot("tracing is off");
    "This instance's id in traces."
    "distributed-tracing-sampling-rate", Int, "0", Moot("tracing is off");
    "Traces kept out of a million."
};

pub(super) const FEATURES: &[Flag] = section! { Features:
    "feature-gates", Gates, "", Works;
    "Features by name: Name=true,…"
    "watch-progress-notify-interval", Duration, "0s", Works;
    "Time between progress notices of a quiet watch; 0 for 10m, at least 100ms."
    "warning-apply-duration", Duration, "100ms", Works;
    "Entries that take longer to apply are logged."
    "warning-unary-request-duration", Duration, "300ms", Later("the log of slow requests", &[]);
    "Calls that take longer are logged."
    "corrupt-check-time", Duration, "0s", Works;
    "Time between checks of the members' hashes, 0 for none."
    "compact-hash-check-time", Duration, "1m0s", Works;
    "Time between comparisons of compaction hashes."
    "compaction-batch-limit", Int, "0", Moot("compaction isn't done in batches");
    "Revisions removed in one batch of a compaction."
    "compaction-sleep-interval", Duration, "0s", Moot("compaction isn't done in batches");
    "Pause between batches of a compaction."
    "bootstrap-defrag-threshold-megabytes", Uint, "0", Moot("nothing needs defragmentation");
    "Defragments at start if that frees as much."
    "downgrade-check-time", Duration, "5s", Later("downgrades", &[]);
    "Time between looks at a downgrade."
};

pub(super) const UNSAFE: &[Flag] = section! { Unsafe:
    "force-new-cluster", Bool, "false", Works;
    "Makes a cluster of this member alone from its data."
    "unsafe-no-fsync", Bool, "false", Works;
    "Syncs nothing: a crash of the machine loses data."
};

pub(super) const MISC: &[Flag] = section! { Misc:
    "config-file", Text, "", Works, @ Key::Absent;
    "Configuration in YAML or JSON; other flags and the environment are then ignored."
    "enable-grpc-gateway", Bool, "true", Moot("the JSON gateway isn't there yet");
    "Serves JSON under /v3."
    "version", Bool, "false", Works, @ Key::Absent;
    "Prints the version and ends."
};

pub(super) const LEGACY: &[Flag] = section! { Misc:
    "cluster-active-size", Ignored, "", Legacy, @ Key::Absent; ""
    "cluster-remove-delay", Ignored, "", Legacy, @ Key::Absent; ""
    "cluster-sync-interval", Ignored, "", Legacy, @ Key::Absent; ""
    "config", Ignored, "", Legacy, @ Key::Absent; ""
    "force", Ignored, "", Legacy, @ Key::Absent; ""
    "max-result-buffer", Ignored, "", Legacy, @ Key::Absent; ""
    "max-retry-attempts", Ignored, "", Legacy, @ Key::Absent; ""
    "peer-heartbeat-interval", Ignored, "", Legacy, @ Key::Absent; ""
    "peer-election-timeout", Ignored, "", Legacy, @ Key::Absent; ""
    "retry-interval", Ignored, "", Legacy, @ Key::Absent; ""
    "snapshot", Ignored, "", Legacy, @ Key::Absent; ""
    "v", Ignored, "", Legacy, @ Key::Absent; ""
    "vv", Ignored, "", Legacy, @ Key::Absent; ""
    "test.coverprofile", Ignored, "", Legacy, @ Key::Absent; ""
    "test.outputdir", Ignored, "", Legacy, @ Key::Absent; ""
};
