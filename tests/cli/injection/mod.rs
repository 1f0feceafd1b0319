//! What the processes of a switch can still do once somebody has taken them over: each of their threads is made
//! to issue system calls (ptrace(2)).

use std::fs;

use libtest_mimic::Trial;

use crate::harness::isolated;

#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "a thread of another process is changed, which no safe call does"
)]
mod sys;
#[cfg(target_arch = "x86_64")]
mod table;
#[cfg(target_arch = "x86_64")]
mod tests;

pub(super) fn tests() -> Vec<Trial> {
    #[cfg(target_arch = "x86_64")]
    return tests::all();
    #[cfg(not(target_arch = "x86_64"))]
    vec![isolated("guard_injected_calls", || {
        eprintln!("nothing was tried: threads are made to issue calls on x86-64 alone");
    })]
}

/// The threads of a process.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
fn threads(process: i32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.collect()
}
