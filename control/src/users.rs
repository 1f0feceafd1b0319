//! Who is at the other end of a socket, and which users have a number in this user namespace
//! (`user_namespaces(7)`).

use std::fs;
use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;

/// What everybody is who has none, if the system does not say.
const NOBODY: u32 = 65_534;

/// Whether a map has numbers for all.
fn has_all(map: &str) -> bool {
    let counts = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    let counts = counts.filter_map(|count| count.parse::<u64>().ok());
    counts.sum::<u64>() >= u64::from(u32::MAX)
}

/// The user at the other end of a connection: who listens, or who has connected (`SO_PEERCRED`,
/// unix(7)).
///
/// # Errors
/// Where the system does not tell.
pub fn peer(socket: &impl AsFd) -> io::Result<u32> {
    Ok(getsockopt(socket, PeerCredentials)?.uid())
}

/// Whether what this user says is to be believed: it is this one, or root. Inside the lab of an
/// ordinary user, that user is root, and the system's root has no number.
pub fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// Whether this is the number of users who have none here, and whom it does not tell apart
/// (`overflowuid`). Nothing is remembered: a process may enter another user namespace.
pub fn is_unmapped(user: u32) -> bool {
    is_overflow(user, "/proc/self/uid_map", "/proc/sys/kernel/overflowuid")
}

/// The same for groups.
pub fn is_unmapped_group(group: u32) -> bool {
    is_overflow(group, "/proc/self/gid_map", "/proc/sys/kernel/overflowgid")
}

fn is_overflow(number: u32, map: &str, setting: &str) -> bool {
    let setting = fs::read_to_string(setting).unwrap_or_default();
    if setting.trim().parse().unwrap_or(NOBODY) != number {
        return false;
    }
    // The system's own namespace has numbers for all.
    let map = fs::read_to_string(map).unwrap_or_default();
    !map.trim().is_empty() && !has_all(&map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_namespace_has_numbers_for_all() {
        assert!(has_all("         0          0 4294967295\n"));
        assert!(has_all("0 0 65536\n65536 65536 4294901760\n"));
        assert!(!has_all("         0      65534          1\n"));
        assert!(!has_all(""));
    }
}
