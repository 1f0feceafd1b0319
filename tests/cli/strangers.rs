//! Directories that others can write to, and sockets on which somebody else answers or asks.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use libtest_mimic::Trial;
use serde_json::Value;

use super::sys::{NOBODY, become_user, can_be_nobody};
use super::userlab::User;
use super::{Switch, fails, ok};
use crate::harness::program::{run_vswitch, runtime_dir};
use crate::harness::{PATIENCE, isolated};

/// Somebody who is neither root nor the user of the tests.
const STRANGER: u32 = 4711;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("runtime_dir_that_others_write_in_is_refused", writable),
        isolated("runtime_dir_of_another_user_is_refused", sticky),
        isolated("control_socket_of_a_stranger_is_not_believed", impostor),
        isolated("cli_userlab_lets_its_owner_ask_alone", lab),
    ]
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn writable() {
    let switch = Switch::start("s");
    let runtime = runtime_dir();
    let below = runtime.join("below");
    fs::create_dir(&below).unwrap();
    let elsewhere = format!("--runtime-dir {}", below.display());
    for (path, name) in [
        (&runtime, "/run/vswitch"),
        (&switch.dir(), "/run/vswitch/s"),
    ] {
        for (mode, remedy) in [(0o770, "chmod g-w"), (0o777, "chmod go-w")] {
            set(path, mode);
            for line in ["show s", "attach mario", "stop s", "fdb show --switch s"] {
                let told = fails(line, 1);
                assert!(
                    told.contains(&format!("directory {name} ")),
                    "{line}: {told}"
                );
                assert!(told.contains(remedy), "{line}: {told}");
            }
            set(path, 0o755);
        }
    }
    set(&switch.dir(), 0o700);
    set(&runtime, 0o775);
    for line in ["list", "show", "run t --detach", "netns add mario", "down"] {
        // Making a namespace takes no runtime directory.
        if line != "netns add mario" {
            let told = fails(line, 1);
            assert!(told.contains("'chmod g-w /run/vswitch'"), "{line}: {told}");
        }
    }
    // It is on the way to others, too.
    let told = fails(&format!("{elsewhere} run t --detach"), 1);
    assert!(told.contains("'chmod g-w /run/vswitch'"), "{told}");
    let report = run_vswitch(["doctor", "--json"]);
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("chmod g-w /run/vswitch"), "{report}");
    // The remedy helps.
    set(&runtime, 0o755);
    fs::remove_dir(&below).unwrap();
    ok("attach mario");
    switch.stop();
}

/// Answers whoever asks as a switch would, as this user; until nobody asks any more.
fn serve_as(user: u32, socket: &Path) -> thread::JoinHandle<usize> {
    let (ready, wait) = mpsc::channel();
    let socket = socket.to_owned();
    let served = thread::spawn(move || {
        // This thread alone.
        become_user(user);
        let listener = UnixListener::bind(&socket).unwrap();
        ready.send(()).unwrap();
        let mut asked = 0;
        for stream in listener.incoming() {
            let mut line = String::new();
            let mut stream = BufReader::new(stream.unwrap());
            stream.read_line(&mut line).unwrap();
            if line == "end\n" {
                break;
            }
            asked += usize::from(!line.is_empty());
        }
        asked
    });
    wait.recv().unwrap();
    served
}

fn end(served: thread::JoinHandle<usize>, socket: &Path) -> usize {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"end\n").unwrap();
    served.join().unwrap()
}

fn sticky() {
    if !can_be_nobody() {
        eprintln!("there is nobody else here: nothing was tried");
        return;
    }
    let theirs = Path::new("/run/theirs");
    fs::create_dir(theirs).unwrap();
    fs::create_dir(theirs.join("s")).unwrap();
    for path in [theirs, &theirs.join("s")] {
        chown(path, Some(STRANGER), None).unwrap();
    }
    set(theirs, 0o1777);
    let socket = theirs.join("s/control.sock");
    let served = serve_as(STRANGER, &socket);
    for line in ["show s", "show", "list", "run t --detach"] {
        let told = fails(&format!("{line} --runtime-dir /run/theirs"), 1);
        assert!(told.contains("/run/theirs belongs to user 4711"), "{told}");
    }
    // One of root's is like /tmp: what is in it need not be root's.
    chown(theirs, Some(0), None).unwrap();
    for line in ["show s", "run s --detach"] {
        let told = fails(&format!("{line} --runtime-dir /run/theirs"), 1);
        assert!(
            told.contains("/run/theirs/s belongs to user 4711"),
            "{told}"
        );
    }
    ok("run t --detach --runtime-dir /run/theirs");
    ok("show t --runtime-dir /run/theirs");
    ok("stop t --runtime-dir /run/theirs");
    assert_eq!(end(served, &socket), 0, "nothing was asked");
}

/// In a directory that is in order.
fn impostor() {
    if !can_be_nobody() {
        eprintln!("there is nobody else here: nothing was tried");
        return;
    }
    let dir = runtime_dir().join("s");
    fs::create_dir_all(&dir).unwrap();
    set(&dir, 0o777);
    let socket = dir.join("control.sock");
    let served = serve_as(STRANGER, &socket);
    set(&dir, 0o700);
    for line in ["show s", "attach mario", "stop s", "events --switch s"] {
        let told = fails(line, 1);
        assert!(told.contains("belongs to user 4711"), "{line}: {told}");
    }
    assert_eq!(end(served, &socket), 0, "nothing was asked");
}

/// What a switch says to this user.
fn asked_as(user: u32, socket: &Path) -> Value {
    let socket = socket.to_owned();
    let asked = thread::spawn(move || {
        become_user(user);
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Who is refused may find the connection closed already.
        let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\"}\n");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    });
    asked.join().unwrap()
}

/// What the keeper of a lab says to this user.
fn greeted_as(user: u32, socket: &Path) -> Vec<u8> {
    let socket = socket.to_owned();
    let asked = thread::spawn(move || {
        become_user(user);
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = [0; 16];
        let length = stream.read(&mut said).unwrap_or_default();
        said[..length].to_vec()
    });
    asked.join().unwrap()
}

fn lab() {
    let user = User::new("alone");
    user.ok("run s --detach");
    user.ok("attach mario");
    if !can_be_nobody() {
        eprintln!("there is nobody else here: nothing was tried");
        user.ok("stop s");
        return;
    }
    let (dir, lab) = (user.dir().join("s"), user.dir().join(".lab"));
    let (socket, keeper) = (dir.join("control.sock"), lab.join("keeper.sock"));
    // The directories keep strangers out; where they do not, the switch and the keeper do.
    for path in [&user.session, &user.dir(), &dir, &lab] {
        set(path, 0o755);
    }
    for path in [&socket, &keeper] {
        set(path, 0o666);
    }
    for stranger in [STRANGER, 0] {
        let said = asked_as(stranger, &socket);
        let why = said["error"]["message"].as_str().unwrap_or_default();
        assert!(why.contains("ordinary user, who alone may ask"), "{said}");
        assert_eq!(greeted_as(stranger, &keeper), b"", "{stranger}");
    }
    let said = asked_as(NOBODY, &socket);
    assert_eq!(said["result"]["name"], "s", "{said}");
    assert_eq!(greeted_as(NOBODY, &keeper), b"1");
    // Root is told, too.
    let told = fails(&format!("show s --runtime-dir {}", user.dir().display()), 1);
    assert!(told.contains("run the command as that user"), "{told}");
    for (path, mode) in [(&dir, 0o700), (&lab, 0o700)] {
        set(path, mode);
    }
    user.ok("stop s");
    user.assert_nothing_left();
}
