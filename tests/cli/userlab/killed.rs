//! What is left of a lab when something of it is killed, and what becomes of that.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::json;

use super::user::{LAB, User, assert_traffic};
use crate::cli::{Surroundings, sys};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_userlab_outlives_its_keeper", keeper_killed),
        isolated("cli_userlab_outlives_a_killed_switch", switch_killed),
        isolated("cli_userlab_ends_with_a_switch_of_others", busy),
        isolated("cli_userlab_begins_anew_when_all_was_killed", all_killed),
        isolated("cli_userlab_that_was_killed_is_taken_down", record_left),
        isolated("cli_userlab_ends_with_its_directory", session_ended),
        isolated("cli_userlab_switch_ends_with_its_directory", one_removed),
    ]
}

fn keeper_killed() {
    let user = User::new("keeper");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    let first = user.keeper().unwrap();
    User::kill(first);
    assert_eq!(user.names(), ["mario"], "found through the switch");
    let second = user.keeper().unwrap();
    assert_ne!(first, second);
    user.ok("attach luigi");
    assert_traffic(&user, "mario", "luigi");
    User::kill(second);
    user.ok("run t --detach");
    assert_eq!(user.names(), ["luigi", "mario"]);
    user.ok("stop s");
    assert_eq!(user.names(), ["luigi", "mario"]);
    assert!(user.ok("stop t").contains("luigi, mario"));
    user.assert_nothing_left();

    // Without a living switch nothing is left to be found.
    user.ok("netns add mario");
    User::kill(user.keeper().unwrap());
    user.ok("netns add luigi");
    assert_eq!(user.names(), ["luigi"]);
    user.ok("netns del luigi");
    user.assert_nothing_left();
}

fn switch_killed() {
    let user = User::new("killed");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    User::kill(user.process("vswitch run s").unwrap());
    assert_eq!(user.names(), ["mario"], "as it is for root");
    assert!(user.fails("show s").contains("was killed"));
    // With all that it had.
    user.ok("run s --detach");
    user.ok("attach luigi");
    assert_traffic(&user, "mario", "luigi");
    user.ok("stop s");
    user.assert_nothing_left();
}

/// A switch that came and went while another command was at work was the lab's all the same.
fn busy() {
    let user = User::new("busy");
    user.ok("netns add mario");
    let socket = user.dir().join(".lab/keeper.sock");
    let guest = std::thread::spawn(move || {
        if sys::can_be_nobody() {
            // The keeper lets its own user in alone.
            sys::become_user(sys::NOBODY);
        }
        UnixStream::connect(socket).unwrap()
    });
    let guest = guest.join().unwrap();
    user.ok("run s --detach");
    user.ok("attach mario");
    user.ok("stop s");
    assert_eq!(user.names(), ["mario"], "somebody is still at work");
    drop(guest);
    user.assert_nothing_left();
}

fn all_killed() {
    let user = User::new("all");
    let before = Surroundings::now();
    user.ok("run s --detach");
    user.ok("run t --detach");
    user.ok("attach mario --switch s");
    for (pid, _) in user.processes() {
        User::kill(pid);
    }
    assert!(user.fails("show s").contains("was killed"));
    assert_eq!(user.json("list"), json!([]));
    user.ok("run s --detach");
    assert!(
        user.names().is_empty(),
        "the namespaces went with their processes"
    );
    assert!(!user.dir().join("t").exists(), "what was left is cleared");
    user.ok("attach mario");
    assert_eq!(user.json("show s")["ports"][0]["state"], "up");
    user.ok("stop s");
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
}

/// `down` removes the record of what has gone with its processes.
fn record_left() {
    let user = User::new("record");
    let file = user.file("x.toml", LAB);
    let before = Surroundings::now();
    assert!(user.ok(&format!("down {file}")).contains("not up"));
    user.assert_nothing_left();
    user.ok(&format!("up {file}"));
    for (pid, _) in user.processes() {
        User::kill(pid);
    }
    let status = user.command("status").output().unwrap();
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    assert!(user.ok("down").contains("is down"));
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
}

/// The end of a session empties `XDG_RUNTIME_DIR`.
fn session_ended() {
    let user = User::new("session");
    for times in 0..2 {
        let before = Surroundings::now();
        user.ok("run s --detach");
        user.ok("run t --detach");
        user.ok("attach mario --switch s");
        let brokers = user.json("show s")["guard"]["brokers"].clone();
        let brokers: Vec<i32> = serde_json::from_value(brokers).unwrap();
        assert_eq!(brokers.len(), 2);
        fs::remove_dir_all(user.dir()).unwrap();
        user.assert_nothing_left();
        let gone = || {
            brokers
                .iter()
                .all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        };
        assert!(wait_until(PATIENCE, gone), "{times}");
        assert_eq!(Surroundings::now(), before);
    }
    // Without a switch too.
    user.ok("netns add mario");
    fs::remove_dir_all(user.dir()).unwrap();
    user.assert_nothing_left();
}

/// What is left of the lab goes on.
fn one_removed() {
    let user = User::new("one");
    user.ok("run s --detach");
    user.ok("run t --detach");
    user.ok("attach mario --switch t");
    fs::remove_dir_all(user.dir().join("s")).unwrap();
    let one_left = || user.process("vswitch run s").is_none();
    assert!(wait_until(PATIENCE, one_left), "{:?}", user.processes());
    assert_eq!(user.json("list").as_array().unwrap().len(), 1);
    assert_eq!(user.names(), ["mario"]);
    // Moved away and back is not removed.
    let (here, there) = (user.dir().join("t"), user.session.join("away"));
    fs::rename(&here, &there).unwrap();
    fs::rename(&there, &here).unwrap();
    // The keeper's own directory: its lab is found through the switch, and ends with it.
    let first = user.keeper().unwrap();
    fs::remove_dir_all(user.dir().join(".lab")).unwrap();
    assert_eq!(user.names(), ["mario"]);
    let second = || user.process_ids("vswitch keeper");
    assert!(wait_until(PATIENCE, || second()
        .iter()
        .any(|pid| *pid != first)));
    user.ok("stop t");
    user.assert_nothing_left();
}
