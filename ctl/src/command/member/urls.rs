//! URLs of members, which are checked before they are sent, in etcd's words.

use crate::failure::{Failure, Outcome};
use crate::go::quote;

/// The URLs of a list that is separated by commas.
pub(super) fn split(list: &str) -> Outcome<Vec<String>> {
    if list.is_empty() {
        return Err(Failure::bad_arguments("member peer urls not provided"));
    }
    Ok(list.split(',').map(str::to_owned).collect())
}

/// Whether members may be told these.
pub(super) fn check(urls: &[String]) -> Outcome {
    urls.iter().try_for_each(|url| check_one(url.trim()).map_err(Failure::error))
}

fn check_one(url: &str) -> Result<(), String> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme && url.split('/').next().is_some_and(|first| first.contains(':')) {
        let quoted = quote(url.as_bytes());
        return Err(format!("parse {quoted}: first path segment in URL cannot contain colon"));
    }
    let scheme = if is_scheme { scheme.to_lowercase() } else { String::new() };
    if !["http", "https", "unix", "unixs"].contains(&scheme.as_str()) {
        return Err(format!("URL scheme must be http, https, unix, or unixs: {url}"));
    }
    let rest = &url[scheme.len() + 1..];
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let has_port = host.rsplit_once(':').is_some_and(|(name, _)| {
        let is_bracketed = name.starts_with('[') && name.ends_with(']');
        is_bracketed || !name.contains([':', '[', ']'])
    });
    if !has_port {
        return Err(format!("URL address does not have the form \"host:port\": {url}"));
    }
    if path.starts_with('/') {
        return Err(format!("URL must not contain a path: {url}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_one;

    #[test]
    fn what_isnt_a_members_url_is_said_in_etcds_words() {
        for url in ["http://127.0.0.1:2380", "https://[::1]:2380", "unix://etcd:2380"] {
            assert_eq!(check_one(url), Ok(()), "{url}");
        }
        let scheme = "URL scheme must be http, https, unix, or unixs";
        let port = "URL address does not have the form \"host:port\"";
        for (url, message) in [
            ("127.0.0.1", format!("{scheme}: 127.0.0.1")),
            ("ftp://a:1", format!("{scheme}: ftp://a:1")),
            ("localhost:2380", format!("{scheme}: localhost:2380")),
            ("http://h", format!("{port}: http://h")),
            ("http://::1:2380", format!("{port}: http://::1:2380")),
            ("http://a:1/b", "URL must not contain a path: http://a:1/b".to_owned()),
            (
                "127.0.0.1:1",
                "parse \"127.0.0.1:1\": first path segment in URL cannot contain colon".to_owned(),
            ),
        ] {
            assert_eq!(check_one(url), Err(message));
        }
    }
}
