//! Where captured frames go.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// What takes blocks.
pub(crate) trait Sink: Send {
    /// Takes one whole block of this type.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn block(&mut self, kind: u32, block: &[u8]) -> Result<(), SinkError>;

    /// Puts out what was taken.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn flush(&mut self) -> Result<(), SinkError>;
}

/// Why frames could not be put out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkError {
    /// Nobody reads them any more.
    #[error("the reader of the output has closed it")]
    Unread,
    /// The file could not be made.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("cannot write to {name}: {source}; what was written before is whole")]
    Write {
        /// The file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Blocks as they are.
pub(crate) struct File {
    disk: fs::File,
    name: String,
    /// Whole blocks that are to be written.
    pending: Vec<u8>,
    /// The lengths of those.
    lens: Vec<usize>,
    /// The length of the file, of whole blocks.
    written: u64,
}

impl File {
    /// A new file, or one that is written anew.
    ///
    /// # Errors
    /// [`SinkError::Create`].
    pub(crate) fn create(path: &Path) -> Result<Self, SinkError> {
        match fs::File::create(path) {
            Ok(file) => Ok(Self::new(file, path.display().to_string())),
            Err(source) => Err(SinkError::Create {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Standard output.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub(crate) fn stdout() -> io::Result<Self> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(stdout.into(), "standard output".to_owned()))
    }

    const fn new(file: fs::File, name: String) -> Self {
        Self {
            disk: file,
            name,
            pending: Vec::new(),
            lens: Vec::new(),
            written: 0,
        }
    }

    /// Writes what is pending; gives how much of it was, where that fails.
    fn write(&mut self) -> Result<(), (usize, io::Error)> {
        let mut done = 0;
        while done < self.pending.len() {
            match self.disk.write(&self.pending[done..]) {
                Ok(0) => return Err((done, ErrorKind::WriteZero.into())),
                Ok(more) => done += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err((done, error)),
            }
        }
        Ok(())
    }

    /// Takes back the part of a block that a full disk has left.
    fn take_back(&self, done: usize) {
        let mut whole = 0;
        for len in &self.lens {
            if whole + len > done {
                break;
            }
            whole += len;
        }
        // Fails for what is no file on a disk, which could not be taken back anyhow.
        let _ = self.disk.set_len(self.written + whole as u64);
    }
}

impl Sink for File {
    fn block(&mut self, _kind: u32, block: &[u8]) -> Result<(), SinkError> {
        self.pending.extend_from_slice(block);
        self.lens.push(block.len());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match self.write() {
            Ok(()) => {}
            Err((_, source)) if source.kind() == ErrorKind::BrokenPipe => {
                return Err(SinkError::Unread);
            }
            Err((done, source)) => {
                self.take_back(done);
                let name = self.name.clone();
                return Err(SinkError::Write { name, source });
            }
        }
        self.written += self.pending.len() as u64;
        self.pending.clear();
        self.lens.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_disk_has_left_of_a_block_is_taken_back() {
        let dir = crate::testing::directory().unwrap();
        let path = dir.path().join("f");
        let mut file = File::create(&path).unwrap();
        file.block(1, &[1; 8]).unwrap();
        file.flush().unwrap();
        file.block(1, &[2; 12]).unwrap();
        file.block(1, &[3; 16]).unwrap();
        for (done, left) in [(27, 20), (12, 20), (11, 8)] {
            fs::write(&path, vec![0; 8 + done]).unwrap();
            file.take_back(done);
            assert_eq!(fs::metadata(&path).unwrap().len(), left, "{done}");
        }
    }
}
