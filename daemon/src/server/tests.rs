//! The server with a service that needs no rights: clients that misbehave, and one that does
//! not and must not notice.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream as Client;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use vswitch_control::protocol::ErrorObject;

/// Answers `echo` with its parameters, `big` with a long text, `slow` after a `hurry`, takes the stream over
/// after a `take`, and ends at `stop`.
#[allow(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
#[derive(Default)]
struct Echo {
    ending: bool,
    calls: u64,
    /// Whether `slow` is put off, may be, was, and is to be called again.
    is_ready: bool,
    may_postpone: bool,
    was_postponed: bool,
    is_due: bool,
}

impl Service for Echo {
    type Session = u64;
    type Call = (String, Map<String, Value>);

    fn read(method: &str, params: Map<String, Value>) -> Result<Self::Call, ErrorObject> {
        Ok((method.to_owned(), params))
    }

    fn call(
        &mut self,
        session: &mut u64,
        (method, params): Self::Call,
    ) -> Result<Value, ErrorObject> {
        *session += 1;
        self.calls += 1;
        match method.as_str() {
            "echo" => Ok(Value::Object(params)),
            "calls" => Ok(json!([*session, self.calls])),
            "slow" if !self.is_ready && self.may_postpone => {
                self.was_postponed = true;
                Ok(Value::Null)
            }
            "slow" => Ok("slow".into()),
            "hurry" => {
                self.is_ready = true;
                self.is_due = true;
                Ok(Value::Null)
            }
            "big" => Ok("x".repeat(900_000).into()),
            "stop" => {
                self.ending = true;
                Ok(Value::Null)
            }
            "take" => {
                *session = TAKEN;
                Ok("x".repeat(900_000).into())
            }
            other => Err(ErrorObject::new(ErrorCode::MethodNotFound, other)),
        }
    }

    fn wants_stream(&self, session: &u64) -> bool {
        *session == TAKEN
    }

    fn take_stream(&mut self, _session: u64, mut stream: Client, unsent: Vec<u8>) {
        std::thread::spawn(move || {
            stream.set_nonblocking(false).unwrap();
            stream.write_all(&unsent).unwrap();
            stream.write_all(b"no JSON any more").unwrap();
        });
    }

    fn let_postpone(&mut self, may: bool) {
        self.may_postpone = may;
    }

    fn take_postponed(&mut self) -> bool {
        std::mem::take(&mut self.was_postponed)
    }

    fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    fn is_ending(&self) -> bool {
        self.ending
    }
}

/// So many clients there may be.
const ROOM: usize = 64;
/// The session of a client whose stream is wanted.
const TAKEN: u64 = u64::MAX;

struct Running {
    _dir: tempfile::TempDir,
    socket: PathBuf,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    fn start() -> Self {
        let dir = crate::testing::directory().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let thread = std::thread::spawn(move || {
            let mut service = Echo::default();
            let mut server = Server::new(listener, Peers::new(None), &service)?;
            server.room = ROOM;
            server.run(&mut service)
        });
        Self {
            _dir: dir,
            socket,
            thread: Some(thread),
        }
    }

