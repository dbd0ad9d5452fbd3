//! The flags about the cluster: membership, discovery, and the v2 proxy of old.

use super::Role::{Gone, Later, Works};
use super::{Flag, Key, section};
use crate::flags::value::Kind::{Bool, Choice, Choices, Duration, Int, Set, Text, Uint, Urls};

/// What discovery has no function for.
const DISCOVERY_TLS: &str = "TLS to the discovery service";

pub(super) const CLUSTERING: &[Flag] = section! { Clustering:
    "initial-advertise-peer-urls", Urls, "http://localhost:2380", Works;
    "This member's peer URLs, told to the cluster."
    "initial-cluster", Text, "default=http://localhost:2380", Works;
    "Members at bootstrap: name=url,…"
    "initial-cluster-state", Choice(&["new", "existing"]), "new", Works;
    "Whether the cluster is 'new' or 'existing'."
    "initial-cluster-token", Text, "etcd-cluster", Works;
    "Token that goes into the ids of cluster and members."
    "advertise-client-urls", Urls, "http://localhost:2379", Works;
    "This member's client URLs, told to the cluster; needed with --listen-client-urls."
    "discovery", Text, "", Works;
    "URL of the cluster's directory in a v2 discovery service, where its founders meet."
    "discovery-fallback", Choice(&["exit", "proxy"]), "exit", Works;
    "What a full cluster leads to: 'exit'. There is no 'proxy'."
    "discovery-proxy", Text, "", Works;
    "HTTP proxy on the way to the v2 discovery service."
    "discovery-srv", Text, "", Works;
    "DNS domain whose SRV records name the members: _etcd-server-ssl._tcp and _etcd-server._tcp."
    "discovery-srv-name", Text, "", Works;
    "What follows the service's name in the SRV records, after a dash."
    "strict-reconfig-check", Bool, "true", Works;
    "Refuses changes of the membership that endanger the quorum."
    "pre-vote", Bool, "true", Works;
    "Asks before an election whether it could be won."
    "max-learners", Int, "1", Works;
    "Most learners in the cluster."
    "auto-compaction-retention", Text, "0", Works;
    "What automatic compaction keeps: a duration, hours, or revisions; 0 for all."
    "auto-compaction-mode", Text, "periodic", Works;
    "Unit of --auto-compaction-retention: 'periodic' or 'revision'."
    "enable-v2", Bool, "false", Gone("the v2 API", &[]);
    "Serves the v2 API."
    "v2-deprecation", Choices(&["not-yet", "write-only", "write-only-drop-data", "gone"]),
    "not-yet", Gone("the v2 store", &["write-only", "write-only-drop-data", "gone"]);
    "What becomes of data in the v2 store; there is none here."
};

pub(super) const DISCOVERY: &[Flag] = section! { Discovery:
    "discovery-endpoints", Set, "", Works,
    @ Key::Path("discovery-config.client.endpoints");
    "host:port,… of a cluster with a registry, where this cluster's founders meet."
    "discovery-token", Text, "", Works,
    @ Key::Path("discovery-config.token");
    "Token of the cluster that is being made."
    "discovery-dial-timeout", Duration, "2s", Works,
    @ Key::Path("discovery-config.client.dial-timeout");
    "Timeout for connecting."
    "discovery-request-timeout", Duration, "5s", Works,
    @ Key::Path("discovery-config.client.request-timeout");
    "Timeout of a request."
    "discovery-keepalive-time", Duration, "2s", Works,
    @ Key::Path("discovery-config.client.keepalive-time");
    "Time between pings; less than 10 s means 10 s."
    "discovery-keepalive-timeout", Duration, "6s", Works,
    @ Key::Path("discovery-config.client.keepalive-timeout");
    "Time that a ping may stay unanswered."
    "discovery-insecure-transport", Bool, "true", Later(DISCOVERY_TLS, &[]),
    @ Key::Path("discovery-config.client.secure.insecure-transport");
    "Connects without TLS."
    "discovery-insecure-skip-tls-verify", Bool, "false", Later(DISCOVERY_TLS, &[]),
    @ Key::Path("discovery-config.client.secure.insecure-skip-tls-verify");
    "Doesn't check the service's certificate."
    "discovery-cert", Text, "", Later(DISCOVERY_TLS, &[]),
    @ Key::Path("discovery-config.client.secure.cert");
    "Client certificate."
    "discovery-key", Text, "", Later(DISCOVERY_TLS, &[]),
    @ Key::Path("discovery-config.client.secure.key");
    "Its key."
    "discovery-cacert", Text, "", Later(DISCOVERY_TLS, &[]),
    @ Key::Path("discovery-config.client.secure.cacert");
    "Authority that signed the service's certificate."
    "discovery-user", Text, "", Works,
    @ Key::Path("discovery-config.client.auth.username");
    "User, or user:password."
    "discovery-password", Text, "", Works,
    @ Key::Path("discovery-config.client.auth.password");
    "Password, when --discovery-user has none."
};

pub(super) const PROXY: &[Flag] = section! { Proxy:
    "proxy", Choice(&["off", "readonly", "on"]), "off", Gone("the v2 proxy", &[]);
    "Runs as a proxy for the v2 API: off, readonly or on."
    "proxy-failure-wait", Uint, "5000", Gone("the v2 proxy", &[]);
    "How long, in milliseconds, a failed endpoint is left alone."
    "proxy-refresh-interval", Uint, "30000", Gone("the v2 proxy", &[]);
    "Milliseconds between refreshes of the endpoints."
    "proxy-dial-timeout", Uint, "1000", Gone("the v2 proxy", &[]);
    "Timeout for connecting, in milliseconds."
    "proxy-write-timeout", Uint, "5000", Gone("the v2 proxy", &[]);
    "Timeout of a write, in milliseconds."
    "proxy-read-timeout", Uint, "0", Gone("the v2 proxy", &[]);
    "Timeout of a read, in milliseconds."
};
