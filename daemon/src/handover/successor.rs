//! The process that goes on.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use mio::net::UnixListener;
use socket2::Socket;
use vswitch_switch::handover::Snapshot;
use vswitch_switch::port::{Assembled, PortParts};
use vswitch_switch::switch::schedule_in_batches;
use vswitch_switch::{Switch, SwitchError};

use super::message::{Channel, Descriptor, Legacy, Message, Token, bytes_of, json_of};
use super::waiter::Herald;
use super::{FORMAT, HandoverError};
use crate::control::Control;
use crate::forwarding::{Forwarding, take_precedence};
use crate::lock::DirLock;
use crate::namespaces::Namespaces;
use crate::server::{Peers, Server};
use crate::{
    Config, DaemonError, Notifier, Parts, Signals, assemble, fault, limits, live, logging,
    raise_guard,
};
use vswitch_control::metrics::Listener;
use vswitch_control::names::SwitchName;
use vswitch_control::rights;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::settings::GuardMode;

/// How long the predecessor may take for its next message, beside what a machine may be slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to tell its manager of this process.
const FAREWELL: Duration = Duration::from_secs(2);
/// So many wait on the control socket.
const BACKLOG: i32 = 1024;

/// The switch as its predecessor has run it.
fn config_of(name: &SwitchName, legacy: &Legacy, guard: GuardMode, manager: Notifier) -> Config {
    Config {
        name: name.clone(),
        options: legacy.options.clone(),
        fresh: false,
        manager,
        detached: legacy.detached,
        guard,
        when_ready: || {},
    }
}

/// Goes on with the switch `name` where the process stands still that speaks on standard input.
///
/// # Errors
/// See [`DaemonError`]; then that process goes on.
pub fn succeed(
    runtime: &RuntimeDir,
    name: &SwitchName,
    guard: GuardMode,
) -> Result<(), DaemonError> {
    rights::require("run a switch", rights::SWITCH)?;
    // Before the first thread: all have the signals blocked.
    let signals = Signals::take().map_err(io::Error::from)?;
    take_precedence();
    logging::start();
    limits::raise();
    let channel = Arc::new(Channel::from_stdin()?);
    let outcome = go_on(runtime, name, guard, &channel, signals);
    if let Err(error) = &outcome {
        // Fails where nobody listens any more; and is nobody's business once it ran.
        let _ = channel.send(&Message::Failed(error.to_string()), &[]);
        log::error!("{error}");
    }
    log::logger().flush();
    outcome
}

fn go_on(
    runtime: &RuntimeDir,
    name: &SwitchName,
    guard: GuardMode,
    channel: &Arc<Channel>,
    signals: Signals,
) -> Result<(), DaemonError> {
    let (legacy, descriptors) = greet(channel, name)?;
    let mut things = Things::sort(&legacy, descriptors)?;
    let manager = Notifier::handed_over(legacy.manager.clone(), things.manager, legacy.watchdog);
    fault::ends_the_process(name, &manager);
    let config = config_of(name, &legacy, guard, manager);
    // Before the first thread, and before anything is given up.
    let mut metrics = things.metrics.map(Listener::handed_over).transpose()?;
    let namespaces = Namespaces::new(runtime, &config, metrics.as_ref())?;
    let listener = Socket::from(things.control);
    let mut lock = DirLock::handed_over(runtime, name, things.lock)?;
    let ports = receive_ports(channel)?;
    namespaces.take_file_of(metrics.as_mut())?;
    let guard = raise_guard(runtime, &config, &lock)?;
    let forwarding = Forwarding::start()?;
    let parts = Parts {
        lock: &lock,
        listener: listener.as_fd(),
        signals,
        namespaces,
        guard,
    };
    let (mut control, switch, pipe) =
        assemble(&config, config.options.clone(), legacy.bridge, parts)?;
    control.herald = things.waiter.take().map(Herald::from);
    control.take_over(legacy.plugs, &legacy.stations);
    control.prepare_metrics(metrics)?;
    let accepting: std::os::unix::net::UnixListener = OwnedFd::from(listener.try_clone()?).into();
    let server = Server::new(
        UnixListener::from_std(accepting),
        Peers::new(config.options.group()),
        &control,
    )?;
    channel.send(&Message::Prepared, &[])?;
    stop_at("successor-prepared");
    if fault::is_wanted("successor-gives-up") {
        return Err(HandoverError::Unexpected.into());
    }

    let (told, outcome) = sync_channel(1);
    let words = Arc::clone(channel);
    let thread = forwarding.run(move || {
        let _pipe = pipe;
        run(&words, switch, ports, &told)
    });
    outcome.recv().map_err(|_| HandoverError::Unexpected)??;

    // Whoever asks is answered by this process from now on, also as the kernel sees it.
    mind("cannot listen", listener.listen(BACKLOG));
    mind("cannot note who holds the lock", lock.settle());
    if let Some(herald) = &control.herald {
        herald.introduce();
    }
    mind("cannot serve metrics", control.serve_metrics());
    log::info!("the switch '{name}' goes on");
    part(channel, &mut control);
    control.look_around();
    live(&config, control, thread, lock, server)
}

