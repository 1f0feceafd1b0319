//! Talking with a running switch over its control socket, without starting a program.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use super::PATIENCE;

/// How many clients may ask at once, each of which waits for those before it.
const CLIENTS: u32 = 8;

/// A client of a switch.
pub(crate) struct Rpc {
    stream: BufReader<UnixStream>,
}

impl Rpc {
    /// Connects to the socket at `path`.
    pub(crate) fn connect(path: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(path)
            .and_then(|stream| {
                stream
                    .set_read_timeout(Some(PATIENCE * CLIENTS))
                    .map(|()| stream)
            })
            .map_err(|error| format!("cannot connect to {}: {error}", path.display()))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// A client that has sent its request already.
    pub(crate) fn on(stream: UnixStream) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Calls a method and waits for its reply.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "what json! makes is given away"
    )]
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let line = format!("{call}\n");
        let failed = |error: std::io::Error| format!("{method}: {error}");
        self.stream
            .get_mut()
            .write_all(line.as_bytes())
            .map_err(failed)?;
        self.read_reply(method)
    }

    /// Waits for a reply.
    pub(crate) fn read_reply(&mut self, method: &str) -> Result<Value, String> {
        let failed = |error: std::io::Error| format!("{method}: {error}");
        let mut reply = String::new();
        self.stream.read_line(&mut reply).map_err(failed)?;
        let mut reply: Value = serde_json::from_str(&reply)
            .map_err(|error| format!("{method}: {error}: {reply:?}"))?;
        match reply.get("error") {
            Some(error) => Err(format!("{method}: {}", error["message"])),
            None => Ok(reply["result"].take()),
        }
    }
}
