//! What the broker, and a successor that is started from it, never needs.
//!
//! Filters are inherited by all that a process starts, and are never taken off. So this one holds for the
//! successor too, which may be another version of the program, for its broker, and so on. Hence it
//! refuses what is known not to be needed, where a switch's own list allows what is: a version that
//! needs one call more can still be started by the one before. And it is put on once: a broker that
//! was started under it recognises it by its mark, or restarts would pile filters up.

use libc::c_long;

use super::{Condition, Conditional, List, PRIO_PROCESS, Test, any_of, number};

/// What the filter answers to [`super::sys::PROBE`]. Another list gets another one.
pub(super) const MARK: i32 = libc::EBADRQC;

/// Refused whatever their arguments.
#[rustfmt::skip]
const CALLS: &[c_long] = &[
    // Other processes, and their memory.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp,
    libc::SYS_pidfd_getfd, libc::SYS_pidfd_send_signal, libc::SYS_process_madvise,
    libc::SYS_process_mrelease, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_tkill, libc::SYS_migrate_pages, libc::SYS_move_pages,
    // Programs in the kernel, and what is like them.
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_init_module, libc::SYS_finit_module,
    libc::SYS_delete_module, libc::SYS_kexec_load, libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_userfaultfd,
    libc::SYS_io_setup, libc::SYS_io_submit,
    // Keys.
    libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key,
    // File systems; bind mounts, see below.
    libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_fsopen, libc::SYS_fsconfig,
    libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_move_mount, libc::SYS_open_tree,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_mount_setattr, libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_quotactl,
    libc::SYS_quotactl_fd, libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init, libc::SYS_fanotify_mark, libc::SYS_mknodat,
    // Extended attributes.
    libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_removexattr,
    libc::SYS_lremovexattr, libc::SYS_fremovexattr, SYS_SETXATTRAT, SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
    // The machine.
    libc::SYS_reboot, libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_settimeofday,
    libc::SYS_clock_settime, libc::SYS_adjtimex, libc::SYS_clock_adjtime, libc::SYS_acct,
    libc::SYS_syslog, libc::SYS_vhangup,
    // Other users, and another kind of process.
    libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid,
    libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setgroups, libc::SYS_setfsuid,
    libc::SYS_setfsgid, libc::SYS_personality,
    // Memory that is shared with others, or executed.
    libc::SYS_shmget, libc::SYS_shmat, libc::SYS_shmctl, libc::SYS_semget, libc::SYS_semctl,
    libc::SYS_msgget, libc::SYS_msgsnd, libc::SYS_msgctl, libc::SYS_mq_open, libc::SYS_mq_unlink,
    libc::SYS_remap_file_pages, libc::SYS_pkey_mprotect,
];

/// The same of one kind of machine.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OWN: &[c_long] = &[
    libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS_ustat,
    libc::SYS_sysfs, libc::SYS_mknod, libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const OWN: &[c_long] = &[];

/// The families of sockets that some part of the program uses.
const FAMILIES: [i32; 5] = [
    libc::AF_UNIX,
    libc::AF_NETLINK,
    libc::AF_PACKET,
    libc::AF_INET,
    libc::AF_INET6,
];

