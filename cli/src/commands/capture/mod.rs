//! `vswitch capture`: frames as they pass, as lines or as a file.
//!
//! Theory of operation. One thread reads blocks and puts them out; it may be held up by whoever
//! reads its output. The first thread waits for a signal, for the time to be over or for the
//! other to end, and then tells the switch that no more is wanted. The rest of what was captured
//! follows, and the totals.

mod icmp;
mod lines;
mod sink;
pub(crate) mod trial;
pub(crate) mod words;

use std::io::{self, IsTerminal, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::args::CaptureArgs;
pub(crate) use lines::Lines;
use sink::{File, Sink, SinkError};
use vswitch_control::client::Client;
use vswitch_control::pcapng::{BlockError, Blocks, PACKET, Told, read, split_first};
use vswitch_control::plain;
use vswitch_control::protocol::{CaptureParams, CaptureStarted, method};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::signals::Signals;

/// How long the rest may take to be put out once the capture has been asked to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was captured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// Frames that were put out.
    pub(crate) frames: u64,
    /// Frames that found no room.
    pub(crate) lost: u64,
    /// Whether the totals have come, which are the end of every capture.
    is_complete: bool,
    /// Whether nobody read what was put out.
    is_unread: bool,
}

pub(crate) fn run(runtime: &RuntimeDir, args: &CaptureArgs) -> anyhow::Result<()> {
    let to_stdout = args.write.as_deref() == Some(Path::new("-"));
    if to_stdout && io::stdout().is_terminal() {
        return Err(super::WrongUsage(
            "pcapng is nothing for a terminal: send it into a pipe, as in \
             'vswitch capture -w - | wireshark -k -i -', or to a file with -w FILE"
                .to_owned(),
        )
        .into());
    }
    let mut params = args.filter.params(&args.ports);
    params.snaplen = args.snaplen;
    let running = Running::start(runtime, args.switch.as_ref(), &params)?;
    let sink: Box<dyn Sink> = match &args.write {
        Some(_) if to_stdout => Box::new(File::stdout()?),
        Some(path) => Box::new(File::create(path)?),
        None if args.json => Box::new(Lines::json()),
        None => Box::new(Lines::text()),
    };
    running.put_out(sink, args.count, args.time.map(Duration::from_secs))
}

/// A capture that has begun.
pub(crate) struct Running {
    switch: String,
    /// Which ports are captured, in words.
    ports: String,
    stream: UnixStream,
    early: Vec<u8>,
    signals: Signals,
}

impl Running {
    /// Begins a capture.
    ///
    /// # Errors
    /// Where the switch does not run, or says no.
    pub(crate) fn start(
        runtime: &RuntimeDir,
        switch: Option<&vswitch_control::names::SwitchName>,
        params: &CaptureParams,
    ) -> anyhow::Result<Self> {
        let mut client = Client::choose(runtime, switch, super::BY_OPTION)?;
        // Before the second thread, so that both have the signals blocked, and before the
        // capture is told to have begun.
        let signals = Signals::take().context("can't listen for signals")?;
        let started: CaptureStarted = client.call(method::CAPTURE_START, params)?;
        let switch = client.switch().to_string();
        let ports = match started.ports.as_slice() {
            [] => "ports to come".to_owned(),
            ports => ports.join(", "),
        };
        let (stream, early) = client.into_stream();
        // It is silent while no frames pass.
        stream.set_read_timeout(None)?;
        Ok(Self {
            switch,
            ports,
            stream,
            early,
            signals,
        })
    }

    /// Puts out what comes until `count` frames have, `time` is over or somebody ends it.
    ///
    /// # Errors
    /// Where it cannot be put out, or the switch breaks off.
    pub(crate) fn put_out(
        self,
        sink: Box<dyn Sink>,
        count: Option<u64>,
        time: Option<Duration>,
    ) -> anyhow::Result<()> {
        note(&format!(
            "capturing {} of the switch {}; Ctrl-C ends it",
            self.ports, self.switch
        ));
        let stream = self.stream.try_clone()?;
        let (end, held) = io::pipe()?;
        let early = self.early;
        let reader = std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || {
                let _held = held;
                pass(&stream, early, sink, count)
            })
            .context("can't start a thread")?;
        if wait(&self.signals, end.as_fd(), time)? != Woken::Ended {
            // Fails where the switch has ended, which the reader tells.
            let _ = self.stream.shutdown(Shutdown::Write);
            drain(&self.signals, end.as_fd())?;
        }
        finish(reader, &self.switch)
    }
}

