//! Attaching namespaces that have no name of their own: those of processes, of containers, behind
//! links; and what becomes of them.

use std::fs;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;

use libtest_mimic::Trial;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};
use vswitch_netns::{Namespace, Netlink};

use super::containers::Engines;
use super::{Switch, fails, json, namespaces, ok};
use crate::harness::program::Background;
use crate::harness::rpc::Rpc;
use crate::harness::stage::sleeper;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_attach_pid_plugs_in_and_comes_back", by_pid),
        isolated("cli_attach_netns_path", by_path),
        isolated("cli_attach_name_behind_a_symlink", behind_link),
        isolated("cli_attach_no_create", no_create),
        isolated("cli_attach_descriptor_over_the_socket", descriptor),
        isolated("cli_attach_process_that_ended_is_told_and_replaced", ended),
        isolated("cli_attach_name_that_moved_is_told_and_replaced", moved),
        isolated("cli_attach_leaves_a_living_container_alone", left_alone),
    ]
}

/// A process in a network namespace of its own, as a container has it.
pub(super) struct Contained {
    process: Background,
}

impl Contained {
    pub(super) fn start() -> Self {
        let namespace = Namespace::create_unnamed().unwrap();
        // Started from a thread of its own, with which it would end.
        let _inside = namespace.enter().unwrap();
        let process = Background::start(sleeper()).unwrap();
        Self { process }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pid())
    }

    pub(super) fn has(&self, interface: &str) -> bool {
        let namespace = Namespace::of_process(self.pid()).unwrap();
        let mut inside = Netlink::open_in(&namespace).unwrap();
        inside.find_link(interface).unwrap().is_some()
    }
}

pub(super) fn state(switch: &Switch, port: &str) -> Value {
    switch.port(port)["state"].clone()
}

fn warnings(switch: &Switch, port: &str) -> String {
    let view = switch.port(port);
    let warnings = view["warnings"].as_array().unwrap().iter();
    warnings.map(|w| w.as_str().unwrap()).collect()
}

fn by_pid() {
    let switch = Switch::start("s");
    let web = Contained::start();
    let told = ok(&format!("attach web --pid {} --ip 10.0.0.1/24", web.pid()));
    assert!(
        told.starts_with("web is attached to s: web-netns inside"),
        "{told}"
    );
    assert!(web.has("web-netns"));
    assert_eq!(state(&switch, "web-vsw"), "up");
    assert_eq!(switch.port("web-vsw")["namespace"], "web");
    assert_eq!(warnings(&switch, "web-vsw"), "");
    assert_eq!(namespaces(), [""; 0], "it got no name");
    let told = fails(&format!("attach web --pid {}", web.pid()), 1);
    assert!(told.contains("already attached"), "{told}");

    // The cable is still there when the switch is started again.
    switch.kill();
    let switch = Switch::start("s");
    assert!(wait_until(PATIENCE, || state(&switch, "web-vsw") == "up"));
    assert_eq!(warnings(&switch, "web-vsw"), "");
    let told = fails(&format!("attach web --pid {}", web.pid()), 1);
    assert!(told.contains("already attached"), "{told}");
    // Not a new process, which has sockets, table and counters of the old one.
    ok("restart s");
    assert_eq!(state(&switch, "web-vsw"), "up");

    ok("detach web");
    assert!(!web.has("web-netns"));
    assert_eq!(switch.port("web-vsw"), Value::Null);
    for (line, why) in [
        ("attach web --pid 4000000", "there is no process 4000000"),
        ("attach web --pid 1 --container web", ""),
        ("attach --pid 1", ""),
        ("attach web --pid 0", ""),
        ("attach web --engine docker", ""),
    ] {
        let told = fails(line, if why.is_empty() { 2 } else { 1 });
        assert!(told.contains(why), "{line}: {told}");
    }
    // Another namespace has the name already.
    ok("netns add db");
    let told = fails(&format!("attach db --pid {}", web.pid()), 1);
    assert!(told.contains("another network namespace"), "{told}");
    assert!(!web.has("db-netns"));
}

