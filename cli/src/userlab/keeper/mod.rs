//! The process that holds a lab's namespaces.
//!
//! # Theory of operation
//!
//! It waits, in one thread, for three kinds of things: commands that connect, whom it hands the
//! namespaces ([`mod@super::visit`]); commands that leave; and switches that end, told by a
//! connection to each one's control socket ([`members`]). When one has left, it looks
//! which switches there are, and, when nobody visits, what else was made ([`contents`]), and ends
//! if it is no longer needed; what can't be seen is not taken for missing. So what a command makes
//! is there before the lab can end, and a switch needs to know nothing of its keeper.
//!
//! The end of a session empties `XDG_RUNTIME_DIR`, after which no command would find the lab again, and
//! the next session would make another one. So the keeper hears what is removed from the runtime
//! directory ([`watch`]): a switch whose directory was removed is told to stop, and when the keeper's own
//! was, it ends as soon as no switch is left that could be found without it.

mod contents;
mod members;
mod setup;
mod watch;

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::unistd::{daemon, dup2_stdout, geteuid};

use super::files::{Identity, LabDir};
use super::namespaces::Namespaces;
use super::{sys, visit};
use crate::args::KeeperArgs;
use contents::Contents;
use members::Members;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::users;
use vswitch_daemon::restrict_keeper;
use watch::{Place, Watch};

/// What a keeper says when it listens.
pub(super) const READY: &str = "ready";
/// How long to wait where no connection can be accepted, for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How long nothing may happen before it is looked again whether the lab is needed, where that is
/// not known.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// How often one guest is read from in a row.
const MOST_READS: usize = 16;

/// A lab from the inside.
struct Keeper {
    dir: LabDir,
    runtime: RuntimeDir,
    listener: UnixListener,
    /// Of the socket that it listens on.
    socket: Identity,
    namespaces: Namespaces,
    /// The lab's owner, as known in the lab.
    user: u32,
    /// The commands that are at work.
    guests: Vec<UnixStream>,
    members: Members,
    /// The directory of the lab.
    place: Place,
    /// Hears what is removed from the runtime directory; none where there are too many watches.
    watch: Option<Watch>,
    /// Keeps those away who clear up what is old, as systemd-tmpfiles(8) does in /tmp: it takes
    /// sockets in other network namespaces for dead, and leaves directories that are locked.
    _in_use: Option<Flock<File>>,
    /// Whether there was a switch whose end is the lab's.
    had_members: bool,
    /// What there was when the lab began: `lo`, and what the kernel puts beside it.
    at_first: Contents,
    /// What there was when the last switch ended while others were at work: what those make is to
    /// live on.
    at_last: Option<Contents>,
    /// Whether to look even if nothing happens: nobody has visited yet, and whoever was to may
    /// have been killed; or what there is could not be seen.
    looks_again: bool,
    /// When it does: [`LOOK_AGAIN`].
    patience: Duration,
}

/// Runs a keeper until its lab ends.
pub(crate) fn run(runtime: RuntimeDir, args: &KeeperArgs) -> anyhow::Result<()> {
    match start(runtime, args) {
        Ok(keeper) => {
            // Nobody hears of it where there is none; a kernel without it has none for switches either.
            let _ = restrict_keeper();
            keeper.keep();
        }
        Err(error) => {
            tell(&crate::sentence(&error));
            return Err(error);
        }
    }
    Ok(())
}

/// Leaves the surroundings of the parent, makes the namespaces and listens.
fn start(runtime: RuntimeDir, args: &KeeperArgs) -> anyhow::Result<Keeper> {
    sys::close_inherited().context("cannot close what was inherited")?;
    SigSet::all()
        .thread_unblock()
        .context("cannot let signals through")?;
    // A session of its own, in /, with a parent that does not have to wait for its end.
    daemon(false, true).context("cannot leave the terminal's session")?;
    // The kernel has named the process after its path, which was /proc/self/exe.
    prctl::set_name(c"vswitch-keeper").context("cannot set the process's name")?;
    if !args.adopt {
        setup::make_namespaces(&runtime)?;
    }
    let keeper = Keeper::listen(runtime)?;
    tell(READY);
    let null = File::options().write(true).open("/dev/null");
    let null = null.context("cannot open /dev/null")?;
    // Ends the parent's wait.
    dup2_stdout(&null).context("cannot let go of the parent")?;
    Ok(keeper)
}

