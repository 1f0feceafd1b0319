//! Processes that have been killed and are not gone yet.

use std::fs;

/// The bit of SIGKILL in a set of signals as proc(5) writes it.
const SIGKILL: u64 = 1 << (libc::SIGKILL - 1);
/// The flag of a process that closes what it had (`PF_EXITING`, `include/linux/sched.h`).
const EXITING: u64 = 4;

/// Whether process `pid` has got its SIGKILL, or is ending for another reason: it can do nothing any
/// more, but what it had open may be open still. False of one that is gone, or cannot be seen.
pub(super) fn is_dying(pid: u32) -> bool {
    let text = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    has_ended(&text("status")) || is_exiting(&text("stat"))
}

/// Whether `/proc/PID/status` tells of a pending SIGKILL, or of a zombie.
fn has_ended(status: &str) -> bool {
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let state = field("State:").unwrap_or_default().trim_start();
    // Of the thread, or of the process: one of them has it from the moment when it is sent.
    let is_pending = |name| {
        let set = field(name).and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
        set.is_some_and(|set| set & SIGKILL != 0)
    };
    state.starts_with(['Z', 'X']) || is_pending("SigPnd:") || is_pending("ShdPnd:")
}

/// Whether `/proc/PID/stat` has the flag for it, in its ninth field. The second one may hold blanks,
/// and ends with the last parenthesis.
fn is_exiting(stat: &str) -> bool {
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let flags = behind.split_whitespace().nth(6);
    flags.is_some_and(|flags| flags.parse().is_ok_and(|flags: u64| flags & EXITING != 0))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_that_was_killed_is_dying_until_its_parent_knows() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read line"]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pid = child.id();
        assert!(!is_dying(pid));
        child.kill().unwrap();
        for _ in 0..1000 {
            assert!(is_dying(pid));
        }
        child.wait().unwrap();
        assert!(!is_dying(pid));
        assert!(!is_dying(std::process::id()));
    }

    #[test]
    fn each_sign_alone_is_enough() {
        assert!(has_ended("Name:\tvswitch\nState:\tZ (zombie)\n"));
        let (killed, not) = ("0000000000000100", "0000000000004000");
        let status =
            |own, of_all| format!("State:\tR (running)\nSigPnd:\t{own}\nShdPnd:\t{of_all}\n");
        assert!(has_ended(&status(killed, not)));
        assert!(has_ended(&status(not, killed)));
        assert!(!has_ended(&status(not, not)));
        let stat = |flags: u32| format!("39 (a ) b) R 1 39 39 0 -1 {flags} 0 0");
        assert!(is_exiting(&stat(4_194_308)));
        assert!(!is_exiting(&stat(4_194_304)));
        assert!(!is_exiting(""));
    }
}
