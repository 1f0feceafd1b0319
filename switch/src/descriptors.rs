//! Controls the order in which the kernel closes the descriptors of a killed process.

use std::os::fd::{AsFd, OwnedFd};

use crate::sys;

/// The lowest number to use: above what a few ports take, and below what every process may have
/// (1,024).
const FIRST_CLOSED: i32 = 512;

/// Moves an open file to a number so high that the kernel closes it among the first when this
/// process is killed. Returns the descriptor unchanged if no such number is free.
///
/// Linux closes the files of a process that exits from the highest number down: each is queued
/// before those that already wait to be closed (`fput`, `task_work_add` in `kernel/task_work.c`).
/// Closing a port takes 20 ms and more. A process that waits for such a file then does not wait for
/// all ports. Only that time depends on it.
#[must_use]
pub fn closed_first(descriptor: OwnedFd) -> OwnedFd {
    sys::duplicate(descriptor.as_fd(), FIRST_CLOSED).unwrap_or_else(|error| {
        log::debug!("a descriptor keeps its number: {error}");
        descriptor
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, PipeWriter, Read, Write};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn it_is_the_same_file_under_a_high_number() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut high = PipeWriter::from(closed_first(writer.into()));
        assert!(high.as_raw_fd() >= FIRST_CLOSED);
        high.write_all(b"it's-a me").unwrap();
        drop(high);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "it's-a me");
    }
}