/// Tells the parent.
fn tell(line: &str) {
    let mut out = io::stdout().lock();
    // Fails where the parent is gone, who then need not know.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// What a wait has brought.
#[derive(Default)]
struct Ready {
    /// It was long, and nothing happened.
    in_vain: bool,
    /// Something was removed from the runtime directory.
    removal: bool,
    somebody_connects: bool,
    guests: Vec<bool>,
    members: Vec<bool>,
}

impl Keeper {
    /// A keeper of the namespaces that this process is in.
    fn listen(runtime: RuntimeDir) -> anyhow::Result<Self> {
        let dir = LabDir::of(&runtime);
        let path = dir.socket();
        let at_first = Contents::now()?;
        let in_use = File::open(runtime.path()).ok();
        let in_use = in_use.and_then(|file| Flock::lock(file, FlockArg::LockSharedNonblock).ok());
        let watch = Watch::on(runtime.path()).ok();
        let keeper = UnixListener::bind(&path).and_then(|listener| {
            // Nobody else can enter the directory: there is no moment in which others may connect.
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            let place = Place::at(dir.path())?;
            Ok(Self {
                socket: Identity::of(&path)?,
                namespaces: Namespaces::of("self")?,
                user: geteuid().as_raw(),
                dir,
                runtime,
                listener,
                place,
                watch,
                guests: Vec::new(),
                _in_use: in_use,
                members: Members::default(),
                had_members: false,
                at_first,
                at_last: None,
                looks_again: true,
                patience: LOOK_AGAIN,
            })
        });
        keeper.with_context(|| format!("cannot listen on {}", path.display()))
    }

    fn keep(mut self) {
        // It is not judged before it had a visitor: whoever started it comes first, and soon.
        loop {
            let ready = self.wait();
            if ready.somebody_connects {
                self.accept();
            }
            let left = self.take_leavers(&ready.guests);
            let lost = self.members.lose(&ready.members);
            if ready.removal {
                self.watch.iter().for_each(Watch::clear);
            }
            // Before it is looked which switches there are: those are none any more.
            self.members.stop_removed();
            if self.is_lost() {
                self.end(left);
                return;
            }
            if lost {
                self.take_stock();
            }
            if (lost || ready.in_vain || !left.is_empty()) && self.is_over() {
                self.end(left);
                return;
            }
        }
    }

    /// Whether no command finds this keeper any more, nor needs it: its directory was removed, and every switch that
    /// has one left has ended, or has another keeper by now.
    fn is_lost(&self) -> bool {
        let is_replaced =
            || Identity::of(&self.dir.socket()).is_ok_and(|found| found != self.socket);
        self.place.is_removed() && (self.members.links().next().is_none() || is_replaced())
    }

    /// Waits for the next event.
    fn wait(&self) -> Ready {
        let guests = self.guests.iter().map(AsFd::as_fd);
        let members = self.members.links();
        let watch = self.watch.iter().map(AsFd::as_fd);
        let mut fds: Vec<PollFd<'_>> = std::iter::once(self.listener.as_fd())
            .chain(watch)
            .chain(guests)
            .chain(members)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let looks_again = self.looks_again || self.watch.is_none() || self.place.is_removed();
        let limit = looks_again.then_some(self.patience);
        let limit = limit.and_then(|limit| PollTimeout::try_from(limit).ok());
        match poll(&mut fds, limit.unwrap_or(PollTimeout::NONE)) {
            Ok(0) => {
                return Ready {
                    in_vain: true,
                    ..Ready::default()
                };
            }
            Ok(_) => {}
            Err(Errno::EINTR) => return Ready::default(),
            // Out of memory: later, perhaps.
            Err(_) => {
                thread::sleep(PAUSE);
                return Ready::default();
            }
        }
        let mut happened = fds.iter().map(|fd| fd.any().unwrap_or(true));
        Ready {
            in_vain: false,
            somebody_connects: happened.next().unwrap_or(false),
            removal: self.watch.is_some() && happened.next().unwrap_or(false),
            guests: happened.by_ref().take(self.guests.len()).collect(),
            members: happened.collect(),
        }
    }

    /// Accepts all who wait, and hands each the namespaces.
    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                // Only the lab's owner is let in, who has the number of this process in here. The
                // directory keeps all others out: this is for a connection that got past it.
                Ok((stream, _)) if users::peer(&stream).is_ok_and(|user| user == self.user) => {
                    let greeted = stream
                        .set_nonblocking(true)
                        .and_then(|()| self.namespaces.send(&stream));
                    if greeted.is_ok() {
                        self.guests.push(stream);
                        // It is looked when this one leaves.
                        self.looks_again = false;
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return thread::sleep(PAUSE),
            }
        }
    }

    /// Takes out the guests who have closed their side.
    fn take_leavers(&mut self, ready: &[bool]) -> Vec<UnixStream> {
        let mut index = 0;
        let has_left = |guest: &mut UnixStream| {
            let is_ready = ready.get(index).copied().unwrap_or(false);
            index += 1;
            is_ready && has_ended(guest)
        };
        self.guests.extract_if(.., has_left).collect()
    }

    /// Remembers what there is if the last switch has ended while somebody is at work.
    fn take_stock(&mut self) {
        if self.guests.is_empty() {
            return;
        }
        let seen = self.members.refresh(&self.runtime);
        if (seen.is_err() || self.members.is_empty()) && self.at_last.is_none() {
            // What can't be seen counts as made later.
            self.at_last = Some(Contents::now().unwrap_or_default());
        }
    }

    /// Whether the lab is of no more use to anybody, as far as can be seen.
    fn is_over(&mut self) -> bool {
        let verdict = self.judge();
        self.looks_again = verdict.is_err();
        verdict.unwrap_or(false)
    }

    fn judge(&mut self) -> anyhow::Result<bool> {
        // While others are at work too: a switch that ends before they leave was one of the lab's.
        self.members.refresh(&self.runtime)?;
        if !self.members.is_empty() {
            self.had_members = true;
            self.at_last = None;
            return Ok(false);
        }
        if !self.guests.is_empty() {
            return Ok(false);
        }
        let now = Contents::now()?;
        // Somebody has made something since the last switch ended: a new beginning.
        if let Some(last) = self.at_last.take()
            && now.has_more_than(&last)
        {
            self.had_members = false;
        }
        Ok(self.had_members || !now.has_more_than(&self.at_first))
    }

    /// Removes what the lab has in the runtime directory, and tells those who just left.
    fn end(self, left: Vec<UnixStream>) {
        let path = self.dir.socket();
        if Identity::of(&path).is_ok_and(|found| found == self.socket) {
            // Who connected just before finds the connection closed, and looks again.
            let _ = fs::remove_file(&path);
        }
        drop(self.listener);
        // Whoever holds the lock is making the next lab, and has use for what is there. What is at
        // the path of a directory that was removed is another keeper's.
        if !self.place.is_removed()
            && let Some(lock) = self.dir.try_lock()
        {
            lock.remove();
        }
        let farewell = visit::farewell(&Contents::now().unwrap_or_default().namespaces);
        for mut guest in left {
            // One who has gone altogether need not know.
            let _ = guest.write_all(&farewell);
        }
    }
}

