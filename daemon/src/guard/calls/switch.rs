//! What a running switch calls.

use libc::c_long;

use super::{
    Condition, List, PRIO_PROCESS, Test, any_of, data_alone, file_commands, files_without_rights,
    limits_to_read, number, signals_to_itself, socket_type, threads_alone,
};

/// Allowed whatever their arguments.
#[rustfmt::skip]
const CALLS: &[c_long] = &[
    // Frames and messages.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64,
    libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_recvfrom,
    libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_recvmmsg, libc::SYS_sendmmsg,
    // Waiting for them.
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2,
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_eventfd2, libc::SYS_signalfd4,
    libc::SYS_timerfd_create, libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime,
    // Sockets; which, see below. No connection is made to anywhere.
    libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4,
    libc::SYS_getsockname, libc::SYS_getpeername,
    // Descriptors.
    libc::SYS_close, libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2, libc::SYS_flock,
    // Memory; what it is for, see below.
    libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_mincore,
    libc::SYS_membarrier,
    // Threads, and what they wait for; how they are made, see below.
    libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    libc::SYS_set_tid_address, libc::SYS_gettid, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_getscheduler,
    libc::SYS_getpriority, libc::SYS_getcpu,
    // Time and chance.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_restart_syscall, libc::SYS_getrandom,
    // Signals that come; those that go, see below.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigpending, libc::SYS_sigaltstack,
    // Who and where it is, and the end of its successor.
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getgroups, libc::SYS_capget, libc::SYS_getcwd, libc::SYS_uname,
    libc::SYS_sysinfo, libc::SYS_getrusage, libc::SYS_wait4, libc::SYS_waitid,
    libc::SYS_pidfd_open,
    // Files: which ones, Landlock says. Nothing of their owners, modes and times is changed.
    libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_fstatfs, libc::SYS_statfs,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_lseek, libc::SYS_ftruncate, libc::SYS_fsync, libc::SYS_fdatasync,
    libc::SYS_unlinkat,
];

/// The same by older names, which newer machines do not have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink, libc::SYS_unlink,
    libc::SYS_rmdir, libc::SYS_rename, libc::SYS_renameat, libc::SYS_poll, libc::SYS_select,
    libc::SYS_epoll_wait, libc::SYS_epoll_create, libc::SYS_eventfd, libc::SYS_signalfd,
    libc::SYS_pipe, libc::SYS_dup2, libc::SYS_time, libc::SYS_getrlimit,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[libc::SYS_renameat];

/// What a C library tries before it takes an older one.
const UNKNOWN: &[c_long] = &[libc::SYS_clone3, libc::SYS_openat2];

/// What is asked of descriptors: of files and terminals, interfaces, namespaces and devices.
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
    libc::NS_GET_USERNS,
    libc::NS_GET_NSTYPE,
    // Of a TAP device that it was handed: its name, and how it is left.
    libc::TUNGETIFF,
    libc::TUNSETPERSIST,
    libc::TUNSETOFFLOAD,
];
/// linux/sockios.h
const SIOCGSKNS: libc::Ioctl = 0x894c;
/// asm-generic/socket.h
const SO_PASSRIGHTS: i32 = 83;

/// What a process may ask of itself: names of threads and of memory, and, for `restart`, to hear of
/// the end of what it has started.
const ABOUT_ITSELF: &[i32] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_CAPBSET_READ,
    libc::PR_SET_CHILD_SUBREAPER,
];

