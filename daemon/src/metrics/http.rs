//! As much of HTTP/1.1 as a scrape takes (RFC 9112): one request, one answer, then the end.

use super::host::{Verdict, judge};

/// The longest head of a request.
pub(super) const MAX_HEAD_BYTES: usize = 8 * 1024;
/// The most fields in it.
const MAX_FIELDS: usize = 64;

/// What came so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Not all of it.
    Incomplete,
    /// The metrics are asked for; with `HEAD`, only what stands above them.
    Metrics {
        /// Whether it is `HEAD`.
        head_only: bool,
    },
    /// Something else.
    Refused(Status),
}

/// Why there are no metrics in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    BadRequest,
    BadHost,
    Misdirected,
    NotFound,
    MethodNotAllowed,
    Timeout,
    TooLarge,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::BadRequest | Self::BadHost => "400 Bad Request",
            Self::Misdirected => "421 Misdirected Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Timeout => "408 Request Timeout",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::BadRequest => "this is no HTTP request",
            Self::BadHost => "a request has one Host, which is a name or an address",
            Self::Misdirected => {
                "this is a loopback address, and the Host is none: ask under 127.0.0.1, [::1] or \
                 localhost; any web page could have another name resolve to it"
            }
            Self::NotFound => "there is nothing here: the metrics are at /metrics",
            Self::MethodNotAllowed => "metrics are read by GET or HEAD",
            Self::Timeout => "the request did not come in time",
            Self::TooLarge => "the request is too long",
            Self::Unavailable => "the switch does not answer now",
        }
    }
}

/// Looks at what came so far; `is_tcp`: on a socket that a browser can reach.
pub(super) fn read_head(bytes: &[u8], is_tcp: bool) -> Head {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Head::Incomplete,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Refused(Status::TooLarge);
        }
        Err(_) => return Head::Refused(Status::BadRequest),
    }
    let (authority, path) = take_apart(request.path.unwrap_or(""));
    if is_tcp && let Err(status) = check_host(&request, authority) {
        return Head::Refused(status);
    }
    if path != "/metrics" {
        return Head::Refused(Status::NotFound);
    }
    match request.method.unwrap_or("") {
        "GET" => Head::Metrics { head_only: false },
        "HEAD" => Head::Metrics { head_only: true },
        _ => Head::Refused(Status::MethodNotAllowed),
    }
}

