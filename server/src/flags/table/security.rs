//! The flags about TLS, the checks of HTTP requests, and authentication.

use super::Role::{Later, Moot, Works};
use super::{Flag, Key, section};
use crate::flags::value::Kind::{Bool, List, Origins, Set, Text, Uint};

pub(super) const SECURITY: &[Flag] = section! { Security:
    "cert-file", Text, "", Later("TLS", &[]), @ Key::Path("client-transport-security.cert-file");
    "Certificate shown to clients."
    "key-file", Text, "", Later("TLS", &[]), @ Key::Path("client-transport-security.key-file");
    "Its key."
    "client-cert-file", Text, "", Later("TLS", &[]),
    @ Key::Path("client-transport-security.client-cert-file");
    "Certificate that the server shows to itself when clients must have one."
    "client-key-file", Text, "", Later("TLS", &[]),
    @ Key::Path("client-transport-security.client-key-file");
    "Its key."
    "client-cert-auth", Bool, "false", Later("TLS", &[]),
    @ Key::Path("client-transport-security.client-cert-auth");
    "Wants a certificate of every client."
    "client-crl-file", Text, "", Later("TLS", &[]), @ Key::Absent;
    "Certificates of clients that have been revoked."
    "client-cert-allowed-hostname", List, "", Later("TLS", &[]),
    @ Key::Path("client-transport-security.allowed-hostname");
    "Host names, one of which a client's certificate must carry."
    "trusted-ca-file", Text, "", Later("TLS", &[]),
    @ Key::Path("client-transport-security.trusted-ca-file");
    "Authority that signs clients' certificates."
    "auto-tls", Bool, "false", Later("TLS", &[]),
    @ Key::Path("client-transport-security.auto-tls");
    "Makes a certificate for clients."
    "peer-cert-file", Text, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.cert-file");
    "Certificate shown to other members."
    "peer-key-file", Text, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.key-file");
    "Its key."
    "peer-client-cert-file", Text, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.client-cert-file");
    "Certificate for calls to other members, if it is another one."
    "peer-client-key-file", Text, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.client-key-file");
    "Its key."
    "peer-client-cert-auth", Bool, "false", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.client-cert-auth");
    "Wants a certificate of every other member."
    "peer-trusted-ca-file", Text, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.trusted-ca-file");
    "Authority that signs members' certificates."
    "peer-cert-allowed-cn", List, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.allowed-cn");
    "Common names, one of which a member's certificate must carry."
    "peer-cert-allowed-hostname", List, "", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.allowed-hostname");
    "Host names, one of which a member's certificate must carry."
    "peer-auto-tls", Bool, "false", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.auto-tls");
    "Makes a certificate for other members."
    "peer-crl-file", Text, "", Later("TLS", &[]), @ Key::Absent;
    "Certificates of members that have been revoked."
    "peer-skip-client-san-verification", Bool, "false", Later("TLS", &[]),
    @ Key::Path("peer-transport-security.skip-client-san-verification");
    "Doesn't compare a member's address with its certificate."
    "self-signed-cert-validity", Uint, "1", Moot("there is no TLS yet");
    "Years for which certificates made here are valid."
    "cipher-suites", List, "", Moot("there is no TLS yet");
    "TLS cipher suites by their Go names; empty for the defaults."
    "tls-min-version", Text, "TLS1.2", Moot("there is no TLS yet");
    "Oldest version of TLS: TLS1.2 or TLS1.3."
    "tls-max-version", Text, "", Moot("there is no TLS yet");
    "Newest version of TLS; empty for the newest there is."
    "cors", Origins, "*", Works;
    "Origins that browsers may send requests from, * for all."
    "host-whitelist", Set, "*", Works;
    "Host names accepted in plain HTTP requests, * for all."
};

pub(super) const AUTH: &[Flag] = section! { Auth:
    "auth-token", Text, "simple", Later("authentication", &[]);
    "Kind of token: 'simple', or 'jwt' and its options."
    "bcrypt-cost", Uint, "10", Later("authentication", &[]);
    "Cost of hashing a password, 4 to 31."
    "auth-token-ttl", Uint, "300", Later("authentication", &[]);
    "Seconds for which a simple token is valid."
};
