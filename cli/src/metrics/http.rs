//! As much of HTTP/1.1 as a scrape takes (RFC 9112): one request, one answer, then the end.

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
    NotFound,
    MethodNotAllowed,
    Timeout,
    TooLarge,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::BadRequest => "400 Bad Request",
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
            Self::NotFound => "there is nothing here: the metrics are at /metrics",
            Self::MethodNotAllowed => "metrics are read by GET or HEAD",
            Self::Timeout => "the request did not come in time",
            Self::TooLarge => "the request is too long",
            Self::Unavailable => "the switch does not answer now",
        }
    }
}

/// Looks at what came so far.
pub(super) fn read_head(bytes: &[u8]) -> Head {
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
    let (method, target) = (request.method.unwrap_or(""), request.path.unwrap_or(""));
    if path_of(target) != "/metrics" {
        return Head::Refused(Status::NotFound);
    }
    match method {
        "GET" => Head::Metrics { head_only: false },
        "HEAD" => Head::Metrics { head_only: true },
        _ => Head::Refused(Status::MethodNotAllowed),
    }
}

/// The path of a target in origin form or, as proxies are sent it, in absolute form.
fn path_of(target: &str) -> &str {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

/// The answer with the metrics.
pub(super) fn answer(content_type: &str, body: &str, head_only: bool) -> Vec<u8> {
    compose("200 OK", content_type, "", body, head_only)
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
    compose(status.line(), text, more, &body, false)
}

fn compose(status: &str, content_type: &str, more: &str, body: &str, head_only: bool) -> Vec<u8> {
    let length = body.len();
    let body = if head_only { "" } else { body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         {more}Connection: close\r\n\r\n{body}"
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
            let request = format!("{line}\r\nHost: a\r\nX: y\r\n\r\n");
            assert_eq!(read_head(request.as_bytes()), head, "{line}");
            for cut in 0..request.len() {
                let so_far = read_head(&request.as_bytes()[..cut]);
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
            assert_eq!(read_head(text), bad, "{}", text.escape_ascii());
        }
        let large = Head::Refused(Status::TooLarge);
        let fields = "a: b\r\n".repeat(MAX_FIELDS + 1);
        let many = format!("GET /metrics HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(read_head(many.as_bytes()), large);
        let long = format!("GET /{}", "x".repeat(MAX_HEAD_BYTES));
        assert_eq!(read_head(long.as_bytes()), large);
    }

    #[test]
    fn an_answer_says_how_long_it_is() {
        let text = String::from_utf8(answer("text/plain", "abc", true)).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        let text = String::from_utf8(refusal(Status::MethodNotAllowed)).unwrap();
        assert!(text.contains("\r\nAllow: GET, HEAD\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nmetrics are read by GET or HEAD\n"));
    }
}
