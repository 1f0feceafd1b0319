//! What the process may do, asked before anything is changed.

#[allow(unsafe_code, reason = "an ioctl that no dependency wraps")]
mod sys;

use std::fmt;

/// A capability that some command needs (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Interfaces, addresses, routes.
    NetAdmin = 12,
    /// Packet sockets.
    NetRaw = 13,
    /// Entering and mounting namespaces.
    SysAdmin = 21,
}

/// All that a switch needs.
pub const SWITCH: &[Capability] = &[Capability::NetAdmin, Capability::NetRaw];
/// All that connecting a namespace needs.
pub const ATTACH: &[Capability] = &[
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::SysAdmin,
];
/// All that making, deleting and entering a namespace needs.
pub const NAMESPACE: &[Capability] = &[Capability::SysAdmin];

/// Capabilities that are missing for something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot {action} without {}: use 'sudo vswitch ...', or first make a lab that works \
     without root ('vswitch run NAME --detach' or 'vswitch netns add NAME')",
    list(missing)
)]
pub struct MissingRights {
    action: &'static str,
    missing: Vec<Capability>,
}

fn list(missing: &[Capability]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    names.join(" and ")
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::SysAdmin => "CAP_SYS_ADMIN",
        })
    }
}

/// Checks that this process has `needed`, for `action` ("run a switch").
///
/// # Errors
/// Names what is missing. Where the system does not tell, nothing is missing yet: what is then
/// refused tells by itself.
pub fn require(action: &'static str, needed: &[Capability]) -> Result<(), MissingRights> {
    let missing = missing(needed);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(MissingRights { action, missing })
    }
}

/// Whether this process has `needed`, over the namespaces that it is in.
pub fn are_held(needed: &[Capability]) -> bool {
    missing(needed).is_empty()
}

fn missing(needed: &[Capability]) -> Vec<Capability> {
    let Some(effective) = std::fs::read_to_string("/proc/thread-self/status")
        .ok()
        .and_then(|status| effective(&status))
    else {
        return Vec::new();
    };
    let lacks = |capability: Capability| {
        effective & (1 << capability as u32) == 0 || !sys::is_over(capability.namespace())
    };
    needed.iter().copied().filter(|&c| lacks(c)).collect()
}

impl Capability {
    /// The kind of namespace that it is needed over.
    const fn namespace(self) -> &'static str {
        match self {
            Self::NetAdmin | Self::NetRaw => "net",
            Self::SysAdmin => "mnt",
        }
    }
}

/// The effective set in the text of `/proc/PID/status` (proc(5)).
fn effective(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read() {
        let status = "Name:\tx\nCapPrm:\t0\nCapEff:\t0000000000203000\nCapBnd:\t1\n";
        assert_eq!(effective(status), Some(1 << 12 | 1 << 13 | 1 << 21));
        assert_eq!(effective("Name:\tx\n"), None);
    }

    #[test]
    fn what_is_missing_is_named_in_one_sentence() {
        let error = MissingRights {
            action: "run a switch",
            missing: SWITCH.to_vec(),
        };
        let text = error.to_string();
        assert!(text.contains("CAP_NET_ADMIN and CAP_NET_RAW"), "{text}");
        assert!(text.contains("sudo") && !text.contains('\n'), "{text}");
    }
}
