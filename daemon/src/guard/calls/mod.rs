//! The system calls that a process may make (seccomp(2)).
//!
//! A running switch ([`switch`]) and the keeper of a lab ([`keeper`]) have a list of what is allowed.
//! What is not in it is refused with EPERM. `clone3` and `openat2`, whose arguments a filter cannot
//! see, are refused with ENOSYS, upon which a C library takes the older call, which the filter does
//! see. The broker, from which the successor of a switch is started, has a list of what is refused
//! ([`broker`]).
//!
//! Calls that pass whatever their arguments cost next to nothing: the kernel (since 5.11) keeps a table
//! of them and does not run the filter. So the calls that move frames have no conditions.

mod broker;
mod keeper;
mod switch;

use std::collections::BTreeMap;

use libc::c_long;
#[cfg(target_arch = "x86_64")]
use seccompiler::sock_filter;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::sys;

/// What an argument is compared with. The kernel looks at the lower 32 bits of all of them but
/// pointers.
#[derive(Clone, Copy, Debug)]
enum Test {
    /// It is this number.
    Is(u64),
    /// It is another number.
    Not(u64),
    /// With this mask, it is this number.
    Masked(u64, u64),
    /// It is no address.
    Null,
}

/// A condition: the argument, from 0, and what it is compared with.
type Condition = (u8, Test);
/// A call, and its conditions: those of one of the lines hold, all of them.
type Conditional = (c_long, Vec<Vec<Condition>>);

/// Of what a filter is made.
#[derive(Debug, Default)]
struct List {
    /// Calls that match whatever their arguments.
    calls: Vec<c_long>,
    /// Calls that match by their arguments.
    conditional: Vec<Conditional>,
    /// Calls that get ENOSYS.
    unknown: Vec<c_long>,
}

/// Forbids all but what a running switch needs, to this thread and those that it starts.
///
/// # Errors
/// Says why there is no such filter.
pub(super) fn restrict_switch() -> Result<(), String> {
    install(&switch::list(), Kind::Allowed)
}

/// The same for the process that holds a lab's namespaces.
///
/// # Errors
/// Says why there is no such filter.
pub(super) fn restrict_keeper() -> Result<(), String> {
    install(&keeper::list(), Kind::Allowed)
}

/// Forbids this process, and the successors that it starts, what none of them ever needs. Does nothing
/// in a process that has that filter already.
///
/// # Errors
/// Says why there is no such filter.
pub(super) fn restrict_broker() -> Result<(), String> {
    if sys::errno_of_probe() == Some(broker::MARK) {
        return Ok(());
    }
    install(&broker::list(), Kind::Refused)
}

/// What becomes of the calls of a list, and of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// They pass, others are refused.
    Allowed,
    /// They are refused, others pass.
    Refused,
}

fn install(list: &List, kind: Kind) -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|_| format!("no list for {}", std::env::consts::ARCH))?;
    let programs = programs(list, kind, arch).map_err(|error| error.to_string())?;
    for program in &programs {
        sys::install(program).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => "this kernel has none".to_owned(),
            _ => error.to_string(),
        })?;
    }
    Ok(())
}

/// The filters; the one that refuses with ENOSYS first, since the list forbids to add to it.
fn programs(list: &List, kind: Kind, arch: TargetArch) -> Result<Vec<BpfProgram>, BackendError> {
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let plain = |calls: &[c_long]| -> BTreeMap<c_long, Vec<SeccompRule>> {
        calls.iter().map(|call| (*call, Vec::new())).collect()
    };
    let older = SeccompFilter::new(
        plain(&list.unknown),
        SeccompAction::Allow,
        errno(libc::ENOSYS),
        arch,
    )?;
    let mut rules = plain(&list.calls);
    for (call, lines) in &list.conditional {
        rules.insert(
            *call,
            lines
                .iter()
                .map(|line| rule(line))
                .collect::<Result<_, _>>()?,
        );
    }
    let (matched, other) = match kind {
        Kind::Allowed => {
            // To this filter they are as good as any: the other one has its say.
            rules.append(&mut plain(&list.unknown));
            (SeccompAction::Allow, errno(libc::EPERM))
        }
        Kind::Refused => (errno(libc::EPERM), SeccompAction::Allow),
    };
    let all = SeccompFilter::new(rules, other, matched, arch)?;
    let mut programs = vec![older.try_into()?];
    if kind == Kind::Refused {
        let mark = plain(&[sys::PROBE]);
        let mark = SeccompFilter::new(mark, SeccompAction::Allow, errno(broker::MARK), arch)?;
        programs.push(mark.try_into()?);
        #[cfg(target_arch = "x86_64")]
        programs.push(one_set_of_numbers());
    }
    programs.push(all.try_into()?);
    Ok(programs)
}

