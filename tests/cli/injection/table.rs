//! What a process that was taken over must not do, and what it must go on to be able to do.

use std::ffi::c_long;

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    /// A number.
    N(u64),
    /// The address of this text.
    S(&'static str),
    /// The address of these bytes.
    B(&'static [u8]),
    /// The address of memory of the process's own, a page that is zero behind its texts.
    Page,
    /// The number of the process itself.
    Own,
}

use Arg::{B, N, Own, Page, S};

/// Those for whom a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who(u8);

pub(super) const SWITCH: Who = Who(1);
pub(super) const KEEPER: Who = Who(2);
pub(super) const BROKER: Who = Who(4);
const ALL: Who = Who(7);
const LISTED: Who = Who(3);

impl Who {
    pub(super) const fn includes(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

/// A call, and for whom the line holds.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: c_long,
    pub(super) arguments: &'static [Arg],
    pub(super) who: Who,
    /// The error that it gets.
    pub(super) error: i32,
}

/// The family of a few calls.
pub(super) struct Family(pub(super) &'static str, pub(super) &'static [Call]);

const fn no(who: Who, number: c_long, arguments: &'static [Arg]) -> Call {
    Call {
        number,
        arguments,
        who,
        error: libc::EPERM,
    }
}

const fn unknown(who: Who, number: c_long, arguments: &'static [Arg]) -> Call {
    Call {
        number,
        arguments,
        who,
        error: libc::ENOSYS,
    }
}

const NOBODYS: &str = "/run/elsewhere";
/// An address of a Unix socket: by a path, and by an abstract name.
const BY_PATH: &[u8] = b"\x01\0/run/elsewhere.sock\0";
const BY_NAME: &[u8] = b"\x01\0\0elsewhere";
const HERE: Arg = N(libc::AT_FDCWD.cast_unsigned() as u64);
/// A descriptor that each of them has, and one that none has.
const OPEN: Arg = N(2);
const NONE: Arg = N(0xffff_ffff);
const WRITE: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const EXECUTE: u64 = (libc::PROT_READ | libc::PROT_EXEC) as u64;
const ANONYMOUS: Arg = N((libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64);
const THREAD: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM) as u64;

/// What is refused.
#[rustfmt::skip]
pub(super) const REFUSED: &[Family] = &[
    Family("metadata", &[
        no(LISTED, libc::SYS_chmod, &[S(NOBODYS), N(0o4755)]),
        no(LISTED, libc::SYS_fchmod, &[OPEN, N(0o4755)]),
        no(LISTED, libc::SYS_fchmodat, &[HERE, S(NOBODYS), N(0o4755)]),
        no(LISTED, SYS_FCHMODAT2, &[HERE, S(NOBODYS), N(0o4755)]),
        no(LISTED, libc::SYS_chown, &[S(NOBODYS), N(1), N(1)]),
        no(LISTED, libc::SYS_lchown, &[S(NOBODYS), N(1), N(1)]),
        no(LISTED, libc::SYS_fchown, &[OPEN, N(1), N(1)]),
        no(LISTED, libc::SYS_fchownat, &[HERE, S(NOBODYS), N(1), N(1)]),
        no(LISTED, libc::SYS_utimensat, &[HERE, S(NOBODYS)]),
        no(LISTED, libc::SYS_futimesat, &[HERE, S(NOBODYS)]),
        no(LISTED, libc::SYS_utimes, &[S(NOBODYS)]),
        no(LISTED, libc::SYS_utime, &[S(NOBODYS)]),
        no(LISTED, libc::SYS_truncate, &[S(NOBODYS)]),
        // A file that gives its user's rights to whoever runs it.
        no(LISTED, libc::SYS_openat, &[HERE, S(NOBODYS), N(0o101), N(0o4755)]),
        no(LISTED, libc::SYS_open, &[S(NOBODYS), N(0o101), N(0o2755)]),
        no(LISTED, libc::SYS_creat, &[S(NOBODYS), N(0o755)]),
        unknown(ALL, libc::SYS_openat2, &[HERE, S(NOBODYS), Page, N(24)]),
    ]),
    Family("links", &[
        no(LISTED, libc::SYS_link, &[S(NOBODYS), S("/run/linked")]),
        no(LISTED, libc::SYS_linkat, &[HERE, S(NOBODYS), HERE, S("/run/linked")]),
        no(LISTED, libc::SYS_symlink, &[S(NOBODYS), S("/run/linked")]),
        no(LISTED, libc::SYS_symlinkat, &[S(NOBODYS), HERE, S("/run/linked")]),
        no(ALL, libc::SYS_mknod, &[S("/run/made"), N(0o10_0644)]),
        no(ALL, libc::SYS_mknodat, &[HERE, S("/run/made"), N(0o10_0644)]),
        // Flags: to change places, and to leave a device behind (a whiteout).
        no(SWITCH, libc::SYS_renameat2, &[HERE, S(NOBODYS), HERE, S("/run/linked"), N(2)]),
        no(SWITCH, libc::SYS_renameat2, &[HERE, S(NOBODYS), HERE, S("/run/linked"), N(4)]),
        no(SWITCH, libc::SYS_mkdir, &[S("/run/made"), N(0o755)]),
        no(SWITCH, libc::SYS_mkdirat, &[HERE, S("/run/made"), N(0o755)]),
    ]),
    Family("extended attributes", &[
        no(ALL, libc::SYS_setxattr, &[S(NOBODYS), S("user.a"), S("b"), N(1)]),
        no(ALL, libc::SYS_lsetxattr, &[S(NOBODYS), S("user.a"), S("b"), N(1)]),
        no(ALL, libc::SYS_fsetxattr, &[OPEN, S("user.a"), S("b"), N(1)]),
        no(ALL, libc::SYS_removexattr, &[S(NOBODYS), S("user.a")]),
        no(ALL, libc::SYS_lremovexattr, &[S(NOBODYS), S("user.a")]),
        no(ALL, libc::SYS_fremovexattr, &[OPEN, S("user.a")]),
        no(LISTED, libc::SYS_getxattr, &[S(NOBODYS), S("user.a"), Page, N(8)]),
        no(LISTED, libc::SYS_listxattr, &[S(NOBODYS), Page, N(8)]),
        no(ALL, SYS_SETXATTRAT, &[HERE, S(NOBODYS), N(0), S("user.a"), Page, N(16)]),
        no(ALL, SYS_REMOVEXATTRAT, &[HERE, S(NOBODYS), N(0), S("user.a")]),
        no(ALL, SYS_FILE_SETATTR, &[HERE, S(NOBODYS), Page, N(24), N(0)]),
    ]),
    Family("signals", &[
        no(LISTED, libc::SYS_kill, &[N(1), N(0)]),
        no(LISTED, libc::SYS_kill, &[N(0xffff_ffff), N(0)]),
        no(LISTED, libc::SYS_kill, &[N(0), N(0)]),
        no(BROKER, libc::SYS_kill, &[N(1), N(18)]),
        no(LISTED, libc::SYS_tgkill, &[N(1), N(1), N(0)]),
        no(BROKER, libc::SYS_tgkill, &[N(1), N(1), N(18)]),
        no(ALL, libc::SYS_tgkill, &[N(0x7fff_ffff), N(0x7fff_ffff), N(6)]),
        no(ALL, libc::SYS_tkill, &[N(1), N(18)]),
        no(ALL, libc::SYS_rt_sigqueueinfo, &[N(1), N(18), Page]),
        no(ALL, libc::SYS_rt_tgsigqueueinfo, &[N(1), N(1), N(18), Page]),
        no(ALL, libc::SYS_pidfd_send_signal, &[NONE, N(18)]),
        no(LISTED, libc::SYS_timer_create, &[N(0), Page, Page]),
        no(LISTED, libc::SYS_setitimer, &[N(0), Page]),
        no(LISTED, libc::SYS_alarm, &[N(1000)]),
    ]),
    Family("sockets", &[
        no(LISTED, libc::SYS_socket, &[N(1), N(2)]),
        no(LISTED, libc::SYS_socket, &[N(1), N(3)]),
        no(LISTED, libc::SYS_socket, &[N(1), N(5)]),
        no(LISTED, libc::SYS_socket, &[N(1), N(2 | 0o2_004_000)]),
        no(LISTED, libc::SYS_socket, &[N(2), N(1)]),
        no(LISTED, libc::SYS_socket, &[N(2), N(2)]),
        no(LISTED, libc::SYS_socket, &[N(2), N(3), N(255)]),
        no(LISTED, libc::SYS_socket, &[N(10), N(1)]),
        no(SWITCH, libc::SYS_socket, &[N(17), N(2)]),
        no(SWITCH, libc::SYS_socket, &[N(17), N(10)]),
        no(KEEPER, libc::SYS_socket, &[N(17), N(3)]),
        no(ALL, libc::SYS_socket, &[N(15), N(3), N(2)]),
        no(ALL, libc::SYS_socket, &[N(21), N(5)]),
        no(ALL, libc::SYS_socket, &[N(29), N(3), N(1)]),
        no(ALL, libc::SYS_socket, &[N(30), N(1)]),
        no(ALL, libc::SYS_socket, &[N(31), N(3), N(1)]),
        no(ALL, libc::SYS_socket, &[N(38), N(5)]),
        no(ALL, libc::SYS_socket, &[N(40), N(1)]),
        no(ALL, libc::SYS_socket, &[N(44), N(3)]),
        no(SWITCH, libc::SYS_socketpair, &[N(1), N(1), N(0), Page]),
        no(SWITCH, libc::SYS_socketpair, &[N(1), N(2), N(0), Page]),
        no(KEEPER, libc::SYS_socketpair, &[N(1), N(5), N(0), Page]),
    ]),
    Family("connections", &[
        no(SWITCH, libc::SYS_connect, &[OPEN, B(BY_PATH), N(22)]),
        no(SWITCH, libc::SYS_connect, &[OPEN, B(BY_NAME), N(12)]),
        // A TCP socket that listens could make connections after that (MSG_FASTOPEN).
        no(SWITCH, libc::SYS_shutdown, &[NONE, N(0)]),
        no(SWITCH, libc::SYS_shutdown, &[NONE, N(2)]),
        no(LISTED, libc::SYS_sendto, &[OPEN, Page, N(1), N(0), B(BY_PATH), N(22)]),
        no(LISTED, libc::SYS_sendto, &[OPEN, Page, N(1), N(0), B(BY_NAME), N(12)]),
    ]),
    Family("requests of descriptors", &[
        no(ALL, libc::SYS_ioctl, &[OPEN, N(0x8901), Page]), // FIOSETOWN
        no(ALL, libc::SYS_ioctl, &[OPEN, N(0x8902), Page]), // SIOCSPGRP
        no(ALL, libc::SYS_ioctl, &[OPEN, N(0x5452), Page]), // FIOASYNC
        no(ALL, libc::SYS_ioctl, &[OPEN, N(0x5412), Page]), // TIOCSTI
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0x540e), N(0)]), // TIOCSCTTY
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0x4004_54ca), Page]), // TUNSETIFF
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0x8914), Page]), // SIOCSIFFLAGS
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0x4008_6602), Page]), // FS_IOC_SETFLAGS
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0x4004_9409), N(0)]), // FICLONE
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0x5419), Page]), // TIOCSERGETLSR
        no(LISTED, libc::SYS_ioctl, &[OPEN, N(0xff03), N(0)]), // PIDFD_GET_MNT_NAMESPACE
        // With bits above those that the kernel looks at.
        no(ALL, libc::SYS_ioctl, &[OPEN, N(0x1_0000_8901), Page]),
    ]),
    Family("commands for descriptors", &[
        no(ALL, libc::SYS_fcntl, &[OPEN, N(8), Own]), // F_SETOWN
        no(ALL, libc::SYS_fcntl, &[OPEN, N(10), N(9)]), // F_SETSIG
        no(ALL, libc::SYS_fcntl, &[OPEN, N(15), Page]), // F_SETOWN_EX
        no(ALL, libc::SYS_fcntl, &[OPEN, N(4), N(0o20_000)]), // F_SETFL, O_ASYNC
        no(ALL, libc::SYS_fcntl, &[OPEN, N(4), N(0o24_000)]), // and O_NONBLOCK
        no(ALL, libc::SYS_fcntl, &[OPEN, N(1024), N(2)]), // F_SETLEASE
        no(ALL, libc::SYS_fcntl, &[OPEN, N(1026), N(2)]), // F_NOTIFY
        no(ALL, libc::SYS_fcntl, &[OPEN, N(0x1_0000_0008), Own]),
        no(LISTED, libc::SYS_fcntl, &[OPEN, N(1033), N(1)]), // F_ADD_SEALS
        no(LISTED, libc::SYS_fcntl, &[OPEN, N(1031), N(4096)]), // F_SETPIPE_SZ
    ]),
    Family("requests about itself", &[
        no(LISTED, libc::SYS_prctl, &[N(4), N(1)]), // PR_SET_DUMPABLE
        no(LISTED, libc::SYS_prctl, &[N(1), N(0)]), // PR_SET_PDEATHSIG
        no(LISTED, libc::SYS_prctl, &[N(8), N(1)]), // PR_SET_KEEPCAPS
        no(LISTED, libc::SYS_prctl, &[N(22), N(1)]), // PR_SET_SECCOMP
        no(LISTED, libc::SYS_prctl, &[N(24), N(0)]), // PR_CAPBSET_DROP
        no(LISTED, libc::SYS_prctl, &[N(28), N(0)]), // PR_SET_SECUREBITS
        no(LISTED, libc::SYS_prctl, &[N(35), N(1)]), // PR_SET_MM
        no(LISTED, libc::SYS_prctl, &[N(47), N(4)]), // PR_CAP_AMBIENT
        no(LISTED, libc::SYS_prctl, &[N(0x5961_6d61), N(1)]), // PR_SET_PTRACER
        no(LISTED, libc::SYS_capset, &[N(0)]),
        no(LISTED, libc::SYS_arch_prctl, &[N(0), N(0)]),
        no(LISTED, libc::SYS_umask, &[N(0o22)]),
    ]),
    Family("options of sockets", &[
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(1), N(26), Page, N(16)]), // SO_ATTACH_FILTER
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(1), N(50), Page, N(4)]), // SO_ATTACH_BPF
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(1), N(51), Page, N(16)]), // reuseport, classic
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(1), N(36), Page, N(4)]), // SO_MARK
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(1), N(25), S("lo"), N(3)]), // SO_BINDTODEVICE
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(1), N(16), Page, N(4)]), // SO_PASSCRED
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(263), N(18), Page, N(4)]), // PACKET_FANOUT
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(263), N(13), Page, N(16)]), // PACKET_TX_RING
        no(LISTED, libc::SYS_setsockopt, &[OPEN, N(0), N(64), Page, N(96)]), // IPT_SO_SET_REPLACE
        no(LISTED, libc::SYS_setsockopt, &[OPEN, N(41), N(64), Page, N(96)]),
        no(LISTED, libc::SYS_setsockopt, &[OPEN, N(6), N(31), S("tls"), N(3)]), // TCP_ULP
        no(SWITCH, libc::SYS_setsockopt, &[OPEN, N(6), N(19), Page, N(4)]), // TCP_REPAIR
        no(SWITCH, libc::SYS_getsockopt, &[OPEN, N(0), N(64), Page, Page]),
    ]),
    Family("processes and namespaces", &[
        no(LISTED, libc::SYS_clone, &[N(17)]),
        no(LISTED, libc::SYS_clone, &[N(0x4111)]), // CLONE_VM, CLONE_VFORK, SIGCHLD
        no(ALL, libc::SYS_clone, &[N(0x1000_0011)]), // CLONE_NEWUSER
        no(ALL, libc::SYS_clone, &[N(0x0002_0011)]), // CLONE_NEWNS
        no(ALL, libc::SYS_clone, &[N(0x4000_0011)]), // CLONE_NEWNET
        no(ALL, libc::SYS_clone, &[N(THREAD | 0x4000_0000)]),
        no(LISTED, libc::SYS_clone, &[N(THREAD | 0x8000)]), // CLONE_PARENT
        no(LISTED, libc::SYS_clone, &[N(THREAD | 0x2000)]), // CLONE_PTRACE
        unknown(ALL, libc::SYS_clone3, &[Page, N(64)]),
        no(LISTED, libc::SYS_fork, &[]),
        no(LISTED, libc::SYS_vfork, &[]),
        no(LISTED, libc::SYS_execve, &[S("/nowhere")]),
        no(LISTED, libc::SYS_execveat, &[HERE, S("/nowhere")]),
        no(ALL, libc::SYS_unshare, &[N(0x1000_0000)]),
        no(ALL, libc::SYS_unshare, &[N(0x0002_0000)]),
        no(LISTED, libc::SYS_unshare, &[N(0x4000_0000)]),
        no(ALL, libc::SYS_setns, &[NONE, N(0)]),
        no(ALL, libc::SYS_setns, &[NONE, N(0x0002_0000)]),
        no(LISTED, libc::SYS_setns, &[NONE, N(0x4000_0000)]),
        no(LISTED, libc::SYS_setsid, &[]),
        no(LISTED, libc::SYS_setpgid, &[N(0), N(0)]),
        no(ALL, libc::SYS_ptrace, &[N(16), N(1)]),
        no(ALL, libc::SYS_kcmp, &[N(1), N(1)]),
        no(ALL, libc::SYS_pidfd_getfd, &[NONE, N(0)]),
        no(ALL, libc::SYS_personality, &[N(0x040_0000)]),
        no(ALL, libc::SYS_setuid, &[N(0)]),
        no(ALL, libc::SYS_setresuid, &[N(0), N(0), N(0)]),
        no(ALL, libc::SYS_setgroups, &[N(0), N(0)]),
        no(LISTED, libc::SYS_seccomp, &[N(1), N(0), Page]),
        no(LISTED, libc::SYS_landlock_create_ruleset, &[N(0), N(0), N(1)]),
    ]),
    Family("scheduling and limits", &[
        no(ALL, libc::SYS_sched_setscheduler, &[N(1), N(5), Page]),
        no(ALL, libc::SYS_sched_setparam, &[N(1), Page]),
        no(ALL, libc::SYS_sched_setaffinity, &[N(1), N(8), Page]),
        no(ALL, libc::SYS_sched_setattr, &[N(1), Page]),
        no(ALL, libc::SYS_setpriority, &[N(0), N(1), N(19)]),
        no(ALL, libc::SYS_setpriority, &[N(2), N(0), N(19)]),
        no(ALL, libc::SYS_ioprio_set, &[N(1), N(1), N(0)]),
        no(ALL, libc::SYS_prlimit64, &[N(1), N(7), N(0), Page]),
        no(ALL, libc::SYS_prlimit64, &[N(1), N(7), Page]),
        no(LISTED, libc::SYS_prlimit64, &[N(0), N(7), Page]),
        no(LISTED, libc::SYS_setrlimit, &[N(99), Page]),
        no(ALL, libc::SYS_migrate_pages, &[N(1)]),
    ]),
    Family("memory", &[
        no(LISTED, libc::SYS_mmap, &[N(0), N(4096), N(EXECUTE), ANONYMOUS, NONE]),
        no(ALL, libc::SYS_mmap, &[N(0), N(4096), N(EXECUTE | WRITE), ANONYMOUS, NONE]),
        no(LISTED, libc::SYS_mmap, &[N(0), N(4096), N(4), ANONYMOUS, NONE]),
        no(LISTED, libc::SYS_mprotect, &[Page, N(4096), N(EXECUTE)]),
        no(ALL, libc::SYS_mprotect, &[Page, N(4096), N(EXECUTE | WRITE)]),
        no(ALL, libc::SYS_pkey_mprotect, &[Page, N(4096), N(EXECUTE), NONE]),
        no(ALL, libc::SYS_remap_file_pages, &[Page, N(4096)]),
        no(SWITCH, libc::SYS_memfd_create, &[S("a"), N(0)]),
        no(SWITCH, libc::SYS_memfd_create, &[S("a"), N(0x11)]), // MFD_EXEC
        no(KEEPER, libc::SYS_memfd_create, &[S("a"), N(1)]),
        no(LISTED, libc::SYS_memfd_secret, &[N(0)]),
        no(ALL, libc::SYS_process_vm_readv, &[N(1)]),
        no(ALL, libc::SYS_process_vm_writev, &[N(1)]),
        no(ALL, libc::SYS_process_madvise, &[NONE]),
        no(ALL, libc::SYS_userfaultfd, &[N(1)]),
        no(ALL, libc::SYS_shmget, &[N(0), N(4096), N(0o1600)]),
        no(ALL, libc::SYS_shmat, &[NONE]),
        no(LISTED, libc::SYS_mlockall, &[N(1)]),
        no(LISTED, libc::SYS_mbind, &[Page]),
        no(LISTED, libc::SYS_msync, &[Page, N(4096), N(1)]),
    ]),
    Family("the kernel", &[
        no(ALL, libc::SYS_bpf, &[N(0xff), Page, N(16)]),
        no(ALL, libc::SYS_perf_event_open, &[Page, N(0), NONE, NONE]),
        no(ALL, libc::SYS_io_uring_setup, &[N(0), Page]),
        no(ALL, libc::SYS_io_uring_enter, &[NONE]),
        no(ALL, libc::SYS_io_uring_register, &[NONE]),
        no(ALL, libc::SYS_io_setup, &[N(0), Page]),
        no(ALL, libc::SYS_init_module, &[N(0), N(0), N(0)]),
        no(ALL, libc::SYS_finit_module, &[NONE]),
        no(ALL, libc::SYS_delete_module, &[S("nothing_of_this_name")]),
        no(ALL, libc::SYS_kexec_load, &[N(0), N(0), N(0), N(0xffff)]),
        no(ALL, libc::SYS_keyctl, &[N(0xffff)]),
        no(ALL, libc::SYS_add_key, &[S("user"), S("a"), Page, N(0), N(0)]),
        no(ALL, libc::SYS_request_key, &[S("user"), S("a")]),
        no(ALL, libc::SYS_iopl, &[N(9)]),
        no(ALL, libc::SYS_ioperm, &[N(0), N(0), N(1)]),
        no(ALL, libc::SYS_modify_ldt, &[N(99)]),
        no(ALL, libc::SYS_reboot, &[N(0)]),
        no(ALL, libc::SYS_syslog, &[N(99)]),
        no(ALL, libc::SYS_acct, &[S("/nowhere")]),
        no(ALL, libc::SYS_settimeofday, &[N(0), N(0)]),
        no(ALL, libc::SYS_clock_settime, &[N(99), Page]),
        no(ALL, libc::SYS_adjtimex, &[N(0)]),
        no(ALL, libc::SYS_sethostname, &[Page, N(0xffff_ffff)]),
        no(ALL, libc::SYS_swapon, &[S("/nowhere")]),
        no(ALL, libc::SYS_quotactl, &[N(0xffff)]),
        no(LISTED, libc::SYS_msgget, &[N(0), N(0)]),
        no(LISTED, libc::SYS_semget, &[N(0), N(0), N(0)]),
        no(LISTED, libc::SYS_mq_open, &[S("nothing")]),
    ]),
    // The same calls by the numbers of x32.
    Family("other numbers", &[
        no(ALL, X32 + libc::SYS_add_key, &[S("user"), S("a"), Page, N(0), N(0)]),
        no(ALL, X32 + 521, &[N(16), N(1)]), // ptrace
        no(ALL, X32 + libc::SYS_getpid, &[]),
    ]),
    Family("file systems", &[
        no(ALL, libc::SYS_mount, &[S("none"), S("/nowhere"), S("tmpfs"), N(0)]),
        no(ALL, libc::SYS_mount, &[S("none"), S("/nowhere"), S("none"), N(0x20)]), // MS_REMOUNT
        no(LISTED, libc::SYS_mount, &[S("/nowhere"), S("/nowhere"), N(0), N(0x1000)]), // MS_BIND
        // MS_REMOUNT comes before MS_SHARED; the old magic number holds MS_PRIVATE and is taken away.
        no(ALL, libc::SYS_mount, &[S("none"), S("/nowhere"), S("none"), N(0x10_0021)]),
        no(ALL, libc::SYS_mount, &[S("none"), S("/nowhere"), N(0), N(0x1020)]),
        no(ALL, libc::SYS_mount, &[S("none"), S("/nowhere"), S("tmpfs"), N(0xc0ed_0000)]),
        no(ALL, libc::SYS_mount, &[S("none"), S("/nowhere"), S("tmpfs"), N(0xc0ed_0001)]),
        no(LISTED, libc::SYS_umount2, &[S("/nowhere")]),
        no(ALL, libc::SYS_pivot_root, &[S("/nowhere"), S("/nowhere")]),
        no(ALL, libc::SYS_chroot, &[S("/nowhere")]),
        no(LISTED, libc::SYS_chdir, &[S("/nowhere")]),
        no(LISTED, libc::SYS_fchdir, &[NONE]),
        no(ALL, libc::SYS_fsopen, &[S("nothing")]),
        no(ALL, libc::SYS_open_tree, &[HERE, S("/nowhere")]),
        no(ALL, SYS_OPEN_TREE_ATTR, &[HERE, S("/nowhere"), N(0), Page, N(32)]),
        no(ALL, libc::SYS_move_mount, &[NONE, S(""), NONE, S("")]),
        no(ALL, libc::SYS_mount_setattr, &[HERE, S("/nowhere"), N(0), Page, N(32)]),
        no(ALL, libc::SYS_name_to_handle_at, &[HERE, S("/nowhere"), Page, Page]),
        no(ALL, libc::SYS_open_by_handle_at, &[NONE, Page]),
        no(ALL, libc::SYS_fanotify_init, &[N(0xffff)]),
        no(SWITCH, libc::SYS_inotify_add_watch, &[NONE, S("/nowhere"), N(1)]),
        no(LISTED, libc::SYS_copy_file_range, &[NONE, N(0), NONE]),
        no(LISTED, libc::SYS_sendfile, &[NONE, NONE]),
        no(LISTED, libc::SYS_splice, &[NONE, N(0), NONE]),
        no(LISTED, libc::SYS_vmsplice, &[NONE]),
        no(KEEPER, libc::SYS_rename, &[S(NOBODYS), S("/run/linked")]),
    ]),
];

