//! A command's connection to the keeper. While it is open the lab does not end.

use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::unistd::geteuid;

use super::UserLabError;
use super::files::LabDir;
use super::namespaces::Namespaces;
use vswitch_control::local_socket;
use vswitch_control::users;

/// How long a keeper may take to answer, before it is taken for hung.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of a farewell is read.
const MAX_FAREWELL_BYTES: u64 = 1 << 20;
/// How a farewell begins; the names of the namespaces that went follow, one a line.
pub(super) const ENDED: &str = "ended\n";

/// A connection to the keeper.
#[derive(Debug)]
pub(crate) struct Visit {
    stream: UnixStream,
    namespaces: Namespaces,
}

impl Visit {
    /// Connects; `None` where no keeper lives.
    pub(super) fn connect(dir: &LabDir) -> Result<Option<Self>, UserLabError> {
        Self::connect_within(dir, PATIENCE)
    }

    /// The same, with a keeper that answers in so short a time.
    pub(super) fn connect_within(
        dir: &LabDir,
        patience: Duration,
    ) -> Result<Option<Self>, UserLabError> {
        let path = dir.socket();
        let greeted = local_socket::connect(&path, patience).and_then(|stream| {
            stream.set_read_timeout(Some(patience))?;
            // Whoever else hands namespaces over is not to have this process work in them.
            if users::peer(&stream)? != geteuid().as_raw() {
                return Err(io::Error::other("it is that of another user"));
            }
            let namespaces = Namespaces::receive(&stream)?;
            Ok(namespaces.map(|namespaces| Self { stream, namespaces }))
        });
        match greeted {
            Err(error) if is_absence(error.kind()) => Ok(None),
            other => other.map_err(|source| UserLabError::Keeper { path, source }),
        }
    }

    /// Moves the process into the lab, unless it is there.
    pub(super) fn enter(&self) -> Result<(), UserLabError> {
        if self.namespaces.are_ours().map_err(UserLabError::Enter)? {
            return Ok(());
        }
        self.namespaces.enter()
    }

    /// Leaves; gives the names of the namespaces that went with the lab, if it ended by that.
    pub(crate) fn leave(mut self) -> Option<Vec<String>> {
        self.stream.shutdown(Shutdown::Write).ok()?;
        let mut farewell = String::new();
        // A keeper that says nothing any more has ended, or the lab goes on.
        let _ = (&mut self.stream)
            .take(MAX_FAREWELL_BYTES)
            .read_to_string(&mut farewell);
        let names = farewell.strip_prefix(ENDED)?;
        Some(names.lines().map(str::to_owned).collect())
    }
}

/// Whether nobody listens: there is no socket, or it was left by one that was killed. No socket
/// can be at a path that is too long.
const fn is_absence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput
    )
}

/// What a keeper says to those who have left, when the lab ends.
pub(super) fn farewell(names: &[String]) -> Vec<u8> {
    let mut text = String::from(ENDED);
    for name in names {
        text.push_str(name);
        text.push('\n');
    }
    text.into_bytes()
}
