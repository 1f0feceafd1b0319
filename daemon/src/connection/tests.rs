//! Connections without a socket.

use super::*;
use std::collections::VecDeque;
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// A client that sends `incoming` piece by piece (an empty piece would block) and reads at
/// most `window` bytes.
#[derive(Default)]
struct Script {
    incoming: VecDeque<Vec<u8>>,
    ended: bool,
    window: usize,
    received: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut piece) = self.incoming.pop_front() else {
            return if self.ended {
                Ok(0)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
        };
        if piece.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = piece.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&piece[..taken]);
        if taken < piece.len() {
            self.incoming.push_front(piece.split_off(taken));
        }
        Ok(taken)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.window == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(self.window);
        self.window -= taken;
        self.received.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Script {
    fn end_writing(&self) -> io::Result<()> {
        Ok(())
    }
}

fn connection(pieces: &[&[u8]]) -> Connection<Script> {
    let script = Script {
        incoming: pieces.iter().map(|piece| piece.to_vec()).collect(),
        ..Script::default()
    };
    Connection::new(script, Backlog::new(|_| None))
}

/// The next step that is not the others' turn.
fn next(conn: &mut Connection<Script>) -> Step {
    loop {
        match conn.step() {
            Step::Later => {}
            other => return other,
        }
    }
}

#[test]
fn messages_are_put_together_and_taken_apart() {
    let mut conn = connection(&[b"{\"a\"", b"", b":1}\n{}\nx"]);
    assert_eq!(conn.step(), Step::Wait);
    assert_eq!(conn.step(), Step::Message(b"{\"a\":1}".to_vec()));
    assert_eq!(conn.step(), Step::Message(b"{}".to_vec()));
    assert_eq!(conn.step(), Step::Wait);
    conn.stream.ended = true;
    assert_eq!(conn.step(), Step::CutOff);
    assert_eq!(conn.step(), Step::Close);
}

/// A descriptor belongs to the message with whose last byte it came, whatever came before.
#[test]
fn a_descriptor_belongs_to_the_message_that_it_came_with() {
    let (ours, its) = mio::net::UnixStream::pair().unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let send = |bytes: &[u8], descriptors: &[std::os::fd::RawFd]| {
        let rights = [ControlMessage::ScmRights(descriptors)];
        let control = if descriptors.is_empty() {
            &[][..]
        } else {
            &rights[..]
        };
        let parts = [io::IoSlice::new(bytes)];
        sendmsg::<()>(its.as_raw_fd(), &parts, control, MsgFlags::empty(), None).unwrap();
    };
    send(b"one\ntw", &[]);
    send(b"o\nthree\n", &[file.as_raw_fd()]);
    send(b"four\n", &[file.as_raw_fd(), file.as_raw_fd()]);
    send(b"fi", &[file.as_raw_fd()]);
    send(b"ve\nsix\n", &[]);
    // The kernel may give what came before together with what came with it.
    let mut conn = Connection::new(ours, Backlog::new(|_| None));
    let mut seen = Vec::new();
    while let Step::Message(message) = conn.step() {
        let text = String::from_utf8(message).unwrap();
        seen.push((text, conn.take_descriptor().is_some()));
        assert!(conn.take_descriptor().is_none(), "one to a message");
    }
    let expected = [
        ("one", false),
        ("two", false),
        ("three", true),
        ("four", true),
        ("five", true),
        ("six", false),
    ];
    let expected = expected.map(|(text, has)| (text.to_owned(), has));
    assert_eq!(seen, expected);
}

#[test]
fn nothing_is_read_while_a_reply_waits() {
    let mut conn = connection(&[b"one\ntwo\n"]);
    assert_eq!(conn.step(), Step::Message(b"one".to_vec()));
    conn.queue(b"reply");
    assert_eq!(conn.step(), Step::Wait);
    conn.stream.window = 2;
    assert_eq!(conn.step(), Step::Wait);
    conn.stream.window = 100;
    assert_eq!(conn.step(), Step::Message(b"two".to_vec()));
    assert_eq!(conn.stream.received, b"reply\n");
}

#[test]
fn news_leave_behind_replies_and_never_inside_one() {
    let mut conn = connection(&[]);
    conn.stream.window = 3;
    conn.queue(b"reply");
    conn.tell(&Line::from(&b"news"[..]));
    assert_eq!(conn.step(), Step::Wait);
    conn.queue(b"another");
    conn.stream.window = 100;
    assert_eq!(conn.step(), Step::Wait);
    assert_eq!(conn.stream.received, b"reply\nanother\nnews\n");
}

#[test]
fn a_message_of_the_greatest_length_passes_and_one_more_byte_does_not() {
    let mut longest = vec![b'x'; MAX_MESSAGE_BYTES];
    longest.push(b'\n');
    let mut conn = connection(&[&longest]);
    assert!(matches!(next(&mut conn), Step::Message(m) if m.len() == MAX_MESSAGE_BYTES));
    longest.insert(0, b'x');
    let mut conn = connection(&[&longest, b"{}\n"]);
    assert_eq!(next(&mut conn), Step::TooLong);
    assert_eq!(next(&mut conn), Step::Wait, "what follows is thrown away");
    conn.stream.ended = true;
    assert_eq!(next(&mut conn), Step::Close);
}

#[test]
fn whoever_sends_without_end_lets_others_have_their_turn() {
    let block = vec![b'x'; 1 << 20];
    let mut conn = connection(&[&block, b"\n"]);
    assert_eq!(conn.step(), Step::Later);
    assert!(conn.held_bytes() <= 2 * STEP_BYTES);
    assert!(conn.is_mid_message());
    assert!(matches!(next(&mut conn), Step::Message(m) if m.len() == 1 << 20));
    assert!(!conn.is_mid_message());
    assert_eq!(conn.held_bytes(), 0);
}

#[test]
fn a_line_without_end_is_neither_kept_nor_read_for_ever() {
    let block = vec![b'x'; 1 << 20];
    let pieces = vec![block.as_slice(); 80];
    let mut conn = connection(&pieces);
    assert_eq!(next(&mut conn), Step::TooLong);
    assert!(conn.input.capacity() <= 2 * MAX_MESSAGE_BYTES);
    assert_eq!(next(&mut conn), Step::Close);
    assert!(!conn.stream.incoming.is_empty());
}
