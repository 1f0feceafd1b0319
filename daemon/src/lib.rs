//! The process of one running switch.
//!
//! Theory of operation. Two threads: the switch's own, which moves frames ([`forwarding`]), and this
//! one, which answers on the control socket ([`server`], [`control`]), tells what happens ([`events`]), watches
//! signals and links, and changes what is attached ([`lab`]). A capture has a third while it runs
//! ([`capture`]). Where metrics are asked for, whoever serves them is a thread of its own, which asks
//! this one ([`crate::metrics`]). While it lives it holds its directory locked
//! ([`lock`]).
//! What it has promised to keep is on disk before a command is acknowledged ([`state`]).
//! However it ends, all that it made goes with it, but where it is killed: then the next of its
//! name has everything back.
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "a theory of operation names the modules that it is about"
)]

mod access;
mod alarms;
mod broker;
mod capture;
mod connection;
mod control;
mod detach;
mod dying;
mod ending;
mod error;
mod events;
mod explain;
mod fault;
mod fdb;
mod fixed;
mod forwarding;
mod guard;
mod handover;
mod keep;
mod lab;
mod launch;
mod lock;
mod logging;
mod metrics;
mod namespaces;
mod news;
mod notify;
mod server;
mod sources;
mod state;
mod subnet;
#[allow(unsafe_code)] // one system call that no crate wraps
mod sys;
#[cfg(test)]
#[path = "../../control/src/testing.rs"]
mod testing;
#[doc(hidden)]
pub mod trial;
mod watchdog;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use vswitch_switch::descriptors::closed_first;
use vswitch_switch::switch::schedule_in_batches;
use vswitch_switch::{BridgeConfig, Handle, Switch};

use alarms::Alarms;
use capture::Captures;
use control::Control;
use ending::Ending;
use events::Hub;
use forwarding::{Forwarding, SwitchThread};
use guard::Guard;
pub use guard::restrict_keeper;
use lab::{Lab, LabError};
use lock::{DirLock, LockError};
use namespaces::Namespaces;
pub use notify::Notifier;
use server::{Peers, Server};
pub use state::Options;
use state::{Saved, StateError, StateFile, Stations};
use vswitch_control::limits;
use vswitch_control::metrics::{Address, Listener};
use vswitch_control::names::SwitchName;
use vswitch_control::rights;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::settings::GuardMode;
use vswitch_control::signals::Signals;
use watchdog::Watchdog;

pub use detach::start as start_detached;
pub use error::DaemonError;
pub use handover::succeed;
pub use launch::Launch;
pub use lock::clear_killed;

/// A switch to be run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub name: SwitchName,
    /// What is decided of how it works. All else is as it was, where one was killed, or as usual.
    pub options: Options,
    /// Whether what a killed one has kept is discarded.
    pub fresh: bool,
    /// Whether it gives up what it does not need.
    pub guard: GuardMode,
    /// Who wants to know how it is.
    pub manager: Notifier,
    /// Whether this is the child that runs in the background.
    pub detached: bool,
    /// Called once the switch takes commands.
    pub when_ready: fn(),
}

