//! What a client might write to the control socket, for fuzzers: the connection, the messages, and
//! the methods as far as they go without a kernel. Nothing is attached, nothing is ended.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};

use serde_json::Value;

use super::connection::{Connection, Step, Stream};
use super::control::with;
use super::fixed::vlan;
use super::news::Backlog;
use super::server::{Service, answer};
use super::{explain, lab};
pub use crate::state::trial::state_file;
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::protocol::{
    AttachParams, CaptureParams, DetachParams, ErrorCode, ErrorObject, ExplainParams, FdbAddParams,
    FdbDelParams, FdbFlushParams, FdbShowParams, MAX_MESSAGE_BYTES, NoParams, PortAddParams,
    PortDelParams, ReaddressParams, Request, method,
};
use vswitch_control::settings::{Change, SwitchSettings};
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

    fn call(&mut self, (): &mut (), request: &Request) -> Result<Value, ErrorObject> {
        let params = &request.params;
        let done = Ok(Value::Bool(true));
        let wrong = |sentence| ErrorObject::new(ErrorCode::InvalidParams, sentence);
        match request.method.as_str() {
            method::VERSION
            | method::SHOW
            | method::STOP
            | method::PORT_LIST
            | method::EVENTS_SUBSCRIBE
            | method::EVENTS_UNSUBSCRIBE => with(params, |_: NoParams| done),
            method::ATTACH => with(params, |params: AttachParams| {
                Ok(lab::foresee(&params, None)?.into())
            }),
            method::DETACH => with(params, |_: DetachParams| done),
            method::SET => with(params, |change: Change<SwitchSettings>| {
                let changed = change.of(&SwitchSettings::default());
                Ok(serde_json::to_value(changed).unwrap_or_default())
            }),
            method::READDRESS => with(params, |params: ReaddressParams| {
                for address in &params.addresses {
                    values::host_address(address).map_err(wrong)?;
                }
                done
            }),
            method::PORT_ADD => with(params, |_: PortAddParams| done),
            method::PORT_DEL => with(params, |_: PortDelParams| done),
            method::FDB_SHOW => with(params, |_: FdbShowParams| done),
            method::FDB_ADD => with(params, |params: FdbAddParams| {
                let mac = values::station(&params.mac).map_err(wrong)?;
                Ok(format!("{mac} in {}", vlan(params.vlan)?).into())
            }),
            method::FDB_DEL => with(params, |params: FdbDelParams| {
                values::station(&params.mac).map_err(wrong)?;
                params.vlan.map(vlan).transpose()?;
                done
            }),
            method::FDB_FLUSH => with(params, |_: FdbFlushParams| done),
            method::EXPLAIN => with(params, |params: ExplainParams| {
                Ok(explain::frame(&params)?.0.len().into())
            }),
            method::CAPTURE_START => with(params, |_: CaptureParams| done),
            name => {
                // Names go from messages into paths.
                let _ = (name.parse::<SwitchName>(), name.parse::<LabName>());
                let text = format!(
                    "there is no method '{}'",
                    vswitch_control::plain::text(name)
                );
                Err(ErrorObject::new(ErrorCode::MethodNotFound, text))
            }
        }
    }

    fn is_ending(&self) -> bool {
        false
    }
}