pub(super) fn list() -> List {
    let others = FAMILIES.map(|family| (0, Test::Not(number(family))));
    let sockets = vec![
        others.to_vec(),
        vec![
            (0, Test::Is(number(libc::AF_NETLINK))),
            (2, Test::Not(number(libc::NETLINK_ROUTE))),
        ],
    ];
    let conditional: Vec<Conditional> = vec![
        (libc::SYS_socket, sockets),
        // Namespaces of the network alone are made and entered.
        (
            libc::SYS_setns,
            vec![vec![(1, Test::Not(number(libc::CLONE_NEWNET)))]],
        ),
        (
            libc::SYS_unshare,
            vec![vec![(0, Test::Not(number(libc::CLONE_NEWNET)))]],
        ),
        (libc::SYS_clone, any_flag(0, &NAMESPACES)),
        // What there is is mounted elsewhere, or shared; no file system is brought in or changed.
        (
            libc::SYS_mount,
            vec![
                vec![(3, Test::Masked(MOUNTS, 0))],
                vec![(3, Test::Masked(REMOUNT, REMOUNT))],
                vec![(3, Test::Masked(MAGIC_MASK, MAGIC))],
            ],
        ),
        // Nobody is sent a signal, not even itself: whoever the number belongs to, a filter cannot see. What
        // a C library does to end with SIGABRT ends the process all the same.
        (libc::SYS_kill, vec![vec![(1, Test::Not(0))]]),
        (libc::SYS_tgkill, vec![vec![(2, Test::Not(0))]]),
        // How others are scheduled, and what they may use; 0 is the calling thread.
        (libc::SYS_prlimit64, other_than(&[(0, 0)])),
        (libc::SYS_sched_setscheduler, other_than(&[(0, 0)])),
        (libc::SYS_sched_setparam, other_than(&[(0, 0)])),
        (libc::SYS_sched_setattr, other_than(&[(0, 0)])),
        (libc::SYS_sched_setaffinity, other_than(&[(0, 0)])),
        (
            libc::SYS_setpriority,
            other_than(&[(0, PRIO_PROCESS), (1, 0)]),
        ),
        (
            libc::SYS_ioprio_set,
            other_than(&[(0, IOPRIO_WHO_PROCESS), (1, 0)]),
        ),
        // Memory that is written and executed.
        (
            libc::SYS_mmap,
            vec![vec![(2, Test::Masked(WRITE_EXECUTE, WRITE_EXECUTE))]],
        ),
        (
            libc::SYS_mprotect,
            vec![vec![(2, Test::Masked(WRITE_EXECUTE, WRITE_EXECUTE))]],
        ),
        // Signals when something happens to a file, and keys that nobody has pressed.
        (libc::SYS_fcntl, file_signals()),
        (libc::SYS_ioctl, any_of(1, SIGNALS_AND_KEYS)),
    ];
    List {
        calls: [CALLS, OWN].concat(),
        conditional,
        // Their arguments cannot be seen.
        unknown: vec![libc::SYS_clone3, libc::SYS_openat2],
    }
}

/// Namespaces that `clone` makes.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWNET,
];

/// One of these is among the flags of a mount that is allowed.
#[allow(clippy::unnecessary_cast, reason = "it depends on the C library")]
const MOUNTS: u64 =
    (libc::MS_BIND | libc::MS_SHARED | libc::MS_PRIVATE | libc::MS_SLAVE | libc::MS_UNBINDABLE)
        as u64;

/// The kernel looks at this flag before most of those above.
#[allow(clippy::unnecessary_cast, reason = "it depends on the C library")]
const REMOUNT: u64 = libc::MS_REMOUNT as u64;

/// Flags that begin so are of Linux before 2.4: the kernel takes this half of them away, and with it
/// those of the flags above that are bits of it (`MS_MGC_VAL`, mount(2)).
const MAGIC: u64 = 0xc0ed_0000;
const MAGIC_MASK: u64 = 0xffff_0000;

const WRITE_EXECUTE: u64 = number(libc::PROT_WRITE | libc::PROT_EXEC);

/// asm-generic/ioctls.h, linux/sockios.h: `FIOASYNC`, `FIOSETOWN`, `SIOCSPGRP`, `TIOCSTI`,
/// `TIOCLINUX`.
const SIGNALS_AND_KEYS: [u64; 5] = [0x5452, 0x8901, 0x8902, 0x5412, 0x541c];

/// linux/ioprio.h
const IOPRIO_WHO_PROCESS: u64 = 1;

/// One of these arguments is another number.
fn other_than(numbers: &[(u8, u64)]) -> Vec<Vec<Condition>> {
    let line = |(index, number): &(u8, u64)| vec![(*index, Test::Not(*number))];
    numbers.iter().map(line).collect()
}

fn file_signals() -> Vec<Vec<(u8, Test)>> {
    let commands = [F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY];
    let mut lines = any_of(1, commands);
    lines.push(vec![
        (1, Test::Is(number(libc::F_SETFL))),
        (
            2,
            Test::Masked(number(libc::O_ASYNC), number(libc::O_ASYNC)),
        ),
    ]);
    lines
}

// asm-generic/unistd.h: the same number on all machines; libc lacks them.
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;
const SYS_OPEN_TREE_ATTR: c_long = 467;
const SYS_FILE_SETATTR: c_long = 469;

// linux/fcntl.h and asm-generic/fcntl.h; libc lacks some.
const F_SETOWN: u64 = 8;
const F_SETSIG: u64 = 10;
const F_SETOWN_EX: u64 = 15;
const F_SETLEASE: u64 = 1024;
const F_NOTIFY: u64 = 1026;

fn any_flag(index: u8, flags: &[i32]) -> Vec<Vec<(u8, Test)>> {
    let line = |flag: &i32| vec![(index, Test::Masked(number(*flag), number(*flag)))];
    flags.iter().map(line).collect()
}
