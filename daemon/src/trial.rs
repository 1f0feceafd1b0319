//! What a client might write to the control socket, for fuzzers: the connection, the messages, and
//! the methods as far as they go without a kernel. Nothing is attached, nothing is ended.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};

use serde_json::{Map, Value};

use super::connection::{Connection, Step, Stream};
use super::fixed::vlan;
use super::news::Backlog;
use super::server::{Service, answer};
use super::{explain, lab};
pub use crate::state::trial::state_file;
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::protocol::{Call, ErrorCode, ErrorObject, MAX_MESSAGE_BYTES};
use vswitch_control::settings::SwitchSettings;
use vswitch_control::values;

/// More turns than this are an endless loop: each takes a byte, sends one of an answer that even an
/// empty line gets, waits for that, or ends.
const TURNS_PER_BYTE: usize = 1024;

/// One client's life. The first two bytes say how it writes and how it reads, the others are what
/// it writes.
pub fn control(bytes: &[u8]) {
    let [writes, reads, sent @ ..] = bytes else {
        return;
    };
    let client = Script {
        sent,
        piece: 1 << (writes & 15),
        window: 1 << (reads & 15),
        may_block: reads & 16 != 0,
        blocked: false,
        received: RefCell::default(),
    };
    let mut connection = Connection::new(client, Backlog::new(|_| None));
    let mut service = Rehearsal;
    let most = TURNS_PER_BYTE * (bytes.len() + 16);
    for turn in 0.. {
        assert!(turn < most, "no end");
        let reply = match connection.step() {
            Step::Message(message) => {
                assert!(message.len() <= MAX_MESSAGE_BYTES);
                answer(&mut service, &mut (), &message)
            }
            Step::CutOff | Step::TooLong | Step::Later => None,
            Step::Wait => {
                let client = connection.stream_mut();
                if client.sent.is_empty() && !client.may_block {
                    break;
                }
                None
            }
            Step::Close => break,
        };
        if let Some(reply) = reply {
            connection.queue(&reply);
        }
    }
    let client = connection.stream_mut();
    for line in client
        .received
        .borrow()
        .split_inclusive(|byte| *byte == b'\n')
    {
        if line.ends_with(b"\n") {
            check(line);
        }
    }
}

/// A reply is JSON-RPC, whatever was asked.
fn check(line: &[u8]) {
    let reply: Value = serde_json::from_slice(line).expect("a reply that is no JSON");
    let replies = match &reply {
        Value::Array(replies) => replies.as_slice(),
        one => std::slice::from_ref(one),
    };
    assert!(!replies.is_empty(), "an empty batch of replies");
    for reply in replies {
        assert_eq!(reply["jsonrpc"], "2.0");
        let (result, error) = (reply.get("result"), reply.get("error"));
        assert!(result.is_some() != error.is_some(), "{reply}");
    }
}

/// A client that follows the input.
struct Script<'a> {
    sent: &'a [u8],
    /// The most bytes that come at once.
    piece: usize,
    /// The most bytes that it takes at once.
    window: usize,
    /// Whether it reads only every other time.
    may_block: bool,
    blocked: bool,
    received: RefCell<Vec<u8>>,
}

impl Read for Script<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(buffer.len()).min(self.sent.len());
        let (piece, rest) = self.sent.split_at(count);
        buffer[..count].copy_from_slice(piece);
        self.sent = rest;
        Ok(count)
    }
}

impl Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocked = self.may_block && !self.blocked;
        if self.blocked {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = self.window.min(bytes.len());
        self.received
            .borrow_mut()
            .extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Script<'_> {
    fn end_writing(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The methods without what they do.
struct Rehearsal;

impl Service for Rehearsal {
    type Session = ();
    type Call = Call;

    fn read(method: &str, params: Map<String, Value>) -> Result<Call, ErrorObject> {
        // Names go from messages into paths.
        let _ = (method.parse::<SwitchName>(), method.parse::<LabName>());
        Call::read(method, params)
    }

    fn call(&mut self, (): &mut (), call: Call) -> Result<Value, ErrorObject> {
        let done = Ok(Value::Bool(true));
        let wrong = |sentence| ErrorObject::new(ErrorCode::InvalidParams, sentence);
        match call {
            Call::Attach(params) => Ok(lab::foresee(&params, None)?.into()),
            Call::Set(change) => {
                let changed = change.of(&SwitchSettings::default());
                Ok(serde_json::to_value(changed).unwrap_or_default())
            }
            Call::Readdress(params) => {
                for address in &params.addresses {
                    values::host_address(address).map_err(wrong)?;
                }
                done
            }
            Call::FdbAdd(params) => {
                let mac = values::station(&params.mac).map_err(wrong)?;
                Ok(format!("{mac} in {}", vlan(params.vlan)?).into())
            }
            Call::FdbDel(params) => {
                values::station(&params.mac).map_err(wrong)?;
                params.vlan.map(vlan).transpose()?;
                done
            }
            Call::Explain(params) => Ok(explain::frame(&params)?.0.len().into()),
            _ => done,
        }
    }

    fn is_ending(&self) -> bool {
        false
    }
}
