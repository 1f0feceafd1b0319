//! Blocks of a stream that is being written, one after the other.

use std::io::{self, Read};

use super::SECTION;

/// The longest block that is taken for one: a super-frame with its options is far shorter.
const LONGEST: usize = 16 << 20;
/// How much is asked for at once.
const CHUNK: usize = 256 * 1024;

/// Why there is no further block.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream ended inside a block.
    #[error("it ended in the middle of a block")]
    CutOff,
    /// What came is no block.
    #[error("it is not pcapng")]
    Malformed,
}

/// A stream of blocks in this machine's order of bytes.
#[derive(Debug)]
pub struct Blocks<R> {
    stream: R,
    buffer: Vec<u8>,
    /// So much of the buffer has been handed out.
    start: usize,
    has_begun: bool,
}

impl<R: Read> Blocks<R> {
    /// The blocks of a stream, of which `first` has been read already.
    pub const fn new(stream: R, first: Vec<u8>) -> Self {
        Self {
            stream,
            buffer: first,
            start: 0,
            has_begun: false,
        }
    }

    /// The next blocks: all that have come, each whole; waits until there is one. Empty at the
    /// end of the stream.
    ///
    /// # Errors
    /// See [`BlockError`].
    pub fn next_run(&mut self) -> Result<&[u8], BlockError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        loop {
            let whole = self.whole()?;
            if whole > 0 {
                self.start = whole;
                return Ok(&self.buffer[..whole]);
            }
            if !self.fill()? {
                return if self.buffer.is_empty() {
                    Ok(&[])
                } else {
                    Err(BlockError::CutOff)
                };
            }
        }
    }

    /// Length of all whole blocks in the buffer.
    fn whole(&mut self) -> Result<usize, BlockError> {
        let mut end = 0;
        while let Some(len) = block_len(&self.buffer[end..])? {
            let kind = self.buffer.get(end..).and_then(<[u8]>::first_chunk);
            if !self.has_begun && kind != Some(&SECTION.to_ne_bytes()) {
                return Err(BlockError::Malformed);
            }
            self.has_begun = true;
            if self.buffer.len() - end < len {
                break;
            }
            end += len;
        }
        Ok(end)
    }

    /// Reads once. Returns whether there may be more.
    fn fill(&mut self) -> io::Result<bool> {
        let filled = self.buffer.len();
        self.buffer.resize(filled + CHUNK, 0);
        let read = loop {
            match self.stream.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

/// The length of the block that these bytes begin; `None` where too few have come to know.
fn block_len(bytes: &[u8]) -> Result<Option<usize>, BlockError> {
    let Some([_, _, _, _, a, b, c, d]) = bytes.first_chunk::<8>() else {
        return Ok(None);
    };
    let len = u32::from_ne_bytes([*a, *b, *c, *d]) as usize;
    if (12..=LONGEST).contains(&len) && len.is_multiple_of(4) {
        Ok(Some(len))
    } else {
        Err(BlockError::Malformed)
    }
}

/// Takes the first block off a run of whole ones: its type and all of it.
pub fn split_first(run: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let kind = u32::from_ne_bytes(*run.first_chunk()?);
    let len = block_len(run).ok()??;
    let (block, rest) = run.split_at_checked(len)?;
    Some((kind, block, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcapng::{INTERFACE, interface, section};

    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(self.0.len()).min(buffer.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    #[test]
    fn blocks_come_whole_however_they_arrive() {
        let mut file = Vec::new();
        section(&mut file);
        interface(&mut file, "a", None, 100);
        for piece in [1, 7, 1000] {
            let mut blocks = Blocks::new(Trickle(&file[3..], piece), file[..3].to_vec());
            let mut kinds = Vec::new();
            loop {
                let mut run = blocks.next_run().unwrap();
                if run.is_empty() {
                    break;
                }
                while let Some((kind, _, rest)) = split_first(run) {
                    kinds.push(kind);
                    run = rest;
                }
            }
            assert_eq!(kinds, [SECTION, INTERFACE]);
        }
    }

    #[test]
    fn what_is_cut_off_or_no_pcapng_is_told() {
        let mut file = Vec::new();
        section(&mut file);
        let cut = &file[..file.len() - 1];
        let error = Blocks::new(cut, Vec::new()).next_run().unwrap_err();
        assert!(matches!(error, BlockError::CutOff), "{error}");
        let json = b"{\"jsonrpc\":\"2.0\"}";
        let error = Blocks::new(&json[..], Vec::new()).next_run().unwrap_err();
        assert!(matches!(error, BlockError::Malformed), "{error}");
    }
}
