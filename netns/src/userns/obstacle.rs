//! What stands in the way of user namespaces, and how to remove it.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::geteuid;

use super::UserNamespaceError;

/// A setting of the system that can forbid them.
struct Setting {
    sysctl: &'static str,
    /// The value that forbids.
    forbids: &'static str,
    /// One that allows.
    remedy: &'static str,
    /// What else would allow it.
    or_else: &'static str,
}

const fn limit(sysctl: &'static str) -> Setting {
    Setting {
        sysctl,
        forbids: "0",
        remedy: "10000",
        or_else: "",
    }
}

const SETTINGS: [Setting; 5] = [
    Setting {
        sysctl: "kernel.apparmor_restrict_unprivileged_userns",
        forbids: "1",
        remedy: "0",
        or_else: ", or by an AppArmor profile for this program that says `userns,`",
    },
    Setting {
        sysctl: "kernel.unprivileged_userns_clone",
        forbids: "0",
        remedy: "1",
        or_else: "",
    },
    limit("user.max_user_namespaces"),
    limit("user.max_mnt_namespaces"),
    limit("user.max_net_namespaces"),
];

/// What a process may expect, read before it makes a user namespace: inside, the settings of
/// `user.` are that namespace's own.
pub(super) struct Conditions {
    values: [Option<String>; SETTINGS.len()],
    /// Whether it is root without the rights of one.
    is_root: bool,
}

impl Conditions {
    pub(super) fn read() -> Self {
        Self {
            values: std::array::from_fn(|index| value(SETTINGS[index].sysctl)),
            is_root: geteuid().is_root(),
        }
    }

    /// Why the system refused something, as far as can be told.
    pub(super) fn explain(&self, action: &'static str, errno: Errno) -> UserNamespaceError {
        if let Some((setting, value)) = self.setting(errno) {
            return UserNamespaceError::Forbidden {
                action,
                errno,
                sysctl: setting.sysctl,
                value: value.to_owned(),
                remedy: setting.remedy,
                or_else: setting.or_else,
            };
        }
        let obstacle = match errno {
            Errno::ENOSPC | Errno::EUSERS => LIMIT,
            Errno::EINVAL | Errno::ENOSYS if !Path::new("/proc/self/ns/user").exists() => KERNEL,
            Errno::EPERM if is_in_chroot() => CHROOT,
            _ => UNKNOWN,
        };
        UserNamespaceError::Refused {
            action,
            errno,
            obstacle,
        }
    }

    /// Why the user could not be mapped into a namespace that was made.
    pub(super) fn explain_map(&self, action: &'static str, errno: Errno) -> UserNamespaceError {
        // Only who has CAP_SETFCAP may map root (user_namespaces(7)).
        if self.is_root && errno == Errno::EPERM {
            let obstacle = POOR_ROOT;
            return UserNamespaceError::Refused {
                action,
                errno,
                obstacle,
            };
        }
        self.explain(action, errno)
    }

    /// The setting that forbids, with its value: a limit shows as another error than a ban.
    fn setting(&self, errno: Errno) -> Option<(&'static Setting, &str)> {
        let is_limit = matches!(errno, Errno::ENOSPC | Errno::EUSERS);
        SETTINGS
            .iter()
            .zip(&self.values)
            .filter_map(|(setting, value)| Some((setting, value.as_deref()?)))
            .filter(|(setting, _)| setting.sysctl.starts_with("user.") == is_limit)
            .find(|(setting, value)| *value == setting.forbids)
    }
}

// What it is if no setting is, and what to do.
const LIMIT: &str = "there are as many namespaces as may be, or they are nested too deep: end some, \
     or raise the sysctls user.max_user_namespaces, user.max_mnt_namespaces and \
     user.max_net_namespaces";
const KERNEL: &str = "this kernel has no user namespaces (CONFIG_USER_NS): run as root, or on \
     another kernel";
const CHROOT: &str = "a process in a chroot may have none: run as root, or outside the chroot";
const POOR_ROOT: &str = "this root lacks CAP_SETFCAP, without which it can't be root of a namespace \
     either: start the container with more rights, or be an ordinary user in it";
const UNKNOWN: &str = "no sysctl forbids it, so it is probably the seccomp filter or the security \
     module of a container or of the system: start the container with more rights, or run as root";

/// In a chroot the root directory is not, as a rule, a mount.
fn is_in_chroot() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    !mounts.is_empty() && !points.any(|point| point == "/")
}

/// The value of a sysctl that the kernel knows.
fn value(sysctl: &str) -> Option<String> {
    let path = Path::new("/proc/sys").join(sysctl.replace('.', "/"));
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(sysctl: &str, value: &str) -> Conditions {
        let values = std::array::from_fn(|index| {
            (SETTINGS[index].sysctl == sysctl).then(|| value.to_owned())
        });
        Conditions {
            values,
            is_root: false,
        }
    }

    #[test]
    fn the_setting_that_forbids_is_named_with_its_remedy() {
        for (sysctl, value, errno, remedy) in [
            (
                "kernel.apparmor_restrict_unprivileged_userns",
                "1",
                Errno::EACCES,
                "=0",
            ),
            ("kernel.unprivileged_userns_clone", "0", Errno::EPERM, "=1"),
            ("user.max_user_namespaces", "0", Errno::ENOSPC, "=10000"),
            ("user.max_net_namespaces", "0", Errno::ENOSPC, "=10000"),
        ] {
            let told = conditions(sysctl, value)
                .explain("make one", errno)
                .to_string();
            assert!(told.contains(&format!("{sysctl} is {value}")), "{told}");
            assert!(told.contains(&format!("sysctl {sysctl}{remedy}")), "{told}");
        }
    }

    #[test]
    fn a_setting_that_has_nothing_to_do_with_it_is_not_named() {
        let full = conditions("user.max_user_namespaces", "100");
        let told = full.explain("make one", Errno::ENOSPC).to_string();
        assert!(told.contains("as many namespaces as may be"), "{told}");
        let banned = conditions("kernel.unprivileged_userns_clone", "0");
        let told = banned.explain("make one", Errno::ENOSPC).to_string();
        assert!(!told.contains("unprivileged_userns_clone"), "{told}");
        let told = full.explain("make one", Errno::EPERM).to_string();
        assert!(
            told.contains("seccomp") || told.contains("chroot"),
            "{told}"
        );
    }

    #[test]
    fn root_without_the_right_to_be_mapped_is_told() {
        let mut poor = conditions("", "");
        poor.is_root = true;
        let told = poor
            .explain_map("map the user to root", Errno::EPERM)
            .to_string();
        assert!(told.contains("CAP_SETFCAP"), "{told}");
    }
}
