//! Flags that every command takes, and the environment variables that stand for them.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use clap::parser::ValueSource;

use crate::go::{duration, number};

/// The global flags' values.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Members to talk to, separated by commas: host:port, or a URL of http, https, unix or unixs
    #[arg(long, global = true, default_value = "127.0.0.1:2379", value_name = "LIST")]
    #[arg(help_heading = "Endpoints")]
    pub(crate) endpoints: Vec<String>,
    /// Say on standard error what the flags are and what happens to connections
    #[arg(long, global = true)]
    #[arg(help_heading = "Output")]
    pub(crate) debug: bool,
    /// Format of the output: simple, json, fields, protobuf or table
    #[arg(short, long, global = true, default_value = "simple", value_name = "FORMAT")]
    #[arg(help_heading = "Output")]
    pub(crate) write_out: String,
    /// Print keys and values as hexadecimal digits
    #[arg(long, global = true)]
    #[arg(help_heading = "Output")]
    pub(crate) hex: bool,
    /// How long one attempt to connect may take
    #[arg(long, global = true, default_value = "2s", value_name = "TIME",
          value_parser = duration::parse)]
    #[arg(help_heading = "Timeouts")]
    pub(crate) dial_timeout: Duration,
    /// How long a request may take, connecting included
    #[arg(long, global = true, default_value = "5s", value_name = "TIME",
          value_parser = duration::parse)]
    #[arg(help_heading = "Timeouts")]
    pub(crate) command_timeout: Duration,
    /// How often to ask a silent connection whether it is alive, at most every 10s
    #[arg(long, global = true, default_value = "2s", value_name = "TIME",
          value_parser = duration::parse)]
    #[arg(help_heading = "Timeouts")]
    pub(crate) keepalive_time: Duration,
    /// How long to wait for that answer
    #[arg(long, global = true, default_value = "6s", value_name = "TIME",
          value_parser = duration::parse)]
    #[arg(help_heading = "Timeouts")]
    pub(crate) keepalive_timeout: Duration,
    /// Don't use TLS unless an endpoint or a certificate asks for it
    #[arg(long, global = true, default_value_t = true)]
    #[arg(help_heading = "TLS")]
    pub(crate) insecure_transport: bool,
    /// Take endpoints that were discovered although their records aren't signed
    #[arg(long, global = true, default_value_t = true)]
    #[arg(help_heading = "Endpoints")]
    pub(crate) insecure_discovery: bool,
    /// Don't verify servers' certificates: for tests only
    #[arg(long, global = true)]
    #[arg(help_heading = "TLS")]
    pub(crate) insecure_skip_tls_verify: bool,
    /// Certificate to identify with, in PEM
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "FILE")]
    #[arg(help_heading = "TLS")]
    pub(crate) cert: String,
    /// Private key of that certificate, in PEM
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "FILE")]
    #[arg(help_heading = "TLS")]
    pub(crate) key: String,
    /// Certificates of the authorities to trust, in PEM
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "FILE")]
    #[arg(help_heading = "TLS")]
    pub(crate) cacert: String,
    /// Who to log in as, NAME or NAME:PASSWORD; a password that is missing is asked for
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "USER")]
    #[arg(help_heading = "Login")]
    pub(crate) user: String,
    /// Password of --user, which then has none
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "TEXT")]
    #[arg(help_heading = "Login")]
    pub(crate) password: String,
    /// Token to log in with instead
    #[arg(
        long,
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    #[arg(help_heading = "Login")]
    pub(crate) auth_jwt_token: String,
    /// Domain whose SRV records name the endpoints
    #[arg(
        short,
        long,
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "DOMAIN"
    )]
    #[arg(help_heading = "Endpoints")]
    pub(crate) discovery_srv: String,
    /// Name of the service in those records
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "NAME")]
    #[arg(help_heading = "Endpoints")]
    pub(crate) discovery_srv_name: String,
    /// Largest request to send, in bytes; 0 for 2 MiB
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    #[arg(help_heading = "Limits")]
    pub(crate) max_request_bytes: i64,
    /// Largest response to take, in bytes; 0 for 2 GiB
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    #[arg(help_heading = "Limits")]
    pub(crate) max_recv_bytes: i64,
}