/// What is set of sockets, by level.
const SET: &[(i32, &[i32])] = &[
    (
        libc::SOL_SOCKET,
        &[
            libc::SO_RCVBUF,
            libc::SO_RCVBUFFORCE,
            libc::SO_SNDBUF,
            libc::SO_SNDBUFFORCE,
            libc::SO_RCVTIMEO,
            libc::SO_SNDTIMEO,
            libc::SO_LINGER,
            SO_PASSRIGHTS,
        ],
    ),
    (
        libc::SOL_PACKET,
        &[
            libc::PACKET_ADD_MEMBERSHIP,
            libc::PACKET_DROP_MEMBERSHIP,
            libc::PACKET_RX_RING,
            libc::PACKET_COPY_THRESH,
            libc::PACKET_AUXDATA,
            libc::PACKET_VERSION,
            libc::PACKET_VNET_HDR,
            libc::PACKET_IGNORE_OUTGOING,
        ],
    ),
    (
        libc::SOL_NETLINK,
        &[
            libc::NETLINK_ADD_MEMBERSHIP,
            libc::NETLINK_DROP_MEMBERSHIP,
            libc::NETLINK_CAP_ACK,
            libc::NETLINK_EXT_ACK,
            libc::NETLINK_GET_STRICT_CHK,
            libc::NETLINK_NO_ENOBUFS,
        ],
    ),
    (libc::IPPROTO_TCP, &[libc::TCP_NODELAY]),
];

/// The levels at which something is asked of sockets.
const GET: &[i32] = &[
    libc::SOL_SOCKET,
    libc::SOL_PACKET,
    libc::SOL_NETLINK,
    libc::IPPROTO_TCP,
];

pub(super) fn list() -> List {
    let mut conditional = vec![
        (libc::SYS_socket, sockets()),
        (
            libc::SYS_socketpair,
            vec![vec![
                (0, Test::Is(number(libc::AF_UNIX))),
                // Of the other types, one sends to whoever is named in a message.
                socket_type(1, libc::SOCK_SEQPACKET),
            ]],
        ),
        // What goes to nobody in particular: to where the socket leads.
        (libc::SYS_sendto, vec![vec![(4, Test::Null)]]),
        // Of what it sends alone. To stop what a TCP socket receives makes one that listens into one that
        // can connect, as `sendmsg` does with MSG_FASTOPEN (tcp(7)), of which Landlock does not know.
        (libc::SYS_shutdown, any_of(1, [number(libc::SHUT_WR)])),
        (libc::SYS_setsockopt, options()),
        (
            libc::SYS_getsockopt,
            any_of(1, GET.iter().copied().map(number)),
        ),
        (libc::SYS_ioctl, any_of(1, requests())),
        (
            libc::SYS_prctl,
            any_of(0, ABOUT_ITSELF.iter().copied().map(number)),
        ),
        // Without flags: one of them leaves a device behind, at which Landlock does not look (Linux 6.18).
        (libc::SYS_renameat2, any_of(4, [0])),
        (
            libc::SYS_memfd_create,
            any_of(1, [u64::from(libc::MFD_CLOEXEC)]),
        ),
        // Of its own threads alone.
        (libc::SYS_sched_setscheduler, any_of(0, [0])),
        (
            libc::SYS_setpriority,
            vec![vec![(0, Test::Is(PRIO_PROCESS)), (1, Test::Is(0))]],
        ),
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
        unknown: UNKNOWN.to_vec(),
    }
}

/// Frames, the kernel's tables of interfaces, and names that are claimed: a stream socket reaches
/// nobody without `connect`.
fn sockets() -> Vec<Vec<Condition>> {
    let family = |family| (0, Test::Is(number(family)));
    vec![
        vec![family(libc::AF_PACKET), socket_type(1, libc::SOCK_RAW)],
        vec![
            family(libc::AF_NETLINK),
            (2, Test::Is(number(libc::NETLINK_ROUTE))),
        ],
        vec![family(libc::AF_UNIX), socket_type(1, libc::SOCK_STREAM)],
    ]
}

fn options() -> Vec<Vec<Condition>> {
    let all = SET.iter().flat_map(|(level, names)| {
        let line = |name: &i32| vec![(1, Test::Is(number(*level))), (2, Test::Is(number(*name)))];
        names.iter().map(line)
    });
    all.collect()
}

/// The kernel's are numbers of 32 bits; a C library's are of this kind or that.
#[allow(clippy::unnecessary_cast, reason = "it depends on the C library")]
fn requests() -> impl Iterator<Item = u64> {
    REQUESTS.iter().map(|request| *request as u64)
}
