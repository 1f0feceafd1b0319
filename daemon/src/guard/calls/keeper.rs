//! What the process that holds a lab's namespaces calls, once it holds them.
//!
//! It accepts the commands of its user and connects to the control sockets of switches, whose ends it
//! waits for. Which sockets it connects to, a filter cannot see.

use libc::c_long;

use super::{
    Conditional, List, Test, any_of, data_alone, file_commands, files_without_rights,
    limits_to_read, number, signals_to_itself, socket_type, threads_alone,
};

/// Allowed whatever their arguments.
#[rustfmt::skip]
const CALLS: &[c_long] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64,
    libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_sendmsg,
    libc::SYS_ppoll, libc::SYS_bind, libc::SYS_listen, libc::SYS_connect, libc::SYS_accept,
    libc::SYS_accept4, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt,
    libc::SYS_shutdown,
    libc::SYS_close, libc::SYS_dup, libc::SYS_dup3, libc::SYS_flock,
    libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_mincore,
    libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    libc::SYS_gettid, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity, libc::SYS_getcpu,
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_restart_syscall, libc::SYS_getrandom,
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_capget, libc::SYS_getcwd, libc::SYS_uname, libc::SYS_sysinfo,
    libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_fstatfs, libc::SYS_statfs,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_lseek, libc::SYS_unlinkat, libc::SYS_mkdirat,
];

/// The same by older names, which newer machines do not have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink, libc::SYS_unlink,
    libc::SYS_rmdir, libc::SYS_mkdir, libc::SYS_poll, libc::SYS_dup2, libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What is asked of descriptors. (The C library's numbers are of this kind or that.)
#[allow(clippy::unnecessary_cast, reason = "it depends on the C library")]
const REQUESTS: &[u64] = &[
    libc::FIONBIO as u64,
    libc::FIOCLEX as u64,
    libc::NS_GET_USERNS as u64,
    libc::NS_GET_NSTYPE as u64,
];

pub(super) fn list() -> List {
    let family = |family| (0, Test::Is(number(family)));
    let sockets = vec![
        vec![
            family(libc::AF_NETLINK),
            (2, Test::Is(number(libc::NETLINK_ROUTE))),
        ],
        vec![family(libc::AF_UNIX), socket_type(1, libc::SOCK_STREAM)],
    ];
    let levels = [libc::SOL_SOCKET, libc::SOL_NETLINK];
    let mut conditional: Vec<Conditional> = vec![
        (libc::SYS_socket, sockets),
        (libc::SYS_sendto, vec![vec![(4, Test::Null)]]),
        (libc::SYS_setsockopt, any_of(1, levels.map(number))),
        (libc::SYS_ioctl, any_of(1, REQUESTS.iter().copied())),
        limits_to_read(),
        threads_alone(),
        file_commands(),
    ];
    conditional.extend(data_alone());
    conditional.extend(signals_to_itself());
    conditional.extend(files_without_rights());
    List {
        calls: [CALLS, OLDER].concat(),
        conditional,
        unknown: vec![libc::SYS_clone3, libc::SYS_openat2],
    }
}