    fn client(&self) -> Peer {
        Peer::connect(&self.socket)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let reply = self.client().ask(&call("stop", &json!({})));
        assert_eq!(reply["result"], Value::Null, "{reply}");
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

struct Peer {
    stream: BufReader<Client>,
}

impl Peer {
    fn connect(socket: &Path) -> Self {
        let stream = Client::connect(socket).unwrap();
        // A bound on failure, not a measurement.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    fn ask(&mut self, line: &str) -> Value {
        self.send(&format!("{line}\n"));
        self.receive()
    }

    fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn call(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

#[test]
fn requests_are_answered_under_their_identifiers() {
    let server = Running::start();
    let mut client = server.client();
    let reply = client.ask(&call("echo", &json!({"a": [1, 2]})));
    assert_eq!(
        reply,
        json!({"jsonrpc": "2.0", "id": 1, "result": {"a": [1, 2]}})
    );
    let reply = client.ask(&call("nonsense", &json!({})));
    assert_eq!(reply["error"]["code"], -32601);
    assert_eq!(
        client.ask(&call("calls", &json!({})))["result"],
        json!([3, 3])
    );
    let mut other = server.client();
    assert_eq!(
        other.ask(&call("calls", &json!({})))["result"],
        json!([1, 4])
    );
}

#[test]
fn nonsense_is_answered_and_the_connection_goes_on() {
    let server = Running::start();
    let mut client = server.client();
    assert_eq!(client.ask("hello")["error"]["code"], -32700);
    assert_eq!(client.ask("")["error"]["code"], -32700);
    assert_eq!(client.ask("7")["error"]["code"], -32600);
    assert_eq!(client.ask(&call("echo", &json!({})))["result"], json!({}));
}

#[test]
fn a_batch_is_answered_together_and_notifications_not_at_all() {
    let server = Running::start();
    let mut client = server.client();
    let note = r#"{"jsonrpc":"2.0","method":"echo"}"#;
    client.send(&format!("{note}\n[{note}]\n"));
    let reply = client.ask(&format!("[{note},3,{}]", call("calls", &json!({}))));
    assert_eq!(reply[0]["error"]["code"], -32600);
    assert_eq!(reply[1]["result"], json!([4, 4]));
    assert_eq!(reply.as_array().unwrap().len(), 2);
}

#[test]
fn a_stream_that_is_taken_over_has_its_reply_first_and_no_further_ones() {
    let server = Running::start();
    let mut client = server.client();
    // The second request is nobody's any more, and the reply is too long to be sent at once.
    let (take, echo) = (call("take", &json!({})), call("echo", &json!({})));
    client.send(&format!("{take}\n{echo}\n"));
    let reply = client.receive();
    assert_eq!(reply["result"].as_str().map(str::len), Some(900_000));
    let mut rest = String::new();
    client.stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "no JSON any more");
    assert_eq!(
        server.client().ask(&call("calls", &json!({})))["result"][1],
        2
    );
}

#[test]
fn ten_megabytes_are_refused_and_the_connection_ends() {
    let server = Running::start();
    let mut client = server.client();
    client.send(&"x".repeat(10_000_000));
    client.send("\n");
    let reply = client.receive();
    assert_eq!(reply["error"]["code"], -32001, "{reply}");
    assert!(client.is_closed());
}

#[test]
fn half_a_message_holds_nobody_up() {
    let server = Running::start();
    let mut silent = server.client();
    silent.send(r#"{"jsonrpc":"2.0","#);
    let mut client = server.client();
    assert_eq!(client.ask(&call("echo", &json!({})))["result"], json!({}));
    silent.send(r#""id":9,"method":"echo"}"#);
    assert_eq!(silent.ask("")["id"], 9);
    silent.send("{");
    silent
        .stream
        .get_ref()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(silent.receive()["error"]["code"], -32700);
    assert!(silent.is_closed());
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    let server = Running::start();
    let mut deaf = server.client();
    for _ in 0..8 {
        deaf.send(&format!("{}\n", call("big", &json!({}))));
    }
    let mut client = server.client();
    assert_eq!(client.ask(&call("echo", &json!({})))["result"], json!({}));
    for _ in 0..8 {
        assert_eq!(deaf.receive()["result"].as_str().unwrap().len(), 900_000);
    }
    deaf.send(&format!("{}\n", call("big", &json!({}))));
    drop(deaf);
    assert_eq!(client.ask(&call("echo", &json!({})))["result"], json!({}));
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let server = Running::start();
    let mut client = server.client();
    let line = call("calls", &json!({}));
    client.send(&format!("{line}\n").repeat(500));
    for turn in 1..=500 {
        assert_eq!(client.receive()["result"][0], turn);
    }
}

#[test]
fn of_too_many_clients_the_most_silent_go() {
    let server = Running::start();
    let mut silent = server.client();
    let mut steady = server.client();
    let mut others = Vec::new();
    for _ in 0..100 {
        assert_eq!(steady.ask(&call("echo", &json!({})))["result"], json!({}));
        others.push(server.client());
    }
    let mut newest = server.client();
    assert_eq!(newest.ask(&call("echo", &json!({})))["result"], json!({}));
    assert!(silent.is_closed());
    assert_eq!(steady.ask(&call("echo", &json!({})))["result"], json!({}));
}

#[test]
fn one_that_has_just_come_is_heard_although_others_come_after_it() {
    let server = Running::start();
    let mut all: Vec<Peer> = (0..ROOM).map(|_| server.client()).collect();
    for client in &mut all {
        assert_eq!(client.ask(&call("echo", &json!({})))["result"], json!({}));
    }
    let mut late = server.client();
    let others: Vec<Peer> = (0..ROOM / 4).map(|_| server.client()).collect();
    let mut last = server.client();
    assert_eq!(last.ask(&call("echo", &json!({})))["result"], json!({}));
    assert_eq!(late.ask(&call("echo", &json!({})))["result"], json!({}));
    drop(others);
}

#[test]
fn what_takes_long_holds_up_its_own_client_alone() {
    let server = Running::start();
    let (slow, echo) = (call("slow", &json!({})), call("echo", &json!({})));
    let mut waiting = server.client();
    waiting.send(&format!("{slow}\n{echo}\n"));
    let mut gone = server.client();
    gone.send(&format!("{slow}\n"));
    let mut client = server.client();
    // In a batch it is not put off.
    let both = client.ask(&format!("[{slow},{echo}]"));
    assert_eq!(both[0]["result"], "slow", "{both}");
    assert_eq!(both.as_array().unwrap().len(), 2);
    drop(gone);
    assert_eq!(client.ask(&echo)["result"], json!({}));
    assert_eq!(
        client.ask(&call("hurry", &json!({})))["result"],
        Value::Null
    );
    assert_eq!(waiting.receive()["result"], "slow");
    assert_eq!(waiting.receive()["result"], json!({}));
}
