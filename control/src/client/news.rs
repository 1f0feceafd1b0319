//! The stream of what a switch tells unasked.

use std::io::{self, BufReader, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::protocol::EVENT;

/// How much is read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// No message is longer.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// What a switch tells, message by message.
#[derive(Debug)]
pub struct News {
    stream: UnixStream,
    /// What has come and is not taken apart.
    pending: Vec<u8>,
}

/// An event as the switch has sent it, fields of later versions included.
pub type Told = Map<String, Value>;

/// A notification.
#[derive(Deserialize)]
struct Message {
    method: String,
    params: Told,
}

impl News {
    /// The stream of a client who listens, with what it has read ahead.
    pub(super) fn new(stream: BufReader<UnixStream>) -> io::Result<Self> {
        let pending = stream.buffer().to_vec();
        let stream = stream.into_inner();
        // Nothing may happen for days.
        stream.set_read_timeout(None)?;
        Ok(Self { stream, pending })
    }

    /// Waits for events; `None` once the switch has closed the connection.
    ///
    /// # Errors
    /// Where the connection broke, or what came can't be understood.
    pub fn wait(&mut self) -> io::Result<Option<Vec<Told>>> {
        let mut told = self.take()?;
        while told.is_empty() {
            match self.read()? {
                Some(more) => told = more,
                None => return Ok(None),
            }
        }
        Ok(Some(told))
    }

    /// Reads once, which does not block where the descriptor is readable. The events that are whole
    /// by then, perhaps none; `None` once the switch has closed the connection.
    ///
    /// # Errors
    /// As [`News::wait`].
    pub fn read(&mut self) -> io::Result<Option<Vec<Told>>> {
        let mut chunk = [0; CHUNK_BYTES];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(read) => self.pending.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.take().map(Some)
    }

    /// The whole messages that have come.
    fn take(&mut self) -> io::Result<Vec<Told>> {
        let Some(end) = self.pending.iter().rposition(|byte| *byte == b'\n') else {
            if self.pending.len() > MAX_MESSAGE_BYTES {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    "a message has no end",
                ));
            }
            return Ok(Vec::new());
        };
        let whole: Vec<u8> = self.pending.drain(..=end).collect();
        let lines = whole
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let mut told = Vec::new();
        for line in lines {
            let message: Message = serde_json::from_slice(line)?;
            if message.method == EVENT {
                told.push(message.params);
            }
        }
        Ok(told)
    }
}

impl AsFd for News {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn messages_are_whole_however_they_come() {
        let (mut switch, client) = UnixStream::pair().unwrap();
        let mut news = News::new(BufReader::new(client)).unwrap();
        let message = |number: u32| {
            format!(r#"{{"jsonrpc":"2.0","method":"event","params":{{"n":{number}}}}}"#) + "\n"
        };
        let other = "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"params\":{}}\n";
        let text = [&message(1), other, &message(2), &message(3)[..20]].concat();
        switch.write_all(text.as_bytes()).unwrap();
        let told = news.wait().unwrap().unwrap();
        assert_eq!(told.len(), 2);
        switch.write_all(&message(3).as_bytes()[20..]).unwrap();
        assert_eq!(news.wait().unwrap().unwrap()[0]["n"], 3);
        switch.write_all(b"half").unwrap();
        drop(switch);
        assert!(news.wait().unwrap().is_none());
    }

    #[test]
    fn a_message_without_end_is_given_up() {
        let (mut switch, client) = UnixStream::pair().unwrap();
        let mut news = News::new(BufReader::new(client)).unwrap();
        let switch = std::thread::spawn(move || {
            let endless = vec![b'x'; CHUNK_BYTES];
            // Until nobody reads any more.
            while switch.write_all(&endless).is_ok() {}
        });
        let error = news.wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        drop(news);
        switch.join().unwrap();
    }
}