/// Waits until the rest of a capture that was asked to end has been written.
fn drain(signals: &Signals, end: BorrowedFd<'_>) -> anyhow::Result<()> {
    // timeout(1) sends its signal to the process and once more to the process group: a second
    // signal does not yet mean that the user is impatient, a third one does.
    let mut woken = Woken::Signalled;
    for _ in 0..2 {
        if woken == Woken::Signalled {
            woken = wait(signals, end, Some(PATIENCE))?;
        }
    }
    match woken {
        Woken::Ended => Ok(()),
        Woken::Signalled => anyhow::bail!(
            "interrupted again before the rest of the capture was written: it is discarded"
        ),
        Woken::TimedOut => anyhow::bail!(
            "the output of this capture was not read for {} seconds: the rest is discarded",
            PATIENCE.as_secs()
        ),
    }
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// The pipe is closed: everything has been written.
    Ended,
    /// A signal has come.
    Signalled,
    /// The time is over.
    TimedOut,
}

/// Waits until the pipe is closed, a signal comes or the time is over.
fn wait(signals: &Signals, end: BorrowedFd<'_>, time: Option<Duration>) -> io::Result<Woken> {
    let deadline = time.map(|time| Instant::now() + time);
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        // Rounded up, so that it is over when it says so.
        let left = left.map(|left| left + Duration::from_millis(1));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(end, PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let [signalled, ended] = fds.map(|fd| fd.any().unwrap_or(false));
        if ended {
            return Ok(Woken::Ended);
        }
        if signalled && !signals.read().is_empty() {
            return Ok(Woken::Signalled);
        }
        if deadline.is_some_and(|at| at <= Instant::now()) {
            return Ok(Woken::TimedOut);
        }
    }
}

type Passed = Result<Summary, PassError>;

/// Why the frames were not put out to the end.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("the stream of frames broke off: {0}; what was put out until then is whole")]
    Stream(#[from] BlockError),
}

/// Puts blocks out until there are none, or `count` frames have been.
fn pass(
    stream: &UnixStream,
    early: Vec<u8>,
    mut sink: Box<dyn Sink>,
    count: Option<u64>,
) -> Passed {
    let mut summary = Summary::default();
    let mut blocks = Blocks::new(stream.try_clone().map_err(BlockError::from)?, early);
    loop {
        let mut run = blocks.next_run()?;
        if run.is_empty() {
            return Ok(summary);
        }
        while let Some((kind, block, rest)) = split_first(run) {
            run = rest;
            if kind == PACKET {
                if count.is_some_and(|count| summary.frames >= count) {
                    continue;
                }
                summary.frames += 1;
                if count == Some(summary.frames) {
                    // The totals follow.
                    let _ = stream.shutdown(Shutdown::Write);
                }
            } else if let Told::Statistics(_, lost) = read(block) {
                summary.lost += lost;
                summary.is_complete = true;
            }
            sink.block(kind, block)?;
        }
        match sink.flush() {
            Err(SinkError::Unread) => {
                summary.is_unread = true;
                return Ok(summary);
            }
            other => other?,
        }
    }
}

fn finish(reader: JoinHandle<Passed>, switch: &str) -> anyhow::Result<()> {
    let passed = match reader.join() {
        Ok(passed) => passed,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let summary = passed?;
    if summary.is_unread {
        return Ok(());
    }
    let Summary { frames, lost, .. } = summary;
    let lost = match lost {
        0 => "none lost".to_owned(),
        lost => format!("{lost} lost because they were not read fast enough"),
    };
    note(&format!("{frames} frames captured, {lost}"));
    if !summary.is_complete {
        anyhow::bail!(
            "the switch '{switch}' broke off, as if it had been killed: what it had told until \
             then is whole"
        );
    }
    Ok(())
}

/// Tells something beside the frames.
fn note(sentence: &str) {
    // Fails where nobody listens, who could then be told nothing anyhow.
    let _ = writeln!(io::stderr(), "{}", plain::text(sentence));
}