/// What is let through: it may fail, and not for a list. Descriptors that it gives are closed.
#[rustfmt::skip]
pub(super) const ALLOWED: &[Family] = &[
    Family("what goes on", &[
        no(ALL, libc::SYS_getpid, &[]),
        no(LISTED, libc::SYS_kill, &[Own, N(0)]),
        no(LISTED, libc::SYS_tgkill, &[Own, Own, N(0)]),
        no(SWITCH, libc::SYS_prctl, &[N(16), Page]), // PR_GET_NAME
        no(SWITCH, libc::SYS_sched_setscheduler, &[N(0), N(99), Page]),
        no(LISTED, libc::SYS_prlimit64, &[N(0), N(7), N(0), Page]),
        no(ALL, libc::SYS_fcntl, &[OPEN, N(1)]), // F_GETFD
        no(ALL, libc::SYS_fcntl, &[NONE, N(4), N(0o4000)]), // F_SETFL, O_NONBLOCK
        no(ALL, libc::SYS_fcntl, &[NONE, N(1030), N(0)]), // F_DUPFD_CLOEXEC
        no(ALL, libc::SYS_mprotect, &[Page, N(4096), N(WRITE)]),
    ]),
    Family("sockets", &[
        no(ALL, libc::SYS_socket, &[N(1), N(1 | 0o2_004_000)]),
        no(ALL, libc::SYS_socket, &[N(16), N(3), N(0)]),
        no(ALL, libc::SYS_socket, &[N(16), N(2 | 0o2_000_000), N(0)]),
        no(SWITCH, libc::SYS_socket, &[N(17), N(3 | 0o2_004_000), N(0)]),
        no(SWITCH, libc::SYS_socketpair, &[N(1), N(5 | 0o2_000_000), N(9)]),
        no(ALL, libc::SYS_shutdown, &[NONE, N(1)]),
        no(ALL, libc::SYS_sendto, &[NONE, Page, N(1), N(0x4000)]),
        no(KEEPER, libc::SYS_connect, &[NONE, B(BY_PATH), N(22)]),
        no(SWITCH, libc::SYS_setsockopt, &[NONE, N(263), N(5), Page, N(16)]), // PACKET_RX_RING
        no(SWITCH, libc::SYS_getsockopt, &[NONE, N(263), N(6), Page, Page]), // PACKET_STATISTICS
        no(SWITCH, libc::SYS_ioctl, &[NONE, N(0x8946), Page]), // SIOCETHTOOL
    ]),
    Family("files", &[
        no(ALL, libc::SYS_openat, &[HERE, S("/proc/self/stat"), N(0o2_000_000), N(0)]),
        no(SWITCH, libc::SYS_memfd_create, &[S("a"), N(1)]),
        no(BROKER, libc::SYS_setns, &[NONE, N(0x4000_0000)]),
        no(BROKER, libc::SYS_mount, &[S("/nowhere"), S("/nowhere"), N(0), N(0x1000)]), // MS_BIND
        no(BROKER, libc::SYS_execve, &[S("/nowhere")]),
        no(BROKER, libc::SYS_mmap, &[N(0), N(4096), N(EXECUTE), ANONYMOUS, NONE]),
    ]),
];

/// asm-generic/unistd.h; libc lacks them.
const SYS_FCHMODAT2: c_long = 452;
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;
const SYS_OPEN_TREE_ATTR: c_long = 467;
const SYS_FILE_SETATTR: c_long = 469;
/// asm/unistd.h: `__X32_SYSCALL_BIT`
const X32: c_long = 0x4000_0000;
