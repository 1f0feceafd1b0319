//! Which names a request may ask under.
//!
//! A web page can have a name of its own resolve to 127.0.0.1 once its script runs (DNS rebinding): the
//! browser then sends the script's requests here, and lets it read the answers, since to the browser
//! both are of one origin. What gives such a request away is the name in its `Host`. An address
//! cannot be rebound, and `localhost` is no name that a page can have.

use std::net::{IpAddr, Ipv6Addr};

/// Whose name stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One of this machine's loopback.
    Own,
    /// Something else's.
    Foreign,
    /// It is neither a name nor an address, with or without a port.
    Malformed,
}

/// Judges an authority: `HOST` or `HOST:PORT` (RFC 3986, 3.2). Any port will do, since the one that
/// the client knows may be forwarded to this one.
pub(super) fn judge(authority: &str) -> Verdict {
    let Some(host) = without_port(authority) else {
        return Verdict::Malformed;
    };
    let ip = match host.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']').map(str::parse::<Ipv6Addr>) {
            Some(Ok(ip)) => Some(IpAddr::V6(ip)),
            _ => return Verdict::Malformed,
        },
        None => host.parse().ok().map(IpAddr::V4),
    };
    let is_own = match ip {
        Some(ip) => ip.to_canonical().is_loopback(),
        None => is_localhost(host),
    };
    if is_own {
        Verdict::Own
    } else {
        Verdict::Foreign
    }
}

/// With or without the root's dot, in letters of either case (RFC 4343).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
}

/// The host of an authority, in brackets if it came so.
fn without_port(authority: &str) -> Option<&str> {
    let end = match authority.rfind(']') {
        Some(bracket) if authority.starts_with('[') => bracket + 1,
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let is_port = match port.strip_prefix(':') {
        // An empty one stands for that of the scheme.
        Some(digits) => {
            digits.is_empty()
                || (digits.bytes().all(|byte| byte.is_ascii_digit())
                    && digits.parse::<u16>().is_ok())
        }
        None => port.is_empty(),
    };
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
    (is_port && is_host).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_asked_for_under_its_own_names() {
        for own in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "localhost:9464",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.255.0.3:1",
            "[::1]",
            "[::1]:9464",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(judge(own), Verdict::Own, "{own}");
        }
    }

    #[test]
    fn names_of_others_are_theirs() {
        for foreign in [
            "example.org",
            "example.org:9464",
            "localhost.example.org",
            "localhost..",
            "xlocalhost",
            "127.0.0.1.example.org",
            "127.0.0.1.",
            "127.0.0.01",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "[fe80::1]:80",
            "[::ffff:10.0.0.1]",
            "1",
        ] {
            assert_eq!(judge(foreign), Verdict::Foreign, "{foreign}");
        }
    }

    #[test]
    fn what_is_no_authority_is_malformed() {
        for bad in [
            "",
            ":",
            ":80",
            "localhost:x",
            "localhost:65536",
            "localhost:80:80",
            "localhost:+80",
            "[::1",
            "::1",
            "[::1]x",
            "[::1%25lo]",
            "[localhost]",
            "[127.0.0.1]",
            "localhost, example.org",
            "localhost/",
            "a@localhost",
            "localhost@example.org",
            "localhost\\",
            "loc\u{e4}lhost",
        ] {
            assert_eq!(judge(bad), Verdict::Malformed, "{bad}");
        }
    }
}
