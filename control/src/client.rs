//! The side of the control protocol that asks.

mod news;

use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg};
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use vswitch_switch::BridgeConfig;

use crate::local_socket;
use crate::names::SwitchName;
use crate::near::nearest;
use crate::protocol::{
    ErrorCode, ErrorObject, FdbEntry, FdbPage, FdbShowParams, Listening, NoParams,
    OWNER_ALONE_PASSES, Response, SwitchView, method,
};
use crate::runtime_dir::{RuntimeDir, RuntimeDirError};
use crate::users;
pub use news::{News, Told};

/// How long a daemon may take to answer before it is taken for hung: it may have dozens of
/// namespaces to attach before.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for what changes something. It would be done nevertheless after the command has failed,
/// and on a busy machine the kernel takes seconds to make a single namespace.
const PATIENCE_FOR_CHANGES: Duration = Duration::from_secs(60);
/// Methods that change nothing.
const READS: [&str; 6] = [
    method::VERSION,
    method::SHOW,
    method::PORT_LIST,
    method::FDB_SHOW,
    method::EXPLAIN,
    method::EVENTS_SUBSCRIBE,
];
/// The longest reply that is read.
const MAX_REPLY_BYTES: u64 = 64 * 1024 * 1024;

/// A connection to a running switch.
#[derive(Debug)]
pub struct Client {
    switch: SwitchName,
    stream: BufReader<UnixStream>,
    next_id: u64,
    /// As the command has it; otherwise as the method has it.
    has_patience: bool,
}

/// Why a running switch could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The runtime directory is unusable.
    #[error(transparent)]
    Dir(#[from] RuntimeDirError),
    /// No switch of this name runs.
    #[error(
        "no switch named '{0}' is running: 'vswitch list' shows those that are, 'vswitch run {0} --detach' starts it"
    )]
    NotRunning(SwitchName),
    /// A switch of this name was killed.
    #[error(
        "the switch '{0}' was killed: 'vswitch run {0} --detach' restores it, 'vswitch stop {0}' removes what it left"
    )]
    Killed(SwitchName),
    /// No switch of this name runs, but one whose name is nearly the same.
    #[error("no switch named '{0}' is running: did you mean '{1}'?")]
    NearlyNamed(SwitchName, SwitchName),
    /// No switch at all runs.
    #[error("no switch is running: start one with 'vswitch run NAME --detach'")]
    NoneRunning,
    /// It is not clear which is meant.
    #[error("several switches are running ({0}): say which one {1}")]
    Several(String, &'static str),
    /// The socket could not be connected to.
    #[error("cannot reach the switch '{switch}' at {}: {source}", path.display())]
    Connect {
        /// The switch.
        switch: SwitchName,
        /// Its socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else answers there.
    #[error(
        "the socket {path} belongs to user {user}, and only sockets of this user and of root are \
         trusted: choose another --runtime-dir, or run the command as that user"
    )]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Who listens on it.
        user: u32,
    },
    /// The conversation broke off.
    #[error("the switch '{switch}' did not answer: {source}")]
    Broken {
        /// The switch.
        switch: SwitchName,
        /// What happened.
        source: io::Error,
    },
    /// The switch said no.
    #[error("{}", .0.message)]
    Refused(ErrorObject),
}

impl Client {
    /// Connects to the switch `name`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], or [`ClientError::Connect`] where it runs and does not
    /// accept.
    pub fn connect(runtime: &RuntimeDir, name: &SwitchName) -> Result<Self, ClientError> {
        let dir = runtime.switch(name);
        dir.require_safe(runtime)?;
        let path = dir.socket();
        let connected = local_socket::connect(&path, PATIENCE).and_then(|stream| {
            stream.set_write_timeout(Some(PATIENCE))?;
            let server = users::peer(&stream)?;
            Ok((stream, server))
        });
        match connected {
            Ok((_, user)) if !users::is_trusted(user) => Err(ClientError::Stranger { path, user }),
            Ok((stream, _)) => Ok(Self {
                switch: name.clone(),
                stream: BufReader::new(stream),
                next_id: 1,
                has_patience: false,
            }),
            Err(error) => Err(match error.kind() {
                // InvalidInput: the path is too long for any socket to be there.
                // A socket that nobody listens on: its daemon had no time to remove it.
                ErrorKind::ConnectionRefused => ClientError::Killed(name.clone()),
                ErrorKind::NotFound | ErrorKind::InvalidInput => {
                    ClientError::NotRunning(name.clone())
                }
                _ => ClientError::Connect {
                    switch: name.clone(),
                    path,
                    source: error,
                },
            }),
        }
    }

