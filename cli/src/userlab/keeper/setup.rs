//! Making the namespaces of a lab.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use vswitch_netns::{Netlink, userns};

use crate::userlab::files::Identity;
use vswitch_control::runtime_dir::RuntimeDir;

const RUN: &str = "/run";
/// What a lab has of its own in `/run`.
const OWN: &str = "netns";

/// Moves the process into namespaces of its own, and furnishes them.
pub(super) fn make_namespaces(runtime: &RuntimeDir) -> anyhow::Result<()> {
    let path = runtime.path();
    let before = Identity::of(path).with_context(|| format!("cannot find {}", path.display()))?;
    userns::enter_user_namespace()?;
    userns::slave_mounts()?;
    replace_run()?;
    let after = Identity::of(path).ok();
    anyhow::ensure!(
        after == Some(before),
        "the runtime directory {} is not to be seen inside: choose another one with --runtime-dir",
        path.display()
    );
    let mut netlink = Netlink::open()?;
    let lo = netlink.link("lo")?;
    netlink.set_up(&lo)?;
    Ok(())
}

/// Puts a `/run` over the host's in which this process may make entries, with all that the host's
/// has but the named namespaces.
fn replace_run() -> anyhow::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let host = open(RUN, flags, Mode::empty()).context("cannot open /run")?;
    let host_path = PathBuf::from(format!("/proc/self/fd/{}", host.as_raw_fd()));
    userns::private_run()?;
    let entries = fs::read_dir(&host_path).context("cannot read /run")?;
    for entry in entries.flatten().filter(|entry| entry.file_name() != OWN) {
        // What cannot be shown is missing inside, as much of /run is for an ordinary user.
        let _ = show(&entry, &Path::new(RUN).join(entry.file_name()));
    }
    Ok(())
}

/// Shows an entry of the host's `/run` at `to`.
fn show(entry: &DirEntry, to: &Path) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return symlink(fs::read_link(entry.path())?, to);
    }
    if kind.is_dir() {
        fs::create_dir(to)?;
    } else {
        File::create_new(to)?;
    }
    let none = None::<&str>;
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(&entry.path()), to, none, bind, none)?)
}
