//! Starting a program with fewer capabilities, or on a terminal of its own.
#![allow(
    unsafe_code,
    reason = "the child is changed between fork and exec, which no safe call does"
)]

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A user without any rights, on most systems.
pub(super) const NOBODY: u32 = 65534;

const NET_ADMIN: libc::c_ulong = 12;
const NET_RAW: libc::c_ulong = 13;
const SYS_ADMIN: libc::c_ulong = 21;
const SYS_NICE: libc::c_ulong = 23;
const SYS_RESOURCE: libc::c_ulong = 24;

/// Has the program start without this capability (its number in capabilities(7)), and with no
/// way to get it.
pub(super) fn drop_capability(command: &mut Command, capability: libc::c_ulong) {
    let drop = move || drop_from_bounding_set(capability);
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(drop) };
}

/// The same, between fork and exec.
fn drop_from_bounding_set(capability: libc::c_ulong) -> io::Result<()> {
    // SAFETY: prctl(2) with PR_CAPBSET_DROP takes a number and touches no memory; it is a
    // single system call, which is safe between fork and exec (signal-safety(7)).
    done(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) })
}

/// Whether a thread of the tests may have this nice value (setpriority(2)).
pub(super) fn may_have_nice(nice: libc::c_int) -> bool {
    // SAFETY: the call touches no memory; 0 is the calling thread, which ends then.
    let try_it = move || unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) } == 0;
    std::thread::spawn(try_it).join().unwrap()
}

/// Has the program start without any way to a lower nice value.
pub(super) fn forbid_precedence(command: &mut Command) {
    for capability in [SYS_NICE, SYS_RESOURCE] {
        drop_capability(command, capability);
    }
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel reads one structure, which outlives the call.
    let limit = move || done(unsafe { libc::setrlimit(libc::RLIMIT_NICE, &raw const none) });
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(limit) };
}

/// Has the program start with so many descriptors at most, and no way to more.
pub(super) fn limit_descriptors(command: &mut Command, most: u64) {
    let most = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the kernel reads one structure, which outlives the call.
    let limit = move || done(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const most) });
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(limit) };
}

/// Has the program start where these system calls are refused, as a container's profile may refuse them.
pub(super) fn refuse_calls(command: &mut Command, calls: &[libc::c_long]) {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).unwrap();
    let program = BpfProgram::try_from(filter).unwrap();
    // Where one has rights it takes no promise, which is the program's own to give.
    let install = move || seccompiler::apply_filter(&program).map_err(io::Error::other);
    // SAFETY: the closure makes two system calls; what it allocates is an error alone, which ends the
    // child.
    unsafe { command.pre_exec(install) };
}

fn done(outcome: libc::c_int) -> io::Result<()> {
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether the user namespace of the tests has that user: one that was made without root has not.
pub(super) fn can_be_nobody() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.lines().any(|line| {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        (numbers[0]..numbers[0] + numbers[2]).contains(&NOBODY.into())
    })
}

/// Has the program start as somebody without rights.
pub(super) fn become_ordinary(command: &mut Command) {
    if !can_be_nobody() {
        for capability in [NET_ADMIN, NET_RAW, SYS_ADMIN] {
            drop_capability(command, capability);
        }
        return;
    }
    let become_nobody = || {
        // SAFETY: system calls that take numbers, and an empty list, which is not read.
        unsafe {
            done(libc::syscall(libc::SYS_setgroups, 0, 0) as libc::c_int)?;
            done(libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) as libc::c_int)?;
            done(libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) as libc::c_int)
        }
    };
    // SAFETY: the closure makes system calls alone and allocates nothing.
    unsafe { command.pre_exec(become_nobody) };
}

/// Has the program start as root of a user namespace of its own, in the network of its parent,
/// after a 0 was written into the file. With a file, it has no rights over anything either.
pub(super) fn be_alone(command: &mut Command, file: Option<&'static CStr>) {
    let own = format!("0 {} 1", nix::unistd::geteuid());
    let enter = move || {
        // SAFETY: unshare(2) takes a number.
        done(unsafe { libc::unshare(libc::CLONE_NEWUSER) })?;
        write(c"/proc/self/setgroups", b"deny")?;
        write(c"/proc/self/uid_map", own.as_bytes())?;
        write(c"/proc/self/gid_map", own.as_bytes())?;
        let Some(file) = file else {
            return Ok(());
        };
        write(file, b"0")?;
        [NET_ADMIN, NET_RAW, SYS_ADMIN]
            .into_iter()
            .try_for_each(drop_from_bounding_set)
    };
    // SAFETY: the closure makes system calls alone; its text was made before.
    unsafe { command.pre_exec(enter) };
}

/// Has the program start in a mount namespace of its own, where the directory `from` is at `to` too.
pub(super) fn with_mount_of_its_own(command: &mut Command, from: &str, to: &str) {
    let text = |text: &str| CString::new(text).unwrap();
    let (from, to) = (text(from), text(to));
    let enter = move || {
        let nothing = std::ptr::null();
        // SAFETY: system calls that take numbers and C strings, which were made before and outlive
        // the calls, or null pointers where mount(2) allows them.
        unsafe {
            done(libc::unshare(libc::CLONE_NEWNS))?;
            let apart = libc::MS_REC | libc::MS_PRIVATE;
            let root = c"/".as_ptr();
            done(libc::mount(nothing, root, nothing, apart, std::ptr::null()))?;
            let (from, to) = (from.as_ptr(), to.as_ptr());
            done(libc::mount(
                from,
                to,
                nothing,
                libc::MS_BIND,
                std::ptr::null(),
            ))
        }
    };
    // SAFETY: the closure makes system calls alone; its texts were made before.
    unsafe { command.pre_exec(enter) };
}

/// Writes into a file between fork and exec.
fn write(path: &CStr, text: &[u8]) -> io::Result<()> {
    // SAFETY: open(2), write(2) and close(2) get a C string, and a buffer with its length; all
    // outlive the calls.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(fd, text.as_ptr().cast(), text.len());
        let outcome = if written < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        };
        libc::close(fd);
        outcome
    }
}

/// Has the program lead a session of its own whose terminal is its standard input.
pub(super) fn take_terminal(command: &mut Command) {
    let take = || {
        // SAFETY: setsid(2), and ioctl(2) with TIOCSCTTY on a descriptor that is open, take no
        // pointer; both are system calls, which are safe between fork and exec.
        if unsafe { libc::setsid() } >= 0 && unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: the closure makes system calls alone and allocates nothing.
    unsafe { command.pre_exec(take) };
}

/// Tells a terminal its size, and those who use it that it has changed.
pub(super) fn set_size(terminal: &impl AsRawFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel reads a winsize, which outlives the call.
    match unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes the calling thread, and no other, one of this user without rights.
pub(super) fn become_user(user: u32) {
    // SAFETY: the system call takes numbers alone; by the bare call, unlike by that of the C
    // library, only this thread changes.
    let outcome = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
    assert_eq!(outcome, 0, "{}", io::Error::last_os_error());
}

/// The same, in this group alone.
pub(super) fn become_member(user: u32, group: u32) {
    // SAFETY: system calls that take numbers, and an empty list, which is not read; this thread alone
    // changes, as above.
    let outcomes = unsafe {
        [
            libc::syscall(libc::SYS_setgroups, 0, 0),
            libc::syscall(libc::SYS_setresgid, group, group, group),
        ]
    };
    assert_eq!(outcomes, [0, 0], "{}", io::Error::last_os_error());
    become_user(user);
}
