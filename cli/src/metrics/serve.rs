//! Answering those who scrape.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use socket2::Socket;

use super::Listener;
use super::collect::collect;
use super::exposition::CONTENT_TYPE;
use super::http::{self, Head, MAX_HEAD_BYTES, Status};
use crate::client::Client;
use crate::names::SwitchName;
use crate::runtime_dir::RuntimeDir;

/// So many scrapers are answered at once; others wait to be accepted.
const THREADS: usize = 4;
/// What such a thread needs is little.
const STACK_BYTES: usize = 256 * 1024;
/// How long one may take to ask, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the daemon may take to tell.
const DAEMON_PATIENCE: Duration = Duration::from_secs(4);
/// How much of what nobody asked for is read, so that its sender comes to read the answer.
const DISCARD_BYTES: usize = 256 * 1024;
/// The pause after the system gave no connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Metrics are served as long as the process runs; the file of a Unix socket goes with this.
#[derive(Debug)]
pub(crate) struct Endpoint {
    source: Arc<Source>,
}

/// Whence the metrics come.
#[derive(Debug)]
struct Source {
    listener: Listener,
    runtime: RuntimeDir,
    switch: SwitchName,
    /// In seconds since 1970.
    started: f64,
}

impl Endpoint {
    /// Serves what the switch tells over its control socket.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(
        mut listener: Listener,
        runtime: RuntimeDir,
        switch: SwitchName,
    ) -> io::Result<Self> {
        listener.settle();
        let started = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        let source = Arc::new(Source {
            listener,
            runtime,
            switch,
            started,
        });
        for _ in 0..THREADS {
            let source = Arc::clone(&source);
            thread::Builder::new()
                .name("metrics".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || source.serve())?;
        }
        Ok(Self { source })
    }

    /// The socket, for another process.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub(crate) fn to_descriptor(&self) -> io::Result<OwnedFd> {
        self.source.listener.to_descriptor()
    }

    /// Leaves the socket and its file to another process.
    pub(crate) fn pass_on(self) {
        std::mem::forget(self);
    }

    /// The same, as `run --metrics` takes it.
    pub(crate) fn option(&self) -> String {
        self.source.listener.address().option()
    }

    /// Where it is served, as people write it.
    pub(crate) fn address(&self) -> String {
        self.source.listener.address().to_string()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.source.listener.remove_file();
    }
}

impl Source {
    fn serve(&self) {
        loop {
            match self.listener.accept() {
                Ok(mut stream) => {
                    if let Err(error) = self.attend(&mut stream) {
                        log::debug!("a scraper of metrics went away: {error}");
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("cannot accept a scraper of metrics: {error}");
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn attend(&self, stream: &mut Socket) -> io::Result<()> {
        let answer = match read_request(stream)? {
            Head::Metrics { head_only } => match self.metrics() {
                Some(text) => http::answer(CONTENT_TYPE, &text, head_only),
                None => http::refusal(Status::Unavailable),
            },
            Head::Refused(status) => http::refusal(status),
            Head::Incomplete => return Ok(()),
        };
        write_all(stream, &answer)?;
        stream.shutdown(Shutdown::Write)?;
        discard(stream)
    }

    fn metrics(&self) -> Option<String> {
        let asked = Client::connect(&self.runtime, &self.switch).and_then(|mut client| {
            // Fails only for a span of zero.
            let _ = client.set_patience(DAEMON_PATIENCE);
            client.show()
        });
        match asked {
            Ok(view) => Some(collect(&view, self.started)),
            Err(error) => {
                log::debug!("no metrics: {error}");
                None
            }
        }
    }
}

/// Reads the head of a request; `Incomplete` where the peer has closed before its end.
fn read_request(stream: &mut Socket) -> io::Result<Head> {
    let end = Instant::now() + PATIENCE;
    let mut bytes = [0; MAX_HEAD_BYTES];
    let mut length = 0;
    loop {
        let head = http::read_head(&bytes[..length]);
        if head != Head::Incomplete {
            return Ok(head);
        }
        let Some(left) = left(end) else {
            return Ok(Head::Refused(Status::Timeout));
        };
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[length..]) {
            Ok(0) => return Ok(Head::Incomplete),
            Ok(read) => length += read,
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_all(stream: &mut Socket, mut bytes: &[u8]) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        let left = left(end).ok_or(ErrorKind::TimedOut)?;
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads on until the peer closes, for a while: closed with something unread, the connection
/// would be reset and the answer perhaps lost.
fn discard(stream: &mut Socket) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut waste = [0; 4096];
    let mut room = DISCARD_BYTES;
    while room > 0
        && let Some(left) = left(end)
    {
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut waste) {
            Ok(0) => break,
            Ok(read) => room = room.saturating_sub(read),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn left(end: Instant) -> Option<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

fn is_passing(error: &io::Error) -> bool {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