/// Whether the other side says no more. What it says is not listened to.
fn has_ended(guest: &mut UnixStream) -> bool {
    let mut buffer = [0; 64];
    // One that never stops is heard again in the next round, after all others.
    for _ in 0..MOST_READS {
        match guest.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_guest_that_never_stops_does_not_hold_the_others_up() {
        let (mut theirs, mut ours) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.write_all(&[b'x'; 4096]).unwrap();
        assert!(!has_ended(&mut ours));
        assert_eq!(ours.read(&mut [0]).unwrap(), 1, "the rest is still there");
        drop(theirs);
        let mut rounds = 0;
        while !has_ended(&mut ours) {
            rounds += 1;
        }
        assert!(rounds > 1);
    }

    /// Whoever was to visit was killed before.
    #[test]
    fn one_whom_nobody_visits_ends() {
        let base = crate::testing::directory().unwrap();
        let runtime = RuntimeDir::resolve(Some(base.path().to_owned()), |_| None).unwrap();
        let dir = LabDir::of(&runtime);
        drop(dir.lock(&runtime).unwrap());
        let mut keeper = Keeper::listen(runtime).unwrap();
        assert!(dir.socket().exists());
        keeper.patience = Duration::from_millis(1);
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            keeper.keep();
            ended.send(())
        });
        end.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }
}
