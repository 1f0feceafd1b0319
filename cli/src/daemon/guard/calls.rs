//! The system calls that a running switch may make (seccomp(2)).
//!
//! What is in neither list below is refused with EPERM. `clone3`, whose flags a filter cannot see,
//! and the starting of programs by a newer call are refused with ENOSYS, upon which a C library
//! takes the older call, which the filter does see: it may make threads, and nothing else.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::sys;

/// Allowed whatever their arguments.
#[rustfmt::skip]
const ALLOWED: &[c_long] = &[
    // Frames and messages.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64,
    libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_recvfrom, libc::SYS_sendto,
    libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_recvmmsg, libc::SYS_sendmmsg,
    // Waiting for them.
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2,
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_eventfd2, libc::SYS_signalfd4,
    libc::SYS_timerfd_create, libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime,
    // Sockets; which families, see below.
    libc::SYS_socketpair, libc::SYS_bind, libc::SYS_connect, libc::SYS_listen, libc::SYS_accept,
    libc::SYS_accept4, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_setsockopt,
    libc::SYS_getsockopt, libc::SYS_shutdown,
    // Descriptors.
    libc::SYS_close, libc::SYS_close_range, libc::SYS_dup, libc::SYS_dup3, libc::SYS_fcntl,
    libc::SYS_pipe2, libc::SYS_flock, libc::SYS_memfd_create,
    // Memory.
    libc::SYS_brk, libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect,
    libc::SYS_madvise, libc::SYS_mincore, libc::SYS_membarrier,
    // Threads, and what they wait for; how they are made, see below.
    libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    libc::SYS_set_tid_address, libc::SYS_gettid, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler, libc::SYS_sched_getscheduler, libc::SYS_sched_getparam,
    libc::SYS_sched_setparam, libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min,
    libc::SYS_setpriority, libc::SYS_getpriority, libc::SYS_getcpu,
    // Time and chance.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_restart_syscall, libc::SYS_getrandom,
    // Signals that come; those that go, see below.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigpending, libc::SYS_sigaltstack,
    // Who and where it is, and the end of its successor.
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getgroups, libc::SYS_getpgid, libc::SYS_getsid, libc::SYS_capget,
    libc::SYS_getcwd, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrusage, libc::SYS_times,
    libc::SYS_wait4, libc::SYS_waitid, libc::SYS_pidfd_open, libc::SYS_umask,
    // Files: which ones, Landlock says.
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx,
    libc::SYS_fstatfs, libc::SYS_statfs, libc::SYS_faccessat, libc::SYS_faccessat2,
    libc::SYS_readlinkat, libc::SYS_getdents64, libc::SYS_lseek, libc::SYS_ftruncate,
    libc::SYS_fallocate, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_unlinkat,
    libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_mkdirat, libc::SYS_fchmod,
    libc::SYS_fchmodat, libc::SYS_utimensat, libc::SYS_fadvise64, libc::SYS_copy_file_range,
    libc::SYS_sendfile,
];

/// The same by older names, which newer machines do not have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
    libc::SYS_unlink, libc::SYS_rmdir, libc::SYS_rename, libc::SYS_renameat, libc::SYS_link,
    libc::SYS_mkdir, libc::SYS_chmod, libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_wait,
    libc::SYS_epoll_create, libc::SYS_eventfd, libc::SYS_signalfd, libc::SYS_pipe, libc::SYS_dup2,
    libc::SYS_time, libc::SYS_getpgrp, libc::SYS_arch_prctl, libc::SYS_getrlimit,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What a C library tries before it takes an older one.
const UNKNOWN: &[c_long] = &[libc::SYS_clone3];

/// The families of sockets: control, the kernel's tables, frames.
const FAMILIES: &[i32] = &[libc::AF_UNIX, libc::AF_NETLINK, libc::AF_PACKET];