/// The authority and the path of a target in origin form or, as proxies are sent it, in absolute
/// form.
fn take_apart(target: &str) -> (Option<&str>, &str) {
    let scheme = "http://";
    let is_absolute = target
        .get(..scheme.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    let (authority, rest) = if is_absolute {
        let rest = &target[scheme.len()..];
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        (Some(authority), rest)
    } else {
        (None, target)
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    (authority, path)
}

/// Whether the request asks for this machine's loopback, and for nothing else beside it: the target's
/// own authority goes before `Host` (RFC 9112, 3.2.2), and both are looked at.
fn check_host(request: &httparse::Request<'_, '_>, authority: Option<&str>) -> Result<(), Status> {
    let mut hosts = request
        .headers
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("Host"))
        .map(|field| str::from_utf8(field.value).unwrap_or_default().trim());
    let host = hosts.next();
    let is_missing = host.is_none() && request.version != Some(0);
    if is_missing || hosts.next().is_some() {
        return Err(Status::BadHost);
    }
    for name in [authority, host].into_iter().flatten() {
        match judge(name) {
            Verdict::Own => {}
            Verdict::Foreign => return Err(Status::Misdirected),
            Verdict::Malformed => return Err(Status::BadHost),
        }
    }
    Ok(())
}

/// The answer with the metrics, and where its head ends.
pub(super) fn answer(content_type: &str, body: &str) -> (Vec<u8>, usize) {
    let bytes = compose("200 OK", content_type, "", body);
    let end = bytes.len() - body.len();
    (bytes, end)
}

/// The answer without.
pub(super) fn refusal(status: Status) -> Vec<u8> {
    let more = match status {
        Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
        Status::Unavailable => "Retry-After: 1\r\n",
        _ => "",
    };
    let body = format!("{}\n", status.sentence());
    let text = "text/plain; charset=utf-8";
    compose(status.line(), text, more, &body)
}

fn compose(status: &str, content_type: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         X-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_are_asked_for_in_many_ways() {
        let metrics = |head_only| Head::Metrics { head_only };
        for (line, head) in [
            ("GET /metrics HTTP/1.1", metrics(false)),
            ("GET /metrics HTTP/1.0", metrics(false)),
            ("HEAD /metrics HTTP/1.1", metrics(true)),
            ("GET /metrics?name=x HTTP/1.1", metrics(false)),
            ("GET http://localhost/metrics HTTP/1.1", metrics(false)),
            ("GET HTTP://[::1]:1/metrics?x HTTP/1.1", metrics(false)),
            (
                "GET http:///metrics HTTP/1.1",
                Head::Refused(Status::BadHost),
            ),
            (
                "GET http://a/metrics HTTP/1.1",
                Head::Refused(Status::Misdirected),
            ),
            (
                "GET http://localhost?/metrics HTTP/1.1",
                Head::Refused(Status::NotFound),
            ),
            ("GET / HTTP/1.1", Head::Refused(Status::NotFound)),
            ("GET /metrics/ HTTP/1.1", Head::Refused(Status::NotFound)),
            (
                "GET http://localhost HTTP/1.1",
                Head::Refused(Status::NotFound),
            ),
            (
                "POST /metrics HTTP/1.1",
                Head::Refused(Status::MethodNotAllowed),
            ),
            ("DELETE /x HTTP/1.1", Head::Refused(Status::NotFound)),
        ] {
            let request = format!("{line}\r\nHost: localhost\r\nX: y\r\n\r\n");
            assert_eq!(read_head(request.as_bytes(), true), head, "{line}");
            for cut in 0..request.len() {
                let so_far = read_head(&request.as_bytes()[..cut], true);
                assert_eq!(so_far, Head::Incomplete, "{line}, {cut} bytes");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let bad = Head::Refused(Status::BadRequest);
        for text in [
            &b"\x16\x03\x01\x02\0\x01\0"[..], // TLS
            b"GET\r\n\r\n",
            b"GET /metrics SPDY/9\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
            b"\xff\xff\xff\xff\r\n",
            b"GET /me trics HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(read_head(text, true), bad, "{}", text.escape_ascii());
        }
        let large = Head::Refused(Status::TooLarge);
        let fields = "a: b\r\n".repeat(MAX_FIELDS + 1);
        let many = format!("GET /metrics HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(read_head(many.as_bytes(), true), large);
        let long = format!("GET /{}", "x".repeat(MAX_HEAD_BYTES));
        assert_eq!(read_head(long.as_bytes(), true), large);
    }

    #[test]
    fn a_request_has_one_host_which_is_this_one() {
        let ask = |fields: &str, is_tcp| {
            let request = format!("GET /metrics HTTP/1.1\r\n{fields}\r\n");
            read_head(request.as_bytes(), is_tcp)
        };
        let metrics = Head::Metrics { head_only: false };
        for (fields, status) in [
            ("", Status::BadHost),
            ("Host:\r\n", Status::BadHost),
            ("Host: localhost\r\nhost: localhost\r\n", Status::BadHost),
            ("Host: localhost evil\r\n", Status::BadHost),
            ("Host: a.example\r\n", Status::Misdirected),
            ("HOST:   a.example:9464  \r\n", Status::Misdirected),
        ] {
            assert_eq!(ask(fields, true), Head::Refused(status), "{fields}");
            assert_eq!(ask(fields, false), metrics, "a browser has no Unix sockets");
        }
        assert_eq!(
            ask("X-Host: a.example\r\nHost: localhost\r\n", true),
            metrics
        );
        let old = |fields| {
            read_head(
                format!("GET /metrics HTTP/1.0\r\n{fields}\r\n").as_bytes(),
                true,
            )
        };
        assert_eq!(old(""), metrics);
        assert_eq!(
            old("Host: a.example\r\n"),
            Head::Refused(Status::Misdirected)
        );
    }

    #[test]
    fn an_answer_says_how_long_it_is() {
        let (bytes, end) = answer("text/plain", "abc");
        assert_eq!(&bytes[end..], b"abc");
        let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        let text = String::from_utf8(refusal(Status::MethodNotAllowed)).unwrap();
        assert!(text.contains("\r\nAllow: GET, HEAD\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nmetrics are read by GET or HEAD\n"));
    }
}