/// Says hello, and hears what there is.
fn greet(channel: &Channel, name: &SwitchName) -> Result<(Legacy, Vec<OwnedFd>), HandoverError> {
    stop_at("successor-start");
    while fault::is_wanted("successor-silent") {
        std::thread::park();
    }
    let hello = Message::Hello {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    channel.send(&hello, &[])?;
    let mut descriptors = channel.expect(soon(), |message, descriptors| {
        (matches!(message, Message::Welcome) && !descriptors.is_empty()).then_some(descriptors)
    })?;
    let legacy: Legacy = json_of(descriptors.remove(0))?;
    if legacy.name != name.as_str() {
        return Err(HandoverError::Unexpected);
    }
    Ok((legacy, descriptors))
}

/// What is handed over beside ports.
struct Things {
    lock: OwnedFd,
    control: OwnedFd,
    metrics: Option<OwnedFd>,
    manager: Option<OwnedFd>,
    waiter: Option<OwnedFd>,
}

impl Things {
    fn sort(legacy: &Legacy, descriptors: Vec<OwnedFd>) -> Result<Self, HandoverError> {
        if legacy.descriptors.len() != descriptors.len() {
            return Err(HandoverError::Unexpected);
        }
        let (mut lock, mut control, mut metrics) = (None, None, None);
        let (mut manager, mut waiter) = (None, None);
        for (what, descriptor) in legacy.descriptors.iter().zip(descriptors) {
            let place = match what {
                Descriptor::Lock => &mut lock,
                Descriptor::Control => &mut control,
                Descriptor::Metrics => &mut metrics,
                Descriptor::Manager => &mut manager,
                Descriptor::Waiter => &mut waiter,
            };
            *place = Some(descriptor);
        }
        Ok(Self {
            lock: lock.ok_or(HandoverError::Unexpected)?,
            control: control.ok_or(HandoverError::Unexpected)?,
            metrics,
            manager,
            waiter,
        })
    }
}

fn receive_ports(channel: &Channel) -> Result<Vec<Assembled>, HandoverError> {
    let mut ports = Vec::new();
    loop {
        match channel.receive(soon())? {
            (Message::Port(data), descriptors) => {
                ports.push(PortParts { data, descriptors }.assemble()?);
            }
            (Message::Ports, _) => return Ok(ports),
            _ => return Err(HandoverError::Unexpected),
        }
    }
}

/// Says that it goes on, and takes the signals that the predecessor still got.
fn part(channel: &Channel, control: &mut Control) {
    // Fails where the predecessor has ended by now.
    let _ = channel.send(&Message::Settled, &[]);
    while let Ok((Message::Signal(signal), _)) = channel.receive(Instant::now() + FAREWELL) {
        control.end_by_name(&signal);
    }
}

/// Once it goes on, no failure is worth ending the switch.
fn mind(what: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        log::error!("{what}: {error}");
    }
}

/// Runs the switch from where the other one stands still, once it is told whether that works.
fn run(
    channel: &Channel,
    mut switch: Switch,
    ports: Vec<Assembled>,
    told: &SyncSender<Result<(), HandoverError>>,
) -> Result<(), SwitchError> {
    let begun = begin(channel, &mut switch, ports);
    let goes_on = begun.is_ok();
    // The control thread waits for it: it was just started.
    let _ = told.send(begun);
    schedule_in_batches();
    if goes_on { switch.run() } else { Ok(()) }
}

/// Puts the switch where the other one stands still, and takes the right to go on. On the thread
/// that is to do it: frames wait.
fn begin(
    channel: &Channel,
    switch: &mut Switch,
    ports: Vec<Assembled>,
) -> Result<(), HandoverError> {
    let files = channel.expect(soon(), |message, descriptors| {
        matches!(message, Message::Standing).then_some(descriptors)
    })?;
    let [place, stations, token] =
        <[OwnedFd; 3]>::try_from(files).map_err(|_| HandoverError::Unexpected)?;
    let mut snapshot: Snapshot = json_of(place)?;
    snapshot.stations = bytes_of(stations)?;
    switch.go_on(&snapshot, ports)?;
    stop_at("successor-ready");
    if !Token::from(token).take() {
        return Err(HandoverError::Late);
    }
    stop_at("successor-go");
    // Said before it is done: if this process ended in between, nobody would take a frame twice.
    channel.send(&Message::Running, &[])
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Ends here, where a test wants it.
fn stop_at(fault: &str) {
    if fault::is_wanted(fault) {
        std::process::exit(vswitch_control::exit::FAILURE.into());
    }
}

impl From<HandoverError> for DaemonError {
    fn from(error: HandoverError) -> Self {
        Self::Succession(Box::new(error))
    }
}