fn by_path() {
    let switch = Switch::start("s");
    let web = Contained::start();
    ok(&format!("attach web --netns {}", web.path()));
    assert!(web.has("web-netns"));
    ok("detach web");
    // Elsewhere than under /run/netns, as container engines have them.
    fs::create_dir("/run/engine").unwrap();
    let elsewhere = Path::new("/run/engine/cni-1");
    symlink(web.path(), elsewhere).unwrap();
    ok("attach web --netns /run/engine/cni-1");
    assert!(web.has("web-netns"));
    assert_eq!(state(&switch, "web-vsw"), "up");
    assert_eq!(warnings(&switch, "web-vsw"), "");
    for (path, why) in [
        ("/run/engine/none", "No such file"),
        ("/run/engine", "network namespace"),
        ("/proc/self/ns/mnt", "network namespace"),
    ] {
        let told = fails(&format!("attach x --netns {path}"), 1);
        assert!(told.contains(why), "{path}: {told}");
    }
}

fn link_to(name: &str, target: &str) {
    fs::create_dir_all("/run/netns").unwrap();
    let path = Path::new("/run/netns").join(name);
    let _ = fs::remove_file(&path);
    symlink(target, path).unwrap();
}

/// `ln -s /proc/PID/ns/net /run/netns/db`
fn behind_link() {
    let switch = Switch::start("s");
    let db = Contained::start();
    link_to("db", &db.path());
    let told = ok("attach db --ip 10.0.0.1/24");
    assert!(told.starts_with("db is attached"), "{told}");
    assert!(db.has("db-netns"));
    assert_eq!(state(&switch, "db-vsw"), "up");
    assert_eq!(warnings(&switch, "db-vsw"), "");
    assert!(fails("attach db", 1).contains("already attached"));
    ok("detach db");
    // Nothing that leads nowhere is made into a namespace.
    drop(db);
    for line in ["attach db", "attach db --no-create"] {
        let told = fails(line, 1);
        assert!(told.contains("leads nowhere any more"), "{told}");
    }
    let list = json("netns list");
    assert_eq!(list[0]["name"], "db");
    assert_eq!(list[0]["stale"], true);
    ok("netns del db");
    assert_eq!(namespaces(), [""; 0]);
}

fn no_create() {
    let _switch = Switch::start("s");
    let told = fails("attach mario --no-create", 1);
    assert!(
        told.contains("there is no network namespace mario"),
        "{told}"
    );
    assert_eq!(namespaces(), [""; 0]);
    ok("netns add mario");
    ok("attach mario --no-create");
}

/// Sends a request with descriptors and gives the reply.
fn passed(
    switch: &Switch,
    params: &Value,
    descriptors: &[BorrowedFd<'_>],
) -> Result<Value, String> {
    let stream = UnixStream::connect(switch.socket()).unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "attach", "params": params});
    let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    sendmsg::<()>(
        stream.as_raw_fd(),
        &[IoSlice::new(format!("{call}\n").as_bytes())],
        &[ControlMessage::ScmRights(&raw)],
        MsgFlags::empty(),
        None,
    )
    .unwrap();
    Rpc::on(stream).read_reply("attach")
}

