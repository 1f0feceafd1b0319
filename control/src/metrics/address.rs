//! Where the metrics are to be had.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::values;

/// How an address of a Unix socket begins.
const UNIX: &str = "unix:";

/// A loopback address with its port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// On loopback; port 0 is any that is free.
    Tcp(SocketAddr),
    /// An absolute path.
    Unix(PathBuf),
}

impl Address {
    /// As an option takes it.
    pub fn option(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => format!("{UNIX}{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(UNIX) {
            if path.is_empty() {
                return Err("'unix:' names no socket: add its path".to_owned());
            }
            return std::path::absolute(path)
                .map(Self::Unix)
                .map_err(|error| format!("'{path}' is no path of a socket: {error}"));
        }
        values::unambiguous(text)?;
        let local = text
            .strip_prefix("localhost:")
            .and_then(|port| port.parse().ok())
            .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let Some(address) = local.or_else(|| text.parse().ok()) else {
            return Err(format!(
                "'{}' is not where metrics can be: write 127.0.0.1:PORT, [::1]:PORT or unix:/PATH",
                crate::plain::text(text)
            ));
        };
        if !is_loopback(address.ip()) {
            return Err(format!(
                "{} is not a loopback address, and metrics are not for everybody: write \
                 127.0.0.1:{}, and put a proxy with access control before it",
                address.ip(),
                address.port()
            ));
        }
        Ok(Self::Tcp(address))
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}/metrics"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_sockets_are_taken() {
        for (text, told) in [
            ("127.0.0.1:9464", "http://127.0.0.1:9464/metrics"),
            ("127.1.2.3:1", "http://127.1.2.3:1/metrics"),
            ("localhost:0", "http://127.0.0.1:0/metrics"),
            ("[::1]:9464", "http://[::1]:9464/metrics"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), told);
        }
        let relative: Address = "unix:a.sock".parse().unwrap();
        assert!(matches!(relative, Address::Unix(path) if path.is_absolute()));
    }

    #[test]
    fn what_others_could_reach_is_refused() {
        for text in ["0.0.0.0:9464", "10.0.0.1:80", "[::]:80", "[fe80::1]:80"] {
            let told = text.parse::<Address>().unwrap_err();
            assert!(told.contains("not a loopback address"), "{told}");
        }
        for text in ["", ":80", "9464", "127.0.0.1", "unix:", "x:y", "::1:80"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
