//! Explains what prevents user namespaces, and how to allow them.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::geteuid;

use super::UserNamespaceError;

/// A system setting that can forbid user namespaces.
struct Setting {
    sysctl: &'static str,
    /// The value that forbids them.
    forbids: &'static str,
    /// A value that allows them.
    remedy: &'static str,
    /// Another way to allow them.
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

/// Relevant state of the process and system, read before a user namespace is created: inside it,
/// the `user.` sysctls have that namespace's own values.
pub(super) struct Conditions {
    values: [Option<String>; SETTINGS.len()],
    /// Whether the process is root without `CAP_SETFCAP`.
    is_root: bool,
}

impl Conditions {
    pub(super) fn read() -> Self {
        Self {
            values: std::array::from_fn(|index| value(SETTINGS[index].sysctl)),
            is_root: geteuid().is_root(),
        }
    }

    /// Explains why the system refused an operation, as far as it can be determined.
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

    /// Explains why the user could not be mapped into a namespace that was created.
    pub(super) fn explain_map(&self, action: &'static str, errno: Errno) -> UserNamespaceError {
        // Only a process with CAP_SETFCAP may map root (user_namespaces(7)).
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

    /// Returns the setting that forbids it, with its value. A limit and a prohibition differ in
    /// their error number.
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

// Causes other than a setting, and what to do.
const LIMIT: &str = "the limit on the number or the nesting of namespaces is reached: remove some, \
     or raise the sysctls user.max_user_namespaces, user.max_mnt_namespaces and \
     user.max_net_namespaces";
const KERNEL: &str = "this kernel has no user namespaces (CONFIG_USER_NS): run as root, or on \
     another kernel";
const CHROOT: &str =
    "a process in a chroot cannot create user namespaces: run as root, or outside the chroot";
const POOR_ROOT: &str = "root lacks CAP_SETFCAP here, without which it cannot be root in a user namespace \
     either: start the container with more capabilities, or use an ordinary user in it";
const UNKNOWN: &str = "no sysctl forbids it, so it is probably the seccomp filter or the security \
     module of a container or of the system: start the container with more rights, or run as root";

/// Detects a chroot: its root directory is usually not a mount point.
fn is_in_chroot() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    !mounts.is_empty() && !points.any(|point| point == "/")
}

/// Reads the value of a sysctl, if the kernel has it.
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
            let text = conditions(sysctl, value)
                .explain("make one", errno)
                .to_string();
            assert!(text.contains(&format!("{sysctl} is {value}")), "{text}");
            assert!(text.contains(&format!("sysctl {sysctl}{remedy}")), "{text}");
        }
    }

    #[test]
    fn an_unrelated_setting_is_not_named() {
        let full = conditions("user.max_user_namespaces", "100");
        let text = full.explain("make one", Errno::ENOSPC).to_string();
        assert!(text.contains("the limit on the number"), "{text}");
        let banned = conditions("kernel.unprivileged_userns_clone", "0");
        let text = banned.explain("make one", Errno::ENOSPC).to_string();
        assert!(!text.contains("unprivileged_userns_clone"), "{text}");
        let text = full.explain("make one", Errno::EPERM).to_string();
        assert!(
            text.contains("seccomp") || text.contains("chroot"),
            "{text}"
        );
    }

    #[test]
    fn root_without_the_capability_to_be_mapped_is_explained() {
        let mut poor = conditions("", "");
        poor.is_root = true;
        let text = poor
            .explain_map("map the user to root", Errno::EPERM)
            .to_string();
        assert!(text.contains("CAP_SETFCAP"), "{text}");
    }
}
