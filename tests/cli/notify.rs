//! Telling a service manager that a switch is ready, and that it ends (`sd_notify(3)`).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::json;
use super::userlab::User;
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_service_manager_is_told_at_a_path", at_a_path),
        isolated(
            "cli_service_manager_is_told_at_an_abstract_name",
            abstract_name,
        ),
        isolated("cli_service_manager_is_told_from_a_lab", from_a_lab),
        isolated("cli_service_manager_that_is_gone_is_no_failure", gone),
    ]
}

fn at_a_path() {
    let manager = UnixDatagram::bind("/run/notify").unwrap();
    told(&manager, "/run/notify");
}

fn abstract_name() {
    let address = SocketAddr::from_abstract_name("manager").unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    told(&manager, "@manager");
}

/// A switch tells the manager when it takes commands, and when it ends.
fn told(manager: &UnixDatagram, address: &str) {
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = vswitch(["run", "s"]);
    command.env("NOTIFY_SOCKET", address);
    let mut switch = Background::start(command).unwrap();
    let ready = message(manager);
    assert!(ready.contains(&"READY=1".to_owned()), "{ready:?}");
    let status = ready.iter().find(|line| line.starts_with("STATUS="));
    assert!(status.is_some_and(|line| line.contains("'s'")), "{ready:?}");
    // It is ready indeed.
    assert_eq!(json("list")[0]["name"], "s");

    switch.signal(Signal::SIGTERM).unwrap();
    let end = message(manager);
    assert!(end.contains(&"STOPPING=1".to_owned()), "{end:?}");
    assert_eq!(switch.wait().unwrap().code(), Some(0));
    // Nothing was told twice.
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut [0; 16]).is_err());
}

fn message(manager: &UnixDatagram) -> Vec<String> {
    let mut text = [0; 4096];
    let length = manager.recv(&mut text).expect("a message in time");
    let text = String::from_utf8(text[..length].to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// An abstract name belongs to the network namespace that the switch has left.
fn from_a_lab() {
    let user = User::new("manager");
    let address = SocketAddr::from_abstract_name("manager").unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = user.command("run s");
    command.env("NOTIFY_SOCKET", "@manager");
    let mut switch = Background::start(command).unwrap();
    for expected in ["READY=1\n", "STOPPING=1\n"] {
        let mut text = [0; 4096];
        let length = manager.recv(&mut text).expect("a message in time");
        let text = String::from_utf8_lossy(&text[..length]);
        assert!(text.starts_with(expected), "{text}");
        switch.signal(Signal::SIGTERM).unwrap();
    }
    assert_eq!(switch.wait().unwrap().code(), Some(0));
    user.assert_nothing_left();
}

fn gone() {
    for address in ["/run/nobody", "@nobody", "nonsense", ""] {
        let mut command = vswitch(["run", "s", "--detach"]);
        command.env("NOTIFY_SOCKET", address);
        assert!(command.status().unwrap().success(), "{address}");
        super::ok("stop s");
    }
}