    /// Connects to the switch `name`, or to the only one that runs; `how` says in an error
    /// where the name belongs on the command line.
    ///
    /// # Errors
    /// As [`Client::connect`], and where no or several switches run.
    pub fn choose(
        runtime: &RuntimeDir,
        name: Option<&SwitchName>,
        how: &'static str,
    ) -> Result<Self, ClientError> {
        if let Some(name) = name {
            return Self::connect(runtime, name).map_err(|error| meant(runtime, error));
        }
        let mut running = Vec::new();
        let (mut killed, mut foreign) = (None, None);
        for name in runtime.switches()? {
            match Self::connect(runtime, &name) {
                Ok(client) => running.push(client),
                Err(ClientError::NotRunning(_)) => {}
                Err(error @ ClientError::Killed(_)) => killed = killed.or(Some(error)),
                // In a directory such as /tmp anybody may have one, which is no reason not to find ours.
                Err(error @ ClientError::Dir(RuntimeDirError::Foreign { .. })) => {
                    foreign = foreign.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        match running.len() {
            0 => Err(killed.or(foreign).unwrap_or(ClientError::NoneRunning)),
            1 => running.pop().ok_or(ClientError::NoneRunning),
            _ => {
                let names: Vec<_> = running.iter().map(|c| c.switch.to_string()).collect();
                Err(ClientError::Several(names.join(", "), how))
            }
        }
    }

    /// Waits for replies so long, instead of as long as a common one may take.
    ///
    /// # Errors
    /// Where the system does not let the socket be set.
    pub fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        self.has_patience = true;
        self.stream.get_ref().set_read_timeout(Some(patience))
    }

    /// The switch that answers.
    pub const fn switch(&self) -> &SwitchName {
        &self.switch
    }

    /// The process that listens, as the kernel knows it (`SO_PEERCRED`, unix(7)); `None` where it
    /// is in a process namespace that this one can't see into.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn process(&self) -> io::Result<Option<Pid>> {
        let peer = getsockopt(self.stream.get_ref(), PeerCredentials)?;
        Ok(Some(Pid::from_raw(peer.pid())).filter(|pid| pid.as_raw() > 0))
    }

    /// Calls `method` and waits for its result.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where the switch says no, [`ClientError::Broken`] where it says
    /// nothing that can be understood.
    pub fn call<R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<R, ClientError> {
        let response = self
            .exchange(method, params, None)
            .map_err(|source| self.broken(source))?;
        let result = response.into_outcome().map_err(ClientError::Refused)?;
        serde_json::from_value(result).map_err(|error| self.broken(error.into()))
    }

    /// Calls `method` and passes a descriptor along with the request.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn call_with<R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &impl Serialize,
        descriptor: BorrowedFd<'_>,
    ) -> Result<R, ClientError> {
        // Once it has answered it has seen who asks. Until then a switch that has a group takes no descriptor.
        self.call::<serde::de::IgnoredAny>(method::VERSION, &NoParams {})?;
        let response = self
            .exchange(method, params, Some(descriptor))
            .map_err(|source| match source.kind() {
                ErrorKind::PermissionDenied => ClientError::Refused(ErrorObject::new(
                    ErrorCode::Permission,
                    OWNER_ALONE_PASSES,
                )),
                _ => self.broken(source),
            })?;
        let result = response.into_outcome().map_err(ClientError::Refused)?;
        serde_json::from_value(result).map_err(|error| self.broken(error.into()))
    }

