//! The process that runs, and lets another one go on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::unistd::Pid;
use vswitch_switch::control::Handle;
use vswitch_switch::handover::{Snapshot, Then, monotonic};

use super::Succession;
use super::message::{Channel, Descriptor, Legacy, Message, Token, file_of, json_file};
use super::waiter::Waiter;
use super::{FORMAT, HandoverError};
use crate::control::Control;
use crate::fault;
use crate::metrics::Endpoint;

/// How long the new process may take to get ready, while the switch forwards: it is read from
/// disk, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often its manager hears of it meanwhile.
const SLICE: Duration = Duration::from_millis(500);
/// How long the switch stands still at most.
const STILL: Duration = Duration::from_secs(2);
/// How long one that goes on may take to say so: it has nothing else to do.
const LAST: Duration = Duration::from_secs(10);

/// Starts the successor and brings it to where it only has to go on; then it does. Returns once
/// it is found in the place of this process, which has nothing left to do.
///
/// # Errors
/// See [`HandoverError`]: this process goes on.
pub(crate) fn hand_over(control: &mut Control) -> Result<Succession, HandoverError> {
    let waiter = prepare_to_wait(control)?;
    let (channel, its) = Channel::pair()?;
    let pid = start(control, &its).inspect_err(|error| {
        control.manager.ready(control.name.as_str());
        log::error!("cannot restart: {error}");
    })?;
    drop(its);
    log::info!("process {pid} will take over the switch");
    let outcome = converse(control, &waiter, channel);
    let (pause, channel) = outcome.inspect_err(|error| {
        control.manager.ready(control.name.as_str());
        log::error!("cannot restart: {error}");
    })?;
    log::info!(
        "process {pid} has taken over the switch; frames waited {} µs",
        pause.as_micros()
    );
    control.manager.succeeded_by(pid);
    if matches!(waiter, Waiting::Nobody) {
        // Nobody else would pass on what has come meanwhile.
        for signal in control.signals.read() {
            let _ = channel.send(&Message::Signal(signal.to_owned()), &[]);
        }
    }
    // By its end the successor hears that the manager knows of it.
    drop(channel);
    let waiter = match waiter {
        Waiting::Ours(waiter, _) => Some(waiter),
        Waiting::Nobody | Waiting::Another(_) => None,
    };
    Ok(Succession { pid, pause, waiter })
}

/// Who waits for the end of the switch's process.
enum Waiting {
    /// Nobody: it runs in the background, or its manager is told.
    Nobody,
    /// This process will; with the end for the successor.
    Ours(Waiter, OwnedFd),
    /// Another one does.
    Another(OwnedFd),
}

fn prepare_to_wait(control: &Control) -> io::Result<Waiting> {
    if let Some(herald) = &control.herald {
        return Ok(Waiting::Another(herald.as_fd().try_clone_to_owned()?));
    }
    if control.log.is_some() || control.manager.is_there() {
        return Ok(Waiting::Nobody);
    }
    // The successor is a grandchild, whose parent ends.
    prctl::set_child_subreaper(true)?;
    let (waiter, its) = Waiter::pair()?;
    Ok(Waiting::Ours(waiter, its))
}

/// Starts the program that is installed now.
fn start(control: &Control, its: &OwnedFd) -> Result<Pid, HandoverError> {
    control.manager.reloading();
    let (out, err) = (io::stdout(), io::stderr());
    let standard = [its.as_fd(), out.as_fd(), err.as_fd()];
    control
        .lab
        .namespaces()
        .start_successor(standard)
        .map_err(HandoverError::Start)
}

