//! The thread that forwards, and its share of the processor.
//!
//! # Theory of operation
//!
//! Where more threads want the processors than there are, each gets the same share, and a switch that
//! forwards for all the others gets less than it takes: its rings fill up and frames are lost, though
//! it is never held up for long. So its thread has a lower nice value than others have (sched(7)).
//! That takes `CAP_SYS_NICE`, which a guarded switch has given up before its first thread
//! ([`super::guard`]). But a nice value is inherited by threads and processes: the process takes it
//! at the very beginning ([`take_precedence`]), starts the thread as the first that it has after
//! the guard is up ([`Forwarding::start`]), and gives it back. The broker was forked before and
//! keeps it, and so a successor that is started by the broker has it from the beginning.
//!
//! Without the right everything goes on as it is, and so it does where somebody has chosen another
//! nice value (nice(1)).

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rustix::process::{getpriority_process, setpriority_process};
use vswitch_switch::SwitchError;

/// Nine times the share of a thread that has none. What Open vSwitch is started with, too.
const NICE: i32 = -10;

/// The switch's thread; what it ends with.
pub(super) type SwitchThread = JoinHandle<Result<(), SwitchError>>;
type Job = Box<dyn FnOnce() -> Result<(), SwitchError> + Send>;

/// Takes precedence over other programs, if there is the right to and nobody has chosen otherwise.
///
/// To be called while the process has one thread, before the broker is forked.
pub(super) fn take_precedence() {
    if getpriority_process(None) == Ok(0) {
        // What came of it is said once there is somewhere to say it.
        let _ = setpriority_process(None, NICE);
    }
}

/// Has all threads that are started from here on wait for their turn like anybody else.
fn give_back_precedence() -> io::Result<()> {
    match getpriority_process(None)? {
        NICE => setpriority_process(None, 0)?,
        nice => log::debug!("forwarding has no precedence: its nice value is {nice}"),
    }
    Ok(())
}

/// A thread that is to forward and has no switch yet.
pub(super) struct Forwarding {
    job: SyncSender<Job>,
    thread: SwitchThread,
}

impl Forwarding {
    /// Starts it. Precedence is the thread's alone from here on.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        let (job, jobs) = sync_channel::<Job>(1);
        let thread = thread::Builder::new()
            .name("switch".to_owned())
            // None comes where the process ends before there is a switch.
            .spawn(move || jobs.recv().map_or(Ok(()), |job| job()))?;
        if let Err(error) = give_back_precedence() {
            log::debug!("the nice value of all threads stays as it is: {error}");
        }
        Ok(Self { job, thread })
    }

    /// Has it do this, and then end.
    pub(super) fn run(
        self,
        job: impl FnOnce() -> Result<(), SwitchError> + Send + 'static,
    ) -> SwitchThread {
        // It waits for nothing else, and so it is there.
        let _ = self.job.send(Box::new(job));
        self.thread
    }
}