/// Removes the directory that a switch which was killed has left.
///
/// # Errors
/// Where it cannot be taken; one that lives is left alone.
pub fn clear_away(runtime: &RuntimeDir, name: &SwitchName) -> Result<(), DaemonError> {
    match DirLock::acquire(runtime, name) {
        Ok(mut lock) => lock.take_over(),
        Err(LockError::Held { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Removes all that a switch which was killed has left: its cables, its directory; and gives back
/// the interfaces that were its ports.
///
/// # Errors
/// Where its directory cannot be taken, or the interfaces cannot be listed.
pub fn remove_killed(runtime: &RuntimeDir, name: &SwitchName) -> Result<(), DaemonError> {
    let mut lock = DirLock::acquire_patiently(runtime, name)?;
    let kept = state::recall(lock.dir().path(), name).unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    });
    let ports = kept.map(|kept| kept.saved.ports).unwrap_or_default();
    lab::remove_killed(name, &ports)?;
    lock.take_over();
    Ok(())
}

/// Whether the switch `name` was killed: its process has ended, or is about to.
#[must_use]
pub fn was_killed(runtime: &RuntimeDir, name: &SwitchName) -> bool {
    lock::was_killed(&runtime.switch(name))
}

/// Where the switch `name`, which does not run, is to serve metrics again.
#[must_use]
pub fn remembered_metrics(runtime: &RuntimeDir, name: &SwitchName) -> Option<Address> {
    let kept = state::recall(runtime.switch(name).path(), name).ok()??;
    kept.saved.options.settings.metrics
}

/// How much the switch `name`, which does not run, is to insist on giving up again. It is asked before
/// its directory is locked, since its broker is started before.
#[must_use]
pub fn remembered_guard(runtime: &RuntimeDir, name: &SwitchName) -> Option<GuardMode> {
    let kept = state::recall(runtime.switch(name).path(), name).ok()??;
    let guard = kept.saved.options.settings.guard;
    guard.filter(|mode| *mode != GuardMode::Off)
}

/// Gives an interface back to the host's stack that a switch which was killed had as a port.
///
/// # Errors
/// Where the kernel refuses; one that is in use, or is gone, is left alone.
pub fn give_back(interface: &str) -> Result<(), DaemonError> {
    Ok(lab::give_back(interface)?)
}

/// Runs a switch until it is stopped.
///
/// # Errors
/// See [`DaemonError`]. Nothing is left behind in any case.
pub fn run(
    runtime: &RuntimeDir,
    config: &Config,
    metrics: Option<Listener>,
) -> Result<(), DaemonError> {
    let detached = config.detached;
    let mut ready = false;
    let outcome = serve(runtime, config, metrics, &mut ready);
    if let Err(error) = &outcome {
        if detached && !ready {
            detach::tell_failed(&error.to_string());
        }
        log::error!("{error}");
    }
    log::logger().flush();
    outcome
}

fn serve(
    runtime: &RuntimeDir,
    config: &Config,
    mut metrics: Option<Listener>,
    ready: &mut bool,
) -> Result<(), DaemonError> {
    rights::require("run a switch", rights::SWITCH)?;
    // Before the first thread: all have the signals blocked.
    let signals = Signals::take().map_err(io::Error::from)?;
    forwarding::take_precedence();
    // Before there is anything that it would have to let go of.
    let namespaces = Namespaces::new(runtime, config, metrics.as_ref())?;
    let lock = DirLock::acquire_patiently(runtime, &config.name)?;
    let log = if config.detached {
        Some(detach::leave(&lock.dir().log())?)
    } else {
        None
    };
    logging::start();
    fault::ends_the_process(&config.name, &config.manager);
    limits::raise();
    let kept = recall(&lock, config)?;
    let mut options = config.options.clone();
    if let Some(kept) = &kept {
        options.recall(&kept.options);
    }
    write_down(&lock, &options, metrics.as_ref())?;
    let listener = access::listen(lock.dir(), options.group())?;
    let peers = Peers::new(options.group());
    namespaces.take_file_of(metrics.as_mut())?;
    let guard = raise_guard(runtime, config, &lock)?;
    let forwarding = Forwarding::start()?;
    let bridge = options.settings.bridge();
    let parts = Parts {
        lock: &lock,
        listener: listener.as_fd(),
        signals,
        namespaces,
        guard,
    };
    let (mut control, switch, pipe) = assemble(config, options, bridge, parts)?;
    // From here the file of its socket goes before the process that removes it does.
    control.prepare_metrics(metrics)?;
    let thread = start_switch(forwarding, switch, pipe);
    if let Some(kept) = kept {
        control.recall(kept)?;
    }
    control.lab.remove_leftovers()?;
    control.serve_metrics()?;
    control.keep()?;
    let server = Server::new(listener, peers, &control)?;
    log::info!("the switch '{}' is ready", config.name);
    if let Some(log) = &log {
        detach::tell_ready(log)?;
    }
    *ready = true;
    (config.when_ready)();
    live(config, control, thread, lock, server)
}

/// Serves until the switch ends, in whatever way.
fn live(
    config: &Config,
    mut control: Control,
    thread: SwitchThread,
    mut lock: DirLock,
    mut server: Server<Control>,
) -> Result<(), DaemonError> {
    lock.take_over();
    config.manager.ready(config.name.as_str());
    if control.watchdog.is_some() {
        config.manager.alive();
    }
    let failed = |source: DaemonError| DaemonError::WhileRunning {
        name: config.name.clone(),
        source: Box::new(source),
    };
    let served = server.run(&mut control);
    let ending = match control.ending {
        Some(Ending::HandedOver) => {
            lock.leave();
            drop(server);
            leave(control, thread);
            return Ok(());
        }
        Some(ending) if ending.is_wanted() => ending,
        _ => {
            // All stays as it is, for the next of its name.
            lock.leave();
            let failure = served.err().map(DaemonError::from);
            let failure = failure.unwrap_or_else(|| failure_of(&control, thread));
            return Err(failed(failure));
        }
    };
    finish(control, thread).map_err(failed)?;
    log::info!("the switch '{}' has ended: {ending}", config.name);
    // First, so that a client who sees its connection end finds no switch, and not a killed one.
    lock.remove_and_hold();
    drop(server);
    Ok(())
}

/// Another process goes on: nothing is dismantled. Waits for its end, if somebody waits for that of
/// this one, and ends as it does.
fn leave(mut control: Control, thread: SwitchThread) {
    // It has ended, and all that it had is the other one's too.
    let _ = thread.join();
    if let Some(metrics) = control.metrics.take() {
        metrics.pass_on();
    }
    let succession = control.succession.take();
    let (captures, signals) = control.into_parts();
    captures.finish();
    if let Some((waiter, pid)) = succession.and_then(handover::Succession::into_waiter) {
        log::info!("this process waits for the end of process {pid}, and passes signals on to it");
        log::logger().flush();
        std::process::exit(waiter.wait(pid, &signals).into());
    }
}

/// Why a switch's thread has ended by itself.
fn failure_of(control: &Control, thread: SwitchThread) -> DaemonError {
    if control.ending == Some(Ending::Orphaned) {
        return DaemonError::Orphaned;
    }
    match thread.join() {
        Ok(Err(error)) => error.into(),
        // A panic has ended the process, and nobody has asked the thread to end.
        _ => DaemonError::Panicked,
    }
}

/// What a killed one of this name has kept, unless it is to be discarded.
fn recall(lock: &DirLock, config: &Config) -> Result<Option<Saved>, DaemonError> {
    let dir = lock.dir().path();
    if config.fresh {
        state::discard(dir).map_err(|source| StateError::Write {
            path: dir.to_owned(),
            source,
        })?;
        return Ok(None);
    }
    let kept = state::recall(dir, &config.name)?;
    for warning in kept.iter().flat_map(|kept| &kept.warnings) {
        log::warn!("{warning}");
    }
    if lock.recovered() {
        log::warn!(
            "restored the switch '{}', which had been killed",
            config.name
        );
    }
    Ok(kept.map(|kept| kept.saved))
}

/// Writes down what the switch is given, before it gives up the right to.
fn write_down(
    lock: &DirLock,
    options: &Options,
    metrics: Option<&Listener>,
) -> Result<(), DaemonError> {
    let dir = lock.dir().path();
    let mut given = options.settings.clone();
    given.metrics = metrics.map(|metrics| metrics.address().clone());
    state::write_down(dir, &given).map_err(|source| {
        let path = dir.to_owned();
        StateError::Write { path, source }.into()
    })
}

/// Gives up what is not needed any more. From here on every thread has the same few rights.
fn raise_guard(
    runtime: &RuntimeDir,
    config: &Config,
    lock: &DirLock,
) -> Result<Guard, DaemonError> {
    let paths = guard::Paths {
        own: lock.dir().path().to_owned(),
        parent: runtime.path().to_owned(),
    };
    Guard::raise(config.guard, &paths).map_err(DaemonError::Guard)
}

/// What a switch's process has before it has a switch.
struct Parts<'a> {
    lock: &'a DirLock,
    /// The control socket.
    listener: BorrowedFd<'a>,
    signals: Signals,
    namespaces: Namespaces,
    guard: Guard,
}

/// All but the threads.
fn assemble(
    config: &Config,
    options: Options,
    bridge: BridgeConfig,
    parts: Parts<'_>,
) -> Result<(Control, Switch, io::PipeWriter), DaemonError> {
    let mut switch = Switch::new(bridge)?;
    let lab = Lab::new(
        config.name.clone(),
        switch.handle(),
        &options.settings,
        parts.namespaces,
    )?;
    let captures = Captures::new(lab.captions());
    let (switch_end, held_by_switch) = io::pipe()?;
    let control = Control {
        name: config.name.clone(),
        log: config.detached.then(|| parts.lock.dir().log()),
        metrics: None,
        member_of: options.lab(),
        lab,
        stations: Stations::default(),
        options,
        state: StateFile::new(parts.lock.dir().path().to_owned()),
        alarms: Alarms::listen(&mut switch)?,
        hub: Hub::new()?,
        captures,
        readings: fdb::Readings::default(),
        guard: parts.guard,
        signals: parts.signals,
        switch_end,
        manager: config.manager.clone(),
        watchdog: Watchdog::start(&config.manager)?,
        herald: None,
        lock: parts.lock.descriptor()?,
        // Who asks one that was killed is refused, and does not wait until all is closed.
        listener: closed_first(parts.listener.try_clone_to_owned()?),
        succession: None,
        ending: None,
    };
    Ok((control, switch, held_by_switch))
}

/// Runs the switch on a thread whose end, of whatever kind, closes the pipe.
fn start_switch(forwarding: Forwarding, mut switch: Switch, pipe: io::PipeWriter) -> SwitchThread {
    forwarding.run(move || {
        let _pipe = pipe;
        schedule_in_batches();
        switch.run()
    })
}

fn finish(mut control: Control, thread: SwitchThread) -> Result<(), DaemonError> {
    let handle: Handle = control.lab.handle().clone();
    control.lab.dismantle();
    handle.stop();
    let ended = thread.join().map_err(|_| DaemonError::Panicked);
    control.captures.finish();
    ended??;
    Ok(())
}
