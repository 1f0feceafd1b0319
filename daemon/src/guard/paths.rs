//! The paths that a running switch may use (landlock(7)).

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    make_bitflags,
};

/// The newest version of the interface that was looked at here: what a later one adds might forbid
/// what a switch needs.
const NEWEST: ABI = ABI::V10;

/// What a switch uses of the file system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    /// Its own directory: its files are made, written and removed there.
    pub(crate) own: PathBuf,
    /// Where its directory is in, from which it is removed at the end.
    pub(crate) parent: PathBuf,
}

/// What beyond paths the kernel keeps from a process that has a list of them, by the version of its
/// interface.
const SCOPES: [(u32, &str); 4] = [
    (4, "tcp"),
    (6, "abstract_sockets"),
    (9, "unix_sockets"),
    (10, "udp"),
];

/// What holds beyond paths with this version of the kernel's interface.
pub(super) fn scopes(abi: u32) -> Vec<String> {
    let known = SCOPES.iter().filter(|(since, _)| *since <= abi);
    known.map(|(_, name)| (*name).to_owned()).collect()
}

impl Paths {
    /// Forbids all others to this thread and those that it starts. Gives the version of the
    /// kernel's interface, and puts what is to be kept open into `held`.
    ///
    /// # Errors
    /// Says why there are no such rules.
    pub(super) fn restrict(&self, held: &mut Vec<PathFd>) -> Result<u32, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NEWEST)))
            // Not the scope of signals, which the list of system calls sees to: the kernel would take the
            // death signal of a broker (PR_SET_PDEATHSIG) for one that the switch sends, and a broker that
            // was stopped would outlive its switch.
            .and_then(|ruleset| ruleset.scope(Scope::AbstractUnixSocket))
            .and_then(Ruleset::create)
            .map_err(|error| failed(&error))?;
        for (path, access) in self.rules() {
            // What is not there needs no rule.
            let (Ok(rule), Ok(kept)) = (PathFd::new(&path), PathFd::new(&path)) else {
                continue;
            };
            let rule = PathBeneath::new(rule, access);
            ruleset = ruleset.add_rule(rule).map_err(|error| failed(&error))?;
            held.push(kept);
        }
        let status = ruleset.restrict_self().map_err(|error| failed(&error))?;
        match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
                Err("it is not among the kernel's security modules".to_owned())
            }
            (RulesetStatus::NotEnforced, _) => Err("this kernel has none".to_owned()),
            (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi as u32),
            _ => Ok(1),
        }
    }

    fn rules(&self) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
        let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let settings = make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate});
        let files = make_bitflags!(AccessFs::{
            ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile | RemoveDir
        });
        let path = |path: &str| Path::new(path).to_owned();
        vec![
            (self.own.clone(), files),
            (self.parent.clone(), AccessFs::RemoveDir.into()),
            // What the kernel tells of this process, of interfaces, of memory.
            (path("/proc"), read),
            // IPv6 of interfaces that become ports.
            (path("/proc/sys/net/ipv6/conf"), settings),
            // Which namespaces there are.
            (path("/run/netns"), read),
            // The local time.
            (path("/etc/localtime"), AccessFs::ReadFile.into()),
            (path("/usr/share/zoneinfo"), read),
        ]
    }
}