/// What is asked of descriptors: of files and terminals, interfaces and namespaces.
const REQUESTS: &[libc::Ioctl] = &[
    libc::FIONBIO,
    libc::FIONREAD,
    libc::FIOCLEX,
    libc::TCGETS,
    libc::TIOCGWINSZ,
    libc::SIOCGIFNAME,
    libc::SIOCGIFINDEX,
    libc::SIOCGIFHWADDR,
    libc::SIOCGIFFLAGS,
    libc::SIOCGIFMTU,
    libc::SIOCETHTOOL,
    SIOCGSKNS,
    NS_GET_USERNS,
    libc::NS_GET_NSTYPE,
];
/// linux/sockios.h
const SIOCGSKNS: libc::Ioctl = 0x894c;
/// linux/nsfs.h
const NS_GET_USERNS: libc::Ioctl = 0xb701;

/// What a process may ask of itself: names of threads and of memory, and, for `restart`, to hear of
/// the end of what it has started.
const ABOUT_ITSELF: &[i32] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_CAPBSET_READ,
    libc::PR_SET_CHILD_SUBREAPER,
    libc::PR_SET_TIMERSLACK,
];

/// Forbids all other system calls to this thread and those that it starts.
///
/// # Errors
/// Says why there is no such filter.
pub(super) fn restrict() -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|_| format!("no list for {}", std::env::consts::ARCH))?;
    let programs = programs(arch).map_err(|error| error.to_string())?;
    for program in &programs {
        sys::install(program).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => "this kernel has none".to_owned(),
            _ => error.to_string(),
        })?;
    }
    Ok(())
}

/// First who is sent to older calls, since the list forbids to add to it.
fn programs(arch: TargetArch) -> Result<[BpfProgram; 2], BackendError> {
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let plain = |calls: &[c_long]| -> BTreeMap<c_long, Vec<SeccompRule>> {
        calls.iter().map(|call| (*call, Vec::new())).collect()
    };
    let older = SeccompFilter::new(
        plain(UNKNOWN),
        SeccompAction::Allow,
        errno(libc::ENOSYS),
        arch,
    )?;
    let mut allowed = plain(ALLOWED);
    allowed.append(&mut plain(OLDER));
    // To the filter that is asked last, these are as good as any: the first has its say.
    allowed.append(&mut plain(UNKNOWN));
    allowed.extend(conditional()?);
    let list = SeccompFilter::new(allowed, errno(libc::EPERM), SeccompAction::Allow, arch)?;
    Ok([older.try_into()?, list.try_into()?])
}

/// Allowed with certain arguments.
fn conditional() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let pid = u64::from(std::process::id());
    let is = |index, value| SeccompCondition::new(index, Len::Dword, Op::Eq, value);
    let one = |condition| SeccompRule::new(vec![condition]);
    let any = |index, values: &mut dyn Iterator<Item = u64>| {
        let rules = values.map(|value| one(is(index, value)?));
        rules.collect::<Result<Vec<_>, _>>()
    };
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    let is_thread = SeccompCondition::new(0, Len::Dword, Op::MaskedEq(thread), thread)?;
    // The kernel's are numbers of 32 bits; a C library's are of this kind or that.
    #[allow(clippy::unnecessary_cast, reason = "it depends on the C library")]
    let mut requests = REQUESTS.iter().map(|request| *request as u64);
    let mut families = FAMILIES
        .iter()
        .map(|family| u64::from(family.unsigned_abs()));
    let mut options = ABOUT_ITSELF
        .iter()
        .map(|option| u64::from(option.unsigned_abs()));
    Ok(vec![
        (libc::SYS_socket, any(0, &mut families)?),
        (libc::SYS_ioctl, any(1, &mut requests)?),
        (libc::SYS_prctl, any(0, &mut options)?),
        (libc::SYS_clone, vec![one(is_thread)?]),
        // Signals to itself: what a panic ends with.
        (libc::SYS_tgkill, vec![one(is(0, pid)?)?]),
        (libc::SYS_kill, vec![one(is(0, pid)?)?]),
        // Limits of its own alone.
        (libc::SYS_prlimit64, any(0, &mut [0, pid].into_iter())?),
    ])
}
