//! In which order the kernel closes what a process that is killed has open.

use std::os::fd::{AsFd, OwnedFd};

use crate::sys;

/// Where the numbers begin that come first: above what few ports take, and below what every process
/// may have (1,024).
const FIRST_CLOSED: i32 = 512;

/// The same open file under a number so high that it is among the first that the kernel closes when
/// this process is killed; under the one that it has where there is no other.
///
/// Linux closes the files of a process that ends from the highest number down: each is put before
/// those that wait to be closed already (`fput`, `task_work_add` in `kernel/task_work.c`). It takes
/// 20 ms and more for a port. Whoever is to have such a file next does not wait for all ports then.
/// Nothing but that time depends on it.
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
