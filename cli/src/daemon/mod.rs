//! The process of one running switch.
//!
//! Theory of operation. Two threads: the switch's own, which moves frames, and this one, which
//! answers on the control socket ([`server`], [`control`]), tells what happens ([`events`]), watches
//! signals and links, and changes what is attached ([`lab`]). A capture has a third while it runs
//! ([`capture`]). Where metrics are asked for, those who serve them are threads of their own, and
//! clients as any other ([`crate::metrics`]). While it lives it holds its directory locked
//! ([`lock`]).
//! However it ends, all that it made goes with it, but where it is killed: then the next of its
//! name takes over.

mod capture;
mod connection;
mod control;
mod detach;
mod events;
mod explain;
mod fdb;
mod lab;
pub(crate) mod limits;
mod lock;
mod logging;
mod news;
mod notify;
mod server;
mod settings;
mod signals;
mod subnet;
#[allow(unsafe_code)] // one system call that no crate wraps
mod sys;
pub(crate) mod trial;

use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;

use ipnet::IpNet;
use mio::net::UnixListener;
use vswitch_switch::port::ReceivePath;
use vswitch_switch::switch::schedule_in_batches;
use vswitch_switch::{BridgeConfig, Handle, Switch, SwitchError};

use crate::metrics::{Endpoint, Listener};
use crate::names::{LabName, SwitchName};
use crate::rights::{self, MissingRights};
use crate::runtime_dir::RuntimeDir;
use crate::userlab;
use capture::Captures;
use control::{Control, Ending};
use events::Hub;
pub(crate) use lab::owner_of;
use lab::{Lab, LabError};
use lock::{DirLock, LockError};
pub(crate) use notify::Notifier;
use server::Server;
pub(crate) use signals::{Signals, hangup_is_ignored};

pub(crate) use detach::{DetachError, start as start_detached};
pub(crate) use lock::clear_killed;

/// A switch to be run.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Its name.
    pub(crate) name: SwitchName,
    /// How it forwards.
    pub(crate) bridge: BridgeConfig,
    /// Whence attached namespaces get their addresses.
    pub(crate) subnet: Option<IpNet>,
    /// How frames come from the kernel.
    pub(crate) receive: ReceivePath,
    /// The lab of `vswitch up` that it belongs to.
    pub(crate) lab: Option<LabName>,
    /// Who wants to know how it is.
    pub(crate) manager: Notifier,
    /// Whether this is the child that runs in the background.
    pub(crate) detached: bool,
}

/// Why a switch could not run, or did not run on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    /// The process may not.
    #[error(transparent)]
    Rights(#[from] MissingRights),
    /// Its directory is taken or unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It could not go to the background.
    #[error(transparent)]
    Detach(#[from] DetachError),
    /// The control socket could not be made.
    #[error("cannot listen on {}: {source}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no descriptor or thread.
    #[error("cannot start the switch: {0}")]
    System(#[from] io::Error),
    /// The switch could not be made, or has failed.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// The interfaces cannot be managed.
    #[error(transparent)]
    Lab(Box<LabError>),
    /// The switch's thread panicked.
    #[error("the switch has failed from within, which its log tells more of: please report it")]
    Panicked,
}

impl From<LabError> for DaemonError {
    fn from(error: LabError) -> Self {
        Self::Lab(Box::new(error))
    }
}

/// Removes the directory that a switch which was killed has left.
///
/// # Errors
/// Where it cannot be taken; one that lives is left alone.
pub(crate) fn clear_away(runtime: &RuntimeDir, name: &SwitchName) -> Result<(), DaemonError> {
    match DirLock::acquire(runtime, name) {
        Ok(lock) => drop(lock),
        Err(LockError::Held { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Gives an interface back to the host's stack that a switch which was killed had as a port.
///
/// # Errors
/// Where the kernel refuses; one that is in use, or is gone, is left alone.
pub(crate) fn give_back(interface: &str) -> Result<(), DaemonError> {
    Ok(lab::give_back(interface)?)
}

/// Runs a switch until it is stopped.
///
/// # Errors
/// See [`DaemonError`]. Nothing is left behind in any case.
pub(crate) fn run(
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
    outcome
}

fn serve(
    runtime: &RuntimeDir,
    config: &Config,
    metrics: Option<Listener>,
    ready: &mut bool,
) -> Result<(), DaemonError> {
    rights::require("run a switch", rights::SWITCH)?;
    // Before the first thread: all have the signals blocked.
    let signals = Signals::take().map_err(io::Error::from)?;
    let lock = DirLock::acquire(runtime, &config.name)?;
    let log = if config.detached {
        Some(detach::leave(&lock.dir().log())?)
    } else {
        None
    };
    logging::start();
    limits::raise();
    if lock.recovered() {
        log::warn!(
            "recovered the directory of a switch '{}' that was killed",
            config.name
        );
    }
    let listener = listen(lock.dir().socket())?;
    let (mut control, thread) = assemble(config, &lock, signals)?;
    control.lab.remove_leftovers()?;
    let serve = |listener| Endpoint::start(listener, runtime.clone(), config.name.clone());
    control.metrics = metrics.map(serve).transpose()?;
    let mut server = Server::new(listener, &control)?;
    log::info!("the switch '{}' is ready", config.name);
    if let Some(log) = &log {
        detach::tell_ready(log)?;
    }
    *ready = true;
    config.manager.ready(config.name.as_str());
    userlab::settle();
    let served = server.run(&mut control);
    config.manager.stopping();
    let outcome = finish(control, thread);
    log::info!("the switch '{}' has ended", config.name);
    // First, so that a client who sees its connection end finds no switch, and not a killed one.
    lock.remove_and_hold();
    drop(server);
    served?;
    outcome
}

fn listen(path: PathBuf) -> Result<UnixListener, DaemonError> {
    use std::os::unix::fs::PermissionsExt;
    let bound = UnixListener::bind(&path).and_then(|listener| {
        // Nobody else can enter the directory: there is no moment in which others may connect.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    bound.map_err(|source| DaemonError::Socket { path, source })
}

type SwitchThread = JoinHandle<Result<(), SwitchError>>;

fn assemble(
    config: &Config,
    lock: &DirLock,
    signals: Signals,
) -> Result<(Control, SwitchThread), DaemonError> {
    let switch = Switch::new(config.bridge)?;
    let handle = switch.handle();
    let lab = Lab::new(
        config.name.clone(),
        handle.clone(),
        config.subnet,
        config.receive,
    )?;
    let captures = Captures::new(lab.captions());
    let (switch_end, held_by_switch) = io::pipe()?;
    let thread = start_switch(switch, held_by_switch)?;
    let control = Control {
        name: config.name.clone(),
        log: config.detached.then(|| lock.dir().log()),
        metrics: None,
        member_of: config.lab.clone(),
        lab,
        hub: Hub::new()?,
        captures,
        signals,
        switch_end,
        ending: None,
    };
    Ok((control, thread))
}

/// Runs the switch on a thread whose end, of whatever kind, closes the pipe.
fn start_switch(mut switch: Switch, pipe: io::PipeWriter) -> io::Result<SwitchThread> {
    std::thread::Builder::new()
        .name("switch".to_owned())
        .spawn(move || {
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
    match control.ending {
        Some(Ending::SwitchFailed) => Err(DaemonError::Panicked),
        _ => Ok(()),
    }
}