    /// What `show` tells.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn show(&mut self) -> Result<SwitchView, ClientError> {
        self.call(method::SHOW, &NoParams {})
    }

    /// Hears what happens in the switch from now on.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn listen(mut self) -> Result<News, ClientError> {
        self.call::<Listening>(method::EVENTS_SUBSCRIBE, &NoParams {})?;
        News::new(self.stream).map_err(|source| ClientError::Broken {
            switch: self.switch,
            source,
        })
    }

    /// The whole MAC table, its pages joined.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn stations(&mut self) -> Result<Vec<FdbEntry>, ClientError> {
        let mut entries = Vec::new();
        let mut params = FdbShowParams::default();
        loop {
            let page: FdbPage = self.call(method::FDB_SHOW, &params)?;
            // A table without an end is not one of a switch.
            let goes_on = !page.entries.is_empty() && params.cursor < page.next;
            entries.extend(page.entries);
            match page.next {
                Some(next) if goes_on && entries.len() <= BridgeConfig::MAX_STATIONS_LIMIT => {
                    params.cursor = Some(next);
                }
                Some(_) => {
                    let why = "its table has no end";
                    return Err(self.broken(io::Error::new(ErrorKind::InvalidData, why)));
                }
                None => return Ok(entries),
            }
        }
    }

    /// The connection itself, for what follows a reply on it, and what has come already.
    pub fn into_stream(self) -> (UnixStream, Vec<u8>) {
        let early = self.stream.buffer().to_vec();
        (self.stream.into_inner(), early)
    }

    fn exchange(
        &mut self,
        method: &str,
        params: &impl Serialize,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<Response> {
        if !self.has_patience {
            let patience = if READS.contains(&method) {
                PATIENCE
            } else {
                PATIENCE_FOR_CHANGES
            };
            self.stream.get_ref().set_read_timeout(Some(patience))?;
        }
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        // Where the daemon has closed, its last words may still be there to read.
        let sent = match self.send(&line, descriptor) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
            other => other,
        };
        let mut reply = Vec::new();
        let read = (&mut self.stream)
            .take(MAX_REPLY_BYTES)
            .read_until(b'\n', &mut reply);
        match read {
            Ok(0) => sent.and(Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "it closed the connection",
            ))),
            Ok(_) => Ok(serde_json::from_slice(&reply)?),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(io::Error::new(
                ErrorKind::TimedOut,
                "it was silent for too long",
            )),
            Err(error) => Err(error),
        }
    }

    /// Sends a line, and the descriptor with its first bytes.
    fn send(&mut self, line: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let stream = self.stream.get_mut();
        let mut sent = 0;
        if let Some(descriptor) = descriptor {
            let descriptors = [descriptor.as_raw_fd()];
            sent = sendmsg::<()>(
                stream.as_raw_fd(),
                &[IoSlice::new(line)],
                &[ControlMessage::ScmRights(&descriptors)],
                MsgFlags::MSG_NOSIGNAL,
                None,
            )?;
        }
        stream.write_all(&line[sent..])
    }

    fn broken(&self, source: io::Error) -> ClientError {
        let source = match source.kind() {
            // It had not yet accepted.
            ErrorKind::ConnectionReset => {
                io::Error::new(ErrorKind::ConnectionReset, "it has ended at this moment")
            }
            _ => source,
        };
        ClientError::Broken {
            switch: self.switch.clone(),
            source,
        }
    }
}

/// Tells of a switch that runs under nearly the same name.
fn meant(runtime: &RuntimeDir, error: ClientError) -> ClientError {
    let ClientError::NotRunning(name) = error else {
        return error;
    };
    let known = runtime.switches().unwrap_or_default();
    let near = nearest(name.as_str(), known.iter().map(SwitchName::as_str));
    let near = near.and_then(|near| near.parse().ok());
    match near.filter(|near| Client::connect(runtime, near).is_ok()) {
        Some(near) => ClientError::NearlyNamed(name, near),
        None => ClientError::NotRunning(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn runtime(base: &std::path::Path) -> RuntimeDir {
        RuntimeDir::resolve(Some(base.to_owned()), |_| None).unwrap()
    }

    fn listen(runtime: &RuntimeDir, name: &str) -> UnixListener {
        let dir = runtime.switch(&name.parse().unwrap());
        dir.prepare(runtime).unwrap();
        UnixListener::bind(dir.socket()).unwrap()
    }

    #[test]
    fn the_only_running_switch_need_not_be_named() {
        let base = crate::testing::directory().unwrap();
        let runtime = runtime(base.path());
        let choose = || Client::choose(&runtime, None, "with --switch");
        assert!(matches!(choose(), Err(ClientError::NoneRunning)));
        drop(listen(&runtime, "dead"));
        assert!(matches!(choose(), Err(ClientError::Killed(_))));
        let _one = listen(&runtime, "one");
        let client = choose().unwrap();
        assert_eq!(client.switch().as_str(), "one");
        assert_eq!(client.process().unwrap(), Some(Pid::this()));
        let _two = listen(&runtime, "two");
        let error = choose().unwrap_err().to_string();
        assert!(
            error.contains("one, two") && error.contains("--switch"),
            "{error}"
        );
        let two = "two".parse().unwrap();
        assert!(Client::choose(&runtime, Some(&two), "").is_ok());
        let dead = "dead".parse().unwrap();
        let error = Client::choose(&runtime, Some(&dead), "").unwrap_err();
        assert!(matches!(error, ClientError::Killed(_)), "{error}");
        let nearly = "onee".parse().unwrap();
        let error = Client::choose(&runtime, Some(&nearly), "").unwrap_err();
        assert!(error.to_string().contains("did you mean 'one'?"), "{error}");
        let never = "never".parse().unwrap();
        let error = Client::choose(&runtime, Some(&never), "").unwrap_err();
        assert!(matches!(error, ClientError::NotRunning(_)), "{error}");
    }

    #[test]
    fn a_daemon_that_hangs_up_is_told_in_one_sentence() {
        let base = crate::testing::directory().unwrap();
        let runtime = runtime(base.path());
        let listener = listen(&runtime, "s");
        let mut client = Client::choose(&runtime, None, "").unwrap();
        drop(listener.accept().unwrap());
        let error = client.show().unwrap_err().to_string();
        assert!(
            error.starts_with("the switch 's' did not answer"),
            "{error}"
        );
    }
}