fn descriptor() {
    let switch = Switch::start("s");
    let mut rpc = Rpc::connect(&switch.socket()).unwrap();
    for (params, why) in [
        (json!({"namespace": "web", "pid": 1}), "pass its descriptor"),
        (
            json!({"namespace": "web", "path": "/proc/1/ns/net"}),
            "pass its descriptor",
        ),
        (
            json!({"namespace": "web", "descriptor": true}),
            "no descriptor came along",
        ),
    ] {
        let told = rpc.call("attach", params).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    let web = Namespace::create_unnamed().unwrap();
    let file = fs::File::open("/proc/self/status").unwrap();
    let mounts = fs::File::open("/proc/self/ns/mnt").unwrap();
    let params = json!({"namespace": "web", "descriptor": true});
    for (name, other) in [("file", &file), ("mounts", &mounts)] {
        let told = passed(&switch, &params, &[other.as_fd()]).unwrap_err();
        assert!(
            told.contains("not one of a network namespace"),
            "{name}: {told}"
        );
    }
    // More than one is too many; what is not asked for is not taken.
    let told = passed(&switch, &params, &[file.as_fd(), web.as_fd()]).unwrap_err();
    assert!(told.contains("not one of a network namespace"), "{told}");
    let told = passed(
        &switch,
        &json!({"namespace": "peach", "create": false}),
        &[web.as_fd()],
    );
    assert!(told.unwrap_err().contains("no network namespace peach"));
    let attached = passed(&switch, &params, &[web.as_fd()]).unwrap();
    assert_eq!(attached["peer"], "web-netns");
    assert_eq!(state(&switch, "web-vsw"), "up");
    // The switch keeps none of them.
    let fds = format!("/proc/{}/fd", switch.pid());
    let held = || {
        let entries = fs::read_dir(&fds).unwrap().flatten();
        let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        let held = targets.filter(|to| to.to_string_lossy().starts_with("net:["));
        held.count()
    };
    assert!(wait_until(PATIENCE, || held() == 0), "{}", held());
}

fn ended() {
    let switch = Switch::start("s");
    let engines = Engines::new();
    let mut web = Contained::start();
    engines.install("podman", &json!({"name": "web", "pid": web.pid()}));
    engines.ok("attach --container web --ip 10.0.0.1/24");
    // Something keeps its namespace alive: a process that it has left, say.
    let kept = Namespace::of_process(web.pid()).unwrap();
    web.process
        .signal(nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    web.process.wait().unwrap();
    assert_eq!(state(&switch, "web-vsw"), "up");
    let told = warnings(&switch, "web-vsw");
    assert!(
        told.contains("of the container web, whose namespace is attached, has ended")
            && told.contains("'vswitch attach --container web' replaces this port"),
        "{told}"
    );
    assert!(ok("show s").contains("has ended"));
    let doctor = json("doctor");
    assert!(doctor.to_string().contains("has ended"), "{doctor}");
    switch.kill();
    let switch = Switch::start("s");
    assert!(wait_until(PATIENCE, || warnings(&switch, "web-vsw")
        .contains("has ended")));

    web = Contained::start();
    engines.install("podman", &json!({"name": "web", "pid": web.pid()}));
    engines.ok("attach --container web --ip 10.0.0.1/24");
    assert!(web.has("web-netns"));
    assert_eq!(state(&switch, "web-vsw"), "up");
    assert_eq!(warnings(&switch, "web-vsw"), "");
    let mut inside = Netlink::open_in(&kept).unwrap();
    assert!(inside.find_link("web-netns").unwrap().is_none());
    drop(inside);
    // Nothing keeps it: the port is absent, and can be taken out by its name.
    drop(web);
    assert!(wait_until(PATIENCE, || state(&switch, "web-vsw") == "absent"));
    assert!(warnings(&switch, "web-vsw").contains("has ended"));
    ok("detach web");
    assert_eq!(switch.port("web-vsw"), Value::Null);
}

fn moved() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    let kept = Namespace::open("mario").unwrap();
    ok("netns del mario");
    let told = warnings(&switch, "mario-vsw");
    assert!(told.contains("the attached one is still in use"), "{told}");
    ok("netns add mario");
    let told = warnings(&switch, "mario-vsw");
    assert!(told.contains("now belongs to another namespace"), "{told}");
    ok("attach mario --ip 10.0.0.1/24");
    assert_eq!(warnings(&switch, "mario-vsw"), "");
    drop(kept);

    // A link to another process.
    let one = Contained::start();
    link_to("db", &one.path());
    ok("attach db");
    let two = Contained::start();
    link_to("db", &two.path());
    let told = warnings(&switch, "db-vsw");
    assert!(told.contains("now belongs to another namespace"), "{told}");
    ok("attach db");
    assert!(two.has("db-netns") && !one.has("db-netns"));
    assert_eq!(warnings(&switch, "db-vsw"), "");
    let entry = Path::new("/run/netns/db");
    fs::remove_file(entry).unwrap();
    assert!(warnings(&switch, "db-vsw").contains("there is no namespace named db any more"));
}

/// A name that is typed without thinking of the container.
fn left_alone() {
    let switch = Switch::start("s");
    let web = Contained::start();
    ok(&format!("attach web --pid {}", web.pid()));
    let told = fails("attach web", 1);
    assert!(told.contains("already attached"), "{told}");
    let another = Contained::start();
    let told = fails(&format!("attach web --pid {}", another.pid()), 1);
    assert!(told.contains("already attached"), "{told}");
    assert!(web.has("web-netns"));
    assert_eq!(state(&switch, "web-vsw"), "up");
    assert_eq!(namespaces(), [""; 0], "what was made is taken back");
}
