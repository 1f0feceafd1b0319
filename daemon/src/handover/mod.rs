//! A planned restart: another process goes on with the switch, and no frame is lost.
//!
//! # Theory of operation
//!
//! The process that runs, the predecessor, starts the program that is installed now, the successor,
//! with one end of a pair of sockets as its standard input. What passes between them
//! ([`message`]):
//!
//! 1. the successor says hello, and which form of all this it knows;
//! 2. the predecessor tells all that does not change any more while it is at it, and hands over
//!    descriptors: the lock, the control socket, that of metrics, and those of every port. The
//!    successor makes of them all that a switch needs. Frames pass by the predecessor all the time;
//! 3. the predecessor's switch stands still, tells where, and the successor goes there
//!    ([`vswitch_switch::handover`]). Frames wait in the kernel, for a few milliseconds;
//! 4. the successor takes the right to go on ([`message::Token`]), says so, and goes on;
//! 5. when it has settled, the predecessor answers whoever asked for the restart, and ends. Nothing
//!    is dismantled.
//!
//! Until it has said so, the successor touches no frame; if the conversation breaks off before, it
//! ends. So whatever fails, the predecessor goes on where it stood still. One that waits in vain
//! takes the right itself, and a successor that is late finds it gone.
//!
//! A process that somebody waits for, such as a shell or a supervisor that cannot be told of
//! another, stays when it has nothing else to do ([`waiter`]).

mod control;
mod message;
mod predecessor;
mod successor;
pub(super) mod waiter;

use std::io;
use std::time::Duration;

use nix::unistd::Pid;

pub(super) use message::HandedPlug;
use predecessor::hand_over;
pub use successor::succeed;
use waiter::Waiter;

/// The form of what is handed over. A program that changes it, so that older ones would understand
/// something else, takes the next number; what is only added has a default.
const FORMAT: u32 = 1;

/// Who goes on with a switch.
#[derive(Debug)]
pub(crate) struct Succession {
    /// Its process.
    pub(super) pid: Pid,
    /// How long frames waited.
    pub(super) pause: Duration,
    /// If this process is to wait for its end.
    waiter: Option<Waiter>,
}

impl Succession {
    /// With what to wait for the end of which process, if this one is to.
    pub(super) fn into_waiter(self) -> Option<(Waiter, Pid)> {
        Some((self.waiter?, self.pid))
    }
}

/// Why no other process goes on with a switch.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The new process could not be started.
    #[error("cannot start the new process: {0}; the switch goes on as it was")]
    Start(#[source] io::Error),
    /// It did not get ready, and said why.
    #[error("the new process cannot go on: {0}; the switch goes on as it was")]
    Failed(String),
    /// It ended without a word.
    #[error(
        "the new process ended before it was ready, see the switch's log; the switch goes on as it was"
    )]
    Ended,
    /// It did not get ready.
    #[error("the new process did not get ready in time; the switch goes on as it was")]
    Late,
    /// It is of another version.
    #[error(
        "the new process hands over in another form ({theirs}, and this one {ours}): stop the switch and start it again"
    )]
    Format {
        /// What this program knows.
        ours: u32,
        /// What the other one does.
        theirs: u32,
    },
    /// A message could not be sent or read.
    #[error("cannot speak with the other process: {0}")]
    Io(#[from] io::Error),
    /// The messages make no sense.
    #[error("the other process sent an unexpected message")]
    Unexpected,
    /// The switch does not do its part.
    #[error(transparent)]
    Switch(#[from] vswitch_switch::control::ControlError),
    /// A port lives in this process alone.
    #[error("the port '{0}' cannot leave its process")]
    Bound(String),
    /// The switch cannot go on here.
    #[error(transparent)]
    GoOn(#[from] vswitch_switch::handover::GoOnError),
}
