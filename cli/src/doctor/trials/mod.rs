//! Trying what the kernel allows: in children of this program, in namespaces that go with them.

mod steps;

use std::io::{self, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use vswitch_netns::userns;

use crate::args::TrialRights;
use vswitch_control::itself;

/// How long all trials of one child may take: a kernel module may have to be loaded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something that a switch asks of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Named namespaces: a mount on a file in `/run/netns`.
    NamedNamespaces,
    /// A veth pair.
    Veth,
    /// Packet sockets.
    PacketSocket,
    /// Their rings, mapped into memory.
    Ring,
    /// A classifier at ingress.
    Classifier,
    /// Settings of interfaces in `/proc/sys`.
    Settings,
    /// TAP devices.
    Tap,
}

/// What came of a trial: nothing, or why it failed.
pub(crate) type Outcome = Result<(), String>;

/// What a child has found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inside {
    /// Whether it has got its namespaces. Without, nothing else was tried.
    pub(crate) namespaces: Outcome,
    /// What it has tried in them.
    pub(crate) steps: Vec<(Step, Outcome)>,
}

/// What the children have found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trials {
    /// With the rights of the process; `None` where it has too few to try.
    pub(crate) own: Option<Inside>,
    /// In a user namespace.
    pub(crate) user: Inside,
}

impl Trials {
    /// With the rights that a lab would be made with: the process's own if they do, else those in
    /// a user namespace.
    pub(crate) fn best(&self) -> &Inside {
        match &self.own {
            Some(own) if own.namespaces.is_ok() => own,
            _ => &self.user,
        }
    }
}

/// Tries everything; with the process's own rights only where they are worth it.
pub(crate) fn run(with_own_rights: bool) -> Trials {
    Trials {
        own: with_own_rights.then(|| in_a_child(TrialRights::Own)),
        user: in_a_child(TrialRights::User),
    }
}

fn in_a_child(rights: TrialRights) -> Inside {
    let told = start(rights).and_then(read_in_time);
    let found = told.and_then(|text| Ok(serde_json::from_slice(&text)?));
    found.unwrap_or_else(|error: io::Error| Inside {
        namespaces: Err(format!("the trial itself failed: {error}")),
        steps: Vec::new(),
    })
}

fn start(rights: TrialRights) -> io::Result<Child> {
    itself::command()?
        .args(["doctor", "--inside", rights.as_str()])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// All that a child says until its end; one that does not end is killed.
fn read_in_time(mut child: Child) -> io::Result<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let mut pipe = child.stdout.take();
    thread::Builder::new().spawn(move || {
        let mut text = Vec::new();
        let read = pipe
            .as_mut()
            .map_or(Ok(0), |pipe| pipe.read_to_end(&mut text));
        // Nobody listens any more once it has taken too long.
        let _ = sender.send(read.map(|_| text));
    })?;
    let told = receiver.recv_timeout(PATIENCE);
    // Fails where it has ended.
    let _ = child.kill();
    child.wait()?;
    told.unwrap_or_else(|_| Err(io::Error::other("the kernel did not come to an answer")))
}

/// In the child: makes namespaces and tries everything in them.
pub(crate) fn inside(rights: TrialRights) -> Inside {
    // Nothing is to stay if the parent is killed meanwhile.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    let namespaces = enter(rights);
    Inside {
        steps: if namespaces.is_ok() {
            steps::all()
        } else {
            Vec::new()
        },
        namespaces,
    }
}

fn enter(rights: TrialRights) -> Outcome {
    match rights {
        TrialRights::Own => unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
            .map_err(|errno| format!("cannot make namespaces: {}", errno.desc()))?,
        TrialRights::User => {
            userns::enter_user_namespace().map_err(|error| error.to_string())?;
        }
    }
    userns::private_mounts().map_err(|error| error.to_string())?;
    userns::private_run().map_err(|error| error.to_string())
}
