//! Processes of this program whose directory is gone, so that no command finds them.
//!
//! # Theory of operation
//!
//! Command lines tell which process is that of which switch or lab: the program writes them itself
//! when it goes to the background. One that still has its directory is who listens on the socket there
//! (`SO_PEERCRED`), or the parent of who listens, as one that waits for its successor. All others
//! cannot be asked any more. Paths are followed from where the process is, since a lab has mounts of its own
//! (`/proc/PID/root`, proc(5)); one for which the same path leads elsewhere than here, as in a container,
//! is left out. Where all that cannot be seen, as for another user's process, nothing is told.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use vswitch_control::local_socket::{A_MOMENT, connect};

/// A process that no command finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ghost {
    /// The process.
    pub(crate) pid: i32,
    /// The switch's name; none of a keeper.
    pub(crate) switch: Option<String>,
    /// Where its directory was.
    pub(crate) directory: PathBuf,
}

/// Those that there are now.
pub(super) fn now() -> Vec<Ghost> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut ghosts: Vec<Ghost> = pids
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let ghost = meant(pid, &words(&line))?;
            is_lost(&ghost).then_some(ghost)
        })
        .collect();
    ghosts.sort_by_key(|ghost| ghost.pid);
    ghosts
}

fn words(line: &[u8]) -> Vec<String> {
    let line = line.strip_suffix(&[0]).unwrap_or(line);
    let words = line.split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// What a process is, by its words; none where it is another program, or does not tell its directory.
fn meant(pid: i32, words: &[String]) -> Option<Ghost> {
    let (program, rest) = words.split_first()?;
    if Path::new(program).file_name()? != "vswitch" {
        return None;
    }
    let after = |word: &str| {
        let place = rest.iter().position(|found| found == word)?;
        rest.get(place + 1).cloned()
    };
    let runtime = PathBuf::from(after("--runtime-dir")?);
    if !runtime.is_absolute() {
        return None;
    }
    let has = |word: &str| rest.iter().any(|found| found == word);
    if has("keeper") {
        return Some(Ghost {
            pid,
            switch: None,
            directory: runtime.join(".lab"),
        });
    }
    // Not the process that starts one in the background, which is about to end.
    let name = after("run").filter(|name| !name.starts_with('-') && !has("--detach"))?;
    Some(Ghost {
        pid,
        directory: runtime.join(&name),
        switch: Some(name),
    })
}

/// Whether somebody else, or nobody, answers where it did.
fn is_lost(ghost: &Ghost) -> bool {
    if !is_seen_alike(ghost) {
        return false;
    }
    let mut options = File::options();
    let options = options
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY);
    let directory = match options.open(seen_by(ghost.pid, &ghost.directory)) {
        Ok(directory) => directory,
        // Or the process has just ended.
        Err(error) => return error.kind() == ErrorKind::NotFound && is_there(ghost.pid),
    };
    let socket = match ghost.switch {
        Some(_) => "control.sock",
        None => "keeper.sock",
    };
    // By the descriptor, since a longer path might not fit. Without its socket it may be starting.
    let path = format!("/proc/self/fd/{}/{socket}", directory.as_raw_fd());
    let listener = connect(Path::new(&path), A_MOMENT)
        .ok()
        .and_then(|stream| getsockopt(&stream, PeerCredentials).ok())
        .map(|peer| peer.pid());
    let is_another = |pid: i32| pid > 0 && pid != ghost.pid && parent_of(pid) != Some(ghost.pid);
    listener.is_some_and(is_another) && is_there(ghost.pid)
}

/// Whether the path that its directory is in leads to the same place from here and from there.
fn is_seen_alike(ghost: &Ghost) -> bool {
    let above = ghost.directory.ancestors().nth(2);
    let above = above.unwrap_or(Path::new("/"));
    let identity = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    identity(above) == identity(&seen_by(ghost.pid, above))
}

/// A path as a process has it.
fn seen_by(pid: i32, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn is_there(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn parent_of(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(Option<String>, PathBuf)> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        meant(7, &words).map(|ghost| (ghost.switch, ghost.directory))
    }

    #[test]
    fn command_lines_tell_what_a_process_is() {
        let switch = |name: &str, path: &str| Some((Some(name.to_owned()), PathBuf::from(path)));
        let run = "vswitch run s --detached --runtime-dir /r --ageing=5";
        assert_eq!(of(run), switch("s", "/r/s"));
        let successor = "vswitch --runtime-dir /r run s --successor";
        assert_eq!(of(successor), switch("s", "/r/s"));
        let keeper = "vswitch keeper --runtime-dir /r";
        assert_eq!(of(keeper), Some((None, PathBuf::from("/r/.lab"))));
        for other in [
            "vswitch run s --detach --runtime-dir /r",
            "vswitch run s",
            "vswitch show --runtime-dir /r",
            "bash run s --runtime-dir /r",
            "vswitch-broker",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn one_that_has_its_directory_is_not_lost() {
        let base = crate::testing::directory().unwrap();
        let ghost = |pid: u32| Ghost {
            pid: pid.cast_signed(),
            switch: Some("s".to_owned()),
            directory: base.path().join("s"),
        };
        let own = ghost(std::process::id());
        assert!(is_lost(&own));
        fs::create_dir_all(&own.directory).unwrap();
        assert!(!is_lost(&own), "it may be starting");
        let socket = own.directory.join("control.sock");
        let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        assert!(!is_lost(&own));
        // It waits for input, and so until it is killed.
        let mut other = std::process::Command::new("/bin/sh");
        other.args(["-c", "read line"]);
        let mut other = other.stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(is_lost(&ghost(other.id())), "another one has its place");
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(!is_lost(&ghost(other.id())), "it has ended");
    }
}