/// A global flag by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GlobalFlag {
    pub(crate) name: &'static str,
    set: fn(&mut Global, &str) -> Result<(), String>,
    show: fn(&Global) -> String,
}

/// A flag whose field has the flag's name.
macro_rules! flag {
    ($field:ident, $name:literal, $parse:expr, $show:expr) => {
        GlobalFlag {
            name: $name,
            set: |global, text| {
                global.$field = $parse(text)?;
                Ok(())
            },
            show: |global| $show(&global.$field),
        }
    };
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn list(text: &str) -> Result<Vec<String>, String> {
    Ok(vec![text.to_owned()])
}

fn integer(text: &str) -> Result<i64, String> {
    number::parse_int(text, 0)
}

fn show_list(list: &[String]) -> String {
    format!("[{}]", list.join(","))
}

fn show_time(time: &Duration) -> String {
    duration::format(*time)
}

/// All of them, by name.
pub(crate) const FLAGS: [GlobalFlag; 21] = [
    flag!(auth_jwt_token, "auth-jwt-token", text, String::clone),
    flag!(cacert, "cacert", text, String::clone),
    flag!(cert, "cert", text, String::clone),
    flag!(command_timeout, "command-timeout", duration::parse, show_time),
    flag!(debug, "debug", number::parse_bool, bool::to_string),
    flag!(dial_timeout, "dial-timeout", duration::parse, show_time),
    flag!(discovery_srv, "discovery-srv", text, String::clone),
    flag!(discovery_srv_name, "discovery-srv-name", text, String::clone),
    flag!(endpoints, "endpoints", list, show_list),
    flag!(hex, "hex", number::parse_bool, bool::to_string),
    flag!(insecure_discovery, "insecure-discovery", number::parse_bool, bool::to_string),
    flag!(
        insecure_skip_tls_verify,
        "insecure-skip-tls-verify",
        number::parse_bool,
        bool::to_string
    ),
    flag!(insecure_transport, "insecure-transport", number::parse_bool, bool::to_string),
    flag!(keepalive_time, "keepalive-time", duration::parse, show_time),
    flag!(keepalive_timeout, "keepalive-timeout", duration::parse, show_time),
    flag!(key, "key", text, String::clone),
    flag!(max_recv_bytes, "max-recv-bytes", integer, i64::to_string),
    flag!(max_request_bytes, "max-request-bytes", integer, i64::to_string),
    flag!(password, "password", text, String::clone),
    flag!(user, "user", text, String::clone),
    flag!(write_out, "write-out", text, String::clone),
];

impl GlobalFlag {
    /// The flags that the command line has.
    pub(super) fn given(matches: &clap::ArgMatches) -> Vec<Self> {
        let is_given = |flag: &Self| {
            let id = flag.name.replace('-', "_");
            matches.value_source(&id) == Some(ValueSource::CommandLine)
        };
        FLAGS.into_iter().filter(is_given).collect()
    }

    /// The variable that stands for it.
    pub(crate) fn variable(self) -> String {
        format!("ETCDCTL_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// Whether its value must not be shown.
    pub(crate) fn is_secret(self) -> bool {
        ["password", "auth-jwt-token", "user"].contains(&self.name)
    }

    /// Gives it a value.
    pub(crate) fn set(self, global: &mut Global, value: &OsString) -> Result<(), String> {
        let value = value.to_str().ok_or("the value isn't UTF-8")?;
        (self.set)(global, value)
    }

    /// Its value as text.
    pub(crate) fn show(self, global: &Global) -> String {
        (self.show)(global)
    }
}
