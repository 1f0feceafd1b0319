//! The system as its files tell of it.

use std::env;
use std::fs;
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use vswitch_control::rights::{ATTACH, Capability};

/// Settings of a system. All that is read is below one directory, which tests fill with what they
/// want.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    root: PathBuf,
    /// The effective user.
    pub(crate) user: u32,
    /// The kernel's release: `6.18.44-generic`.
    pub(crate) release: String,
    /// How many files a process may have open, if it asks for the most.
    pub(crate) open_files: u64,
    /// `XDG_RUNTIME_DIR`.
    pub(crate) user_runtime_dir: Option<PathBuf>,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let release = uname().map(|system| system.release().to_string_lossy().into_owned());
        let set = |path: &PathBuf| !path.as_os_str().is_empty();
        Self {
            root: PathBuf::from("/"),
            user: geteuid().as_raw(),
            release: release.unwrap_or_default(),
            open_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, most)| most),
            user_runtime_dir: env::var_os("XDG_RUNTIME_DIR")
                .map(PathBuf::from)
                .filter(set),
        }
    }

    /// The text of a file, without white space at its ends.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The names of the files in a directory.
    pub(crate) fn files(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string());
        names.filter_map(Result::ok).collect()
    }

    /// A setting, where this kernel has it: `net.core.rmem_max`.
    pub(crate) fn sysctl(&self, name: &str) -> Option<String> {
        self.text(&format!("/proc/sys/{}", name.replace('.', "/")))
    }

    /// A setting that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.sysctl(name)?.parse().ok()
    }

    /// A line of `/proc/self/status` (proc(5)), without its name.
    pub(crate) fn status(&self, name: &str) -> Option<String> {
        let status = self.text("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.strip_prefix(':')?.trim().to_owned())
    }

    /// What this process would need for labs and has not.
    pub(crate) fn missing(&self) -> Vec<Capability> {
        let held = self.status("CapEff");
        let held = held.and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        // Where the system does not tell, nothing is missing yet.
        let held = held.unwrap_or(u64::MAX);
        let is_missing = |c: &Capability| held & (1 << *c as u32) == 0;
        ATTACH.iter().copied().filter(is_missing).collect()
    }

    /// Whether labs can be made without a user namespace.
    pub(crate) fn may_make_labs(&self) -> bool {
        self.missing().is_empty()
    }

    /// The first two numbers of the kernel's release.
    pub(crate) fn version(&self) -> (u32, u32) {
        let digits = |c: char| !c.is_ascii_digit();
        let mut numbers = self.release.split(digits).map(|n| n.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// Whether a file system is mounted there, read-only.
    pub(crate) fn is_read_only(&self, mount_point: &str) -> bool {
        let mounts = self.text("/proc/self/mounts").unwrap_or_default();
        // The last one mounted there is the one that is seen.
        let last = mounts.lines().rev().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            (fields.next()? == mount_point).then(|| fields.nth(1).unwrap_or_default().to_owned())
        });
        last.is_some_and(|options| options.split(',').any(|option| option == "ro"))
    }

    /// Which container this is, if it tells.
    pub(crate) fn container(&self) -> Option<String> {
        let named = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
        let told = self.text("/run/systemd/container");
        told.or_else(|| {
            let (_, name) = named.into_iter().find(|(path, _)| self.has(path))?;
            Some(name.to_owned())
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// Machines that nobody has at hand.
#[cfg(test)]
pub(super) mod made_up {
    use super::*;

    /// A machine with these files; its directory goes with the first value.
    pub(in crate::doctor) fn with(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let dir = crate::testing::directory().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let machine = Machine {
            root: dir.path().to_owned(),
            user: 0,
            release: "6.18.44".to_owned(),
            open_files: 524_288,
            user_runtime_dir: None,
        };
        (dir, machine)
    }

    /// One in which this process may do everything.
    pub(in crate::doctor) const ALL_RIGHTS: (&str, &str) = (
        "/proc/self/status",
        "Name:\tvswitch\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n",
    );
    /// One in which it may do nothing.
    pub(in crate::doctor) const NO_RIGHTS: (&str, &str) = (
        "/proc/self/status",
        "Name:\tvswitch\nCapEff:\t0000000000000000\nSeccomp:\t2\n",
    );

    #[test]
    fn the_files_of_a_machine_are_read() {
        let mounts = "proc /proc proc rw 0 0\nsysfs /sys sysfs rw,nosuid 0 0\nsysfs /sys sysfs ro,nosuid 0 0";
        let (_dir, machine) = with(&[
            ("/proc/sys/net/core/rmem_max", "212992\n"),
            ("/proc/self/mounts", mounts),
            NO_RIGHTS,
            ("/.dockerenv", ""),
        ]);
        assert_eq!(machine.number("net.core.rmem_max"), Some(212_992));
        assert_eq!(machine.number("net.core.nothing"), None);
        assert_eq!(machine.missing(), ATTACH);
        assert!(!machine.may_make_labs());
        assert!(machine.is_read_only("/sys") && !machine.is_read_only("/proc"));
        assert_eq!(machine.container().as_deref(), Some("docker"));
        assert_eq!(machine.version(), (6, 18));
        let (_dir, machine) = with(&[ALL_RIGHTS]);
        assert!(machine.may_make_labs() && machine.container().is_none());
    }
}