/// The whole conversation; gives how long frames waited, and the channel, which is to be dropped
/// when the successor may speak for the switch.
fn converse(
    control: &mut Control,
    waiting: &Waiting,
    channel: Channel,
) -> Result<(Duration, Channel), HandoverError> {
    let patience = if fault::is_wanted("successor-silent") {
        Duration::from_secs(1)
    } else {
        PATIENCE
    };
    let deadline = Instant::now() + patience;
    await_message(control, &channel, deadline);
    let theirs = channel.expect(deadline, |message, _| match message {
        Message::Hello { format, version } => Some((format, version)),
        _ => None,
    })?;
    if theirs.0 != FORMAT {
        return Err(HandoverError::Format {
            ours: FORMAT,
            theirs: theirs.0,
        });
    }
    log::info!("the new process is of vswitch {}", theirs.1);
    send_legacy(control, waiting, &channel)?;
    let handle = control.lab.handle().clone();
    for port in handle.ports()? {
        let parts = handle.port_parts(port.id)?;
        let parts = parts.ok_or(HandoverError::Bound(port.name))?;
        let descriptors: Vec<_> = parts.descriptors.iter().map(AsFd::as_fd).collect();
        channel.send(&Message::Port(parts.data), &descriptors)?;
    }
    channel.send(&Message::Ports, &[])?;
    await_message(control, &channel, deadline);
    channel.expect(deadline, |message, _| {
        matches!(message, Message::Prepared).then_some(())
    })?;
    control.shut_metrics();
    let (pause, channel) =
        stand_still(&handle, channel).inspect_err(|_| control.reopen_metrics())?;
    // It goes on, whatever it says of it.
    if let Err(error) = channel.receive(Instant::now() + LAST) {
        log::warn!("the new process did not report that its start is complete: {error}");
    }
    Ok((pause, channel))
}

/// Stops the switch's thread and has the successor go on; otherwise it goes on itself.
fn stand_still(handle: &Handle, channel: Channel) -> Result<(Duration, Channel), HandoverError> {
    handle.stand_still(move |snapshot| match pass(&channel, snapshot) {
        Ok(pause) => (Ok((pause, channel)), Then::End),
        Err(error) => (Err(error), Then::GoOn),
    })?
}

/// Waits for the next message, while the switch forwards and its manager hears that it does.
fn await_message(control: &Control, channel: &Channel, deadline: Instant) {
    while Instant::now() < deadline && !channel.has_message(SLICE) {
        if control.watchdog.is_some() && control.lab.handle().status().is_ok() {
            control.manager.alive();
        }
    }
}

fn send_legacy(
    control: &Control,
    waiting: &Waiting,
    channel: &Channel,
) -> Result<(), HandoverError> {
    let metrics = control.metrics.as_ref().map(Endpoint::to_descriptor);
    let metrics = metrics.transpose()?;
    let manager = control.manager.descriptor();
    let waiter = match waiting {
        Waiting::Nobody => None,
        Waiting::Ours(_, its) | Waiting::Another(its) => Some(its.as_fd()),
    };
    let handed: [(Descriptor, Option<BorrowedFd<'_>>); 5] = [
        (Descriptor::Lock, Some(control.lock.as_fd())),
        (Descriptor::Control, Some(control.listener.as_fd())),
        (Descriptor::Metrics, metrics.as_ref().map(AsFd::as_fd)),
        (Descriptor::Manager, manager),
        (Descriptor::Waiter, waiter),
    ];
    let handed = handed
        .into_iter()
        .filter_map(|(what, fd)| Some((what, fd?)));
    let (kinds, descriptors): (Vec<_>, Vec<_>) = handed.unzip();
    let legacy = Legacy {
        name: control.name.to_string(),
        options: control.present_options(),
        bridge: control.lab.handle().status()?.config,
        plugs: control.lab.handed(),
        stations: control.stations.saved(),
        detached: control.log.is_some(),
        descriptors: kinds,
        manager: control.manager.address(),
        watchdog: control.manager.watchdog(),
    };
    let file = json_file(&legacy)?;
    let all: Vec<_> = std::iter::once(file.as_fd()).chain(descriptors).collect();
    channel.send(&Message::Welcome, &all)
}

/// While the switch stands still: has the successor go on from there. Gives how long that took.
fn pass(channel: &Channel, snapshot: &Snapshot) -> Result<Duration, HandoverError> {
    let (token, _far) = Token::lay_down()?;
    let files = [json_file(snapshot)?, file_of(&snapshot.stations)?];
    let [place, stations] = files.each_ref().map(AsFd::as_fd);
    channel.send(&Message::Standing, &[place, stations, token.as_fd()])?;
    let mut said = channel.receive(Instant::now() + STILL);
    if matches!(said, Err(HandoverError::Late)) && !token.take() {
        // It goes on, or is heard to have ended before it did.
        said = channel.receive(Instant::now() + LAST);
        if matches!(said, Err(HandoverError::Late)) {
            log::warn!("the new process did not report that it forwards");
            return Ok(monotonic().saturating_sub(snapshot.stood_at));
        }
    }
    match said? {
        (Message::Running, _) => Ok(monotonic().saturating_sub(snapshot.stood_at)),
        (Message::Failed(why), _) => Err(HandoverError::Failed(why)),
        _ => Err(HandoverError::Unexpected),
    }
}
