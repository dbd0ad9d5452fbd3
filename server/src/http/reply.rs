//! Answers as Go's `net/http` writes them.

use ::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;

use super::Page;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// 200 with a content of this type.
pub(super) fn typed(content_type: &'static str, content: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(content.into()));
    let content_type = HeaderValue::from_static(content_type);
    page.headers_mut().insert(header::CONTENT_TYPE, content_type);
    page
}

/// 200 with a text, as it looks when the handler doesn't name a type.
pub(super) fn plain(text: impl Into<Bytes>) -> Page {
    typed("text/plain; charset=utf-8", text)
}

/// An error: the text and a newline, and a header that keeps browsers from guessing the type.
pub(super) fn error(status: StatusCode, text: &str) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *page.status_mut() = status;
    page.headers_mut().insert(header::CONTENT_TYPE, PLAIN);
    no_sniffing(&mut page);
    page
}

/// Keeps browsers from guessing the type.
pub(super) fn no_sniffing(page: &mut Page) {
    let value = HeaderValue::from_static("nosniff");
    page.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, value);
}

/// 404.
pub(super) fn not_found() -> Page {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

/// 405 for everything but GET, HEAD among it.
pub(super) fn refuse_other_methods(request: &Request<()>) -> Option<Page> {
    if *request.method() == Method::GET {
        return None;
    }
    let mut page = error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    page.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    Some(page)
}

/// 421 for a host that isn't ours: a page elsewhere may have had its name point here
/// (CVE-2018-5702).
pub(super) fn misdirected(host: &str) -> Page {
    let text = format!(
        "\nThe request came in, but its Host header names an unknown host.\n\n\
         Either use TLS, or add the host to the accepted ones, as in\n\
         etcd --host-whitelist {host:?}\n\n\
         The header is checked against DNS rebinding (CVE-2018-5702).\n"
    );
    error(StatusCode::MISDIRECTED_REQUEST, &text)
}
