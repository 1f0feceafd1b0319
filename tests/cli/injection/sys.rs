//! Having the thread of another process make a system call (ptrace(2)).

use std::ffi::{c_long, c_void};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr;

/// A thread that stands still and does as it is told, until this is dropped.
///
/// Of one thread of the tests: the kernel knows that as its tracer.
pub(super) struct Puppet {
    thread: i32,
    memory: File,
    before: libc::user_regs_struct,
    /// Where its process has an instruction that makes a system call.
    gate: u64,
}

impl Puppet {
    /// Stops a thread of a process. None where it has ended.
    ///
    /// # Errors
    /// EPERM where the tests may not.
    pub(super) fn stop(process: i32, thread: i32) -> io::Result<Option<Self>> {
        let gate = gate_of(process)?;
        let memory = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/{process}/mem"))?;
        match request(libc::PTRACE_SEIZE, thread, 0, 0) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            other => other?,
        }
        request(libc::PTRACE_INTERRUPT, thread, 0, 0)?;
        if !stopped(thread)? {
            return Ok(None);
        }
        let before = registers(thread)?;
        Ok(Some(Self {
            thread,
            memory,
            before,
            gate,
        }))
    }

    /// Makes a system call; gives its result, or the error as a negative number.
    pub(super) fn call(&self, number: c_long, arguments: [u64; 6]) -> i64 {
        let mut now = self.before;
        now.rip = self.gate;
        now.rax = number.cast_unsigned();
        // No call was interrupted, so that none is made again.
        now.orig_rax = u64::MAX;
        [now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9] = arguments;
        set_registers(self.thread, &now).unwrap();
        request(libc::PTRACE_SINGLESTEP, self.thread, 0, 0).unwrap();
        assert!(stopped(self.thread).unwrap(), "the thread has ended");
        let after = registers(self.thread).unwrap();
        assert_eq!(after.rip, self.gate + 2, "call {number}: one step");
        after.rax.cast_signed()
    }

    /// Writes into the memory of its process.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, address).unwrap();
    }
}

impl Drop for Puppet {
    /// It goes on where it was, with the call that was interrupted.
    fn drop(&mut self) {
        let _ = set_registers(self.thread, &self.before);
        let _ = request(libc::PTRACE_DETACH, self.thread, 0, 0);
    }
}

/// Finds the instruction in what the kernel maps into each process.
fn gate_of(process: i32) -> io::Result<u64> {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    let missing = || io::Error::other("no instruction that makes a system call");
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let range = line.and_then(|line| line.split(' ').next()?.split_once('-'));
    let (from, to) = range.ok_or_else(missing)?;
    let address = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
    let (from, to) = (address(from)?, address(to)?);
    let mut code = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
    File::open(format!("/proc/{process}/mem"))?.read_exact_at(&mut code, from)?;
    let place = code.windows(2).position(|bytes| bytes == SYSCALL);
    place.map(|place| from + place as u64).ok_or_else(missing)
}

/// Waits until the thread stands still; false where it has ended instead.
fn stopped(thread: i32) -> io::Result<bool> {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes one number, into a variable that outlives the call.
        let waited = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
        if waited == thread {
            return Ok(libc::WIFSTOPPED(status));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(false),
            _ => return Err(error),
        }
    }
}

fn registers(thread: i32) -> io::Result<libc::user_regs_struct> {
    // SAFETY: it is plain numbers, for which all zeroes is a valid value.
    let mut all: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    request(libc::PTRACE_GETREGS, thread, 0, (&raw mut all) as u64)?;
    Ok(all)
}

fn set_registers(thread: i32, all: &libc::user_regs_struct) -> io::Result<()> {
    request(libc::PTRACE_SETREGS, thread, 0, ptr::from_ref(all) as u64)
}

fn request(what: libc::c_uint, thread: i32, address: u64, data: u64) -> io::Result<()> {
    let (address, data) = (address as *mut c_void, data as *mut c_void);
    // SAFETY: for the requests that are made here the data is a number, or the address of registers
    // that outlive the call and are of the kernel's size.
    let outcome = unsafe { libc::ptrace(what, thread, address, data) };
    if outcome == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