/// Refuses the calls of x86-64 under the numbers that they have for programs with short pointers (x32), where
/// the kernel knows those: a list of what is refused has the usual numbers alone.
#[cfg(target_arch = "x86_64")]
fn one_set_of_numbers() -> BpfProgram {
    /// asm/unistd.h: `__X32_SYSCALL_BIT`
    const X32: u32 = 0x4000_0000;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let number = |code: u32| u16::try_from(code).unwrap_or_default();
    vec![
        // The number is what a filter is shown first (`seccomp_data`).
        instruction(number(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), 0, 0, 0),
        instruction(
            number(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K),
            0,
            1,
            X32,
        ),
        instruction(
            number(libc::BPF_RET | libc::BPF_K),
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
        ),
        instruction(
            number(libc::BPF_RET | libc::BPF_K),
            0,
            0,
            libc::SECCOMP_RET_ALLOW,
        ),
    ]
}

fn rule(line: &[Condition]) -> Result<SeccompRule, BackendError> {
    let conditions = line.iter().map(|(index, test)| {
        let (length, operator, value) = match *test {
            Test::Is(value) => (Len::Dword, Op::Eq, value),
            Test::Not(value) => (Len::Dword, Op::Ne, value),
            Test::Masked(mask, value) => (Len::Dword, Op::MaskedEq(mask), value),
            Test::Null => (Len::Qword, Op::Eq, 0),
        };
        SeccompCondition::new(*index, length, operator, value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

/// A flag or number of the C library, as the kernel sees it.
const fn number(value: i32) -> u64 {
    value.cast_unsigned() as u64
}

/// One line for each of these values of the argument.
fn any_of(index: u8, values: impl IntoIterator<Item = u64>) -> Vec<Vec<Condition>> {
    let line = |value| vec![(index, Test::Is(value))];
    values.into_iter().map(line).collect()
}

/// linux/resource.h; its type depends on the C library.
const PRIO_PROCESS: u64 = 0;

/// Flags that go with any type of socket.
const SOCKET_FLAGS: u64 = number(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);

/// A condition on the type of a socket, whatever its flags.
const fn socket_type(index: u8, kind: i32) -> Condition {
    (
        index,
        Test::Masked(0xffff_ffff & !SOCKET_FLAGS, number(kind)),
    )
}

/// Threads of this process, and nothing else that `clone` makes: no process, no namespace.
fn threads_alone() -> Conditional {
    let thread = number(libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD);
    // What the C libraries have beside these; the last one is obsolete, and musl's.
    let free = number(
        libc::CLONE_FS
            | libc::CLONE_FILES
            | libc::CLONE_SYSVSEM
            | libc::CLONE_SETTLS
            | libc::CLONE_PARENT_SETTID
            | libc::CLONE_CHILD_CLEARTID
            | libc::CLONE_CHILD_SETTID
            | libc::CLONE_DETACHED,
    );
    let all = Test::Masked(0xffff_ffff & !free, thread);
    (libc::SYS_clone, vec![vec![(0, all)]])
}

/// What may be asked of open files: no signals when something happens to them, no leases.
fn file_commands() -> Conditional {
    let plain = [
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
    ];
    let mut lines = any_of(1, plain.map(number));
    lines.push(vec![
        (1, Test::Is(number(libc::F_SETFL))),
        (2, Test::Masked(number(libc::O_ASYNC), 0)),
    ]);
    (libc::SYS_fcntl, lines)
}

/// Memory that is never executed.
fn data_alone() -> [Conditional; 2] {
    let line = || vec![vec![(2, Test::Masked(number(libc::PROT_EXEC), 0))]];
    [(libc::SYS_mmap, line()), (libc::SYS_mprotect, line())]
}

/// Signals to itself: what a panic ends with.
fn signals_to_itself() -> [Conditional; 2] {
    let own = u64::from(std::process::id());
    [
        (libc::SYS_tgkill, any_of(0, [own])),
        (libc::SYS_kill, any_of(0, [own])),
    ]
}

/// Files, none of which gets more rights than its user by its mode.
fn files_without_rights() -> Vec<Conditional> {
    let set_id = number((libc::S_ISUID | libc::S_ISGID).cast_signed());
    let line = |index| vec![vec![(index, Test::Masked(set_id, 0))]];
    vec![
        (libc::SYS_openat, line(3)),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, line(2)),
    ]
}

/// Limits of its own to read.
fn limits_to_read() -> Conditional {
    let own = u64::from(std::process::id());
    let line = |pid| vec![(0, Test::Is(pid)), (2, Test::Null)];
    (libc::SYS_prlimit64, vec![line(0), line(own)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_becomes_a_filter() {
        let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        for (list, kind) in [
            (switch::list(), Kind::Allowed),
            (keeper::list(), Kind::Allowed),
            (broker::list(), Kind::Refused),
        ] {
            assert!(programs(&list, kind, arch).is_ok());
            // What has conditions is not in the list of what has none.
            for (call, _) in &list.conditional {
                assert!(!list.calls.contains(call), "{call}");
            }
        }
    }
}
