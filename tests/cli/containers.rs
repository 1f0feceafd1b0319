//! Attaching containers: what their engines say of them, and which engines are asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::sources::{Contained, state};
use super::{Switch, fails, namespaces, ok, refused, words};
use crate::harness::isolated;
use crate::harness::program::vswitch;
use crate::harness::rpc::Rpc;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_attach_container_asks_the_engine", container),
        isolated("cli_attach_container_that_is_not_there", no_container),
        isolated("cli_attach_container_that_was_replaced_meanwhile", replaced),
        isolated("cli_attach_runs_no_engine_of_a_stranger", strangers_engine),
        isolated("cli_attach_number_or_container_makes_no_namespace", meant),
    ]
}

/// A directory of commands that say what an engine says, and a `PATH` with nothing else in it.
pub(super) struct Engines {
    directory: PathBuf,
}

impl Engines {
    pub(super) fn new() -> Self {
        let directory = PathBuf::from("/run/engines");
        fs::create_dir(&directory).unwrap();
        let engines = Self { directory };
        // Whatever the umask was when this program was built, nobody else can write it.
        let own = std::env::current_exe().unwrap();
        fs::copy(own, engines.program()).unwrap();
        for path in [&engines.directory, &engines.program()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        engines
    }

    /// An engine that knows one container: a copy of this program, which reads its part from a
    /// file beside it.
    pub(super) fn install(&self, command: &str, part: &Value) {
        let program = self.directory.join(command);
        let _ = fs::remove_file(&program);
        fs::hard_link(self.program(), &program).unwrap();
        fs::write(
            self.directory.join(format!("{command}.json")),
            part.to_string(),
        )
        .unwrap();
    }

    fn program(&self) -> PathBuf {
        self.directory.join("program")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = vswitch(words(line));
        command.env("PATH", &self.directory);
        command
    }

    pub(super) fn ok(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn fails(&self, line: &str) -> String {
        refused(self.command(line), line, 1)
    }
}

fn container() {
    let switch = Switch::start("s");
    let web = Contained::start();
    let engines = Engines::new();
    engines.install(
        "docker",
        &json!({"fails": "Error response from daemon: No such container: web"}),
    );
    engines.install("podman", &json!({"name": "web", "pid": web.pid()}));
    let told = engines.ok("attach --container web --ip 10.0.0.1/24");
    assert!(told.starts_with("web is attached"), "{told}");
    assert!(web.has("web-netns"));
    assert_eq!(state(&switch, "web-vsw"), "up");
    engines.ok("detach web");
    engines.ok("attach front --container web");
    assert!(web.has("front-netns"));
    ok("detach front");
    // By the other dialect, and by an engine elsewhere.
    engines.install("podman", &json!({"name": "web", "pid": 0}));
    engines.install("lxc-info", &json!({"name": "web", "pid": web.pid()}));
    engines.ok("attach --container web");
    engines.ok("detach web");
    engines.ok("attach --container web --engine /run/engines/lxc-info");
    ok("detach web");
}

fn no_container() {
    let _switch = Switch::start("s");
    let engines = Engines::new();
    let told = engines.fails("attach --container web");
    assert!(told.contains("no container engine is in PATH"), "{told}");
    engines.install("docker", &json!({"name": "web", "pid": 0}));
    engines.install("nerdctl", &json!({"fails": "\u{1b}[31mno such thing"}));
    let told = engines.fails("attach --container web");
    assert!(
        told.contains("no container 'web' is running") && told.contains("docker says"),
        "{told}"
    );
    assert!(
        told.contains("nerdctl says (\\u{1b}[31mno such thing)"),
        "{told}"
    );
    engines.install("docker", &json!({"says": "all of it\n4711"}));
    assert!(
        engines
            .fails("attach --container web")
            .contains("is running")
    );
    assert!(
        engines
            .fails("attach --container web --engine /nothing")
            .contains("No such file")
    );
    assert_eq!(namespaces(), [""; 0]);
}

/// The process of which the engine tells ends, and its number is another's, before its namespace is opened.
fn replaced() {
    let switch = Switch::start("s");
    let (web, other) = (Contained::start(), Contained::start());
    let engines = Engines::new();
    for pids in [
        json!([other.pid(), web.pid()]),
        json!([4_000_000, web.pid()]),
        json!([other.pid(), 4_000_000, web.pid()]),
    ] {
        engines.install("docker", &json!({"name": "web", "pid": pids}));
        let told = engines.ok("attach --container web");
        assert!(told.starts_with("web is attached"), "{told}");
        assert!(web.has("web-netns") && !other.has("web-netns"));
        ok("detach web");
    }
    let endless: Vec<u32> = (0..9).map(|n| [web.pid(), other.pid()][n % 2]).collect();
    engines.install("docker", &json!({"name": "web", "pid": endless}));
    let told = engines.fails("attach --container web");
    assert!(told.contains("is being started or stopped"), "{told}");
    engines.install("docker", &json!({"name": "web", "pid": [web.pid(), 0]}));
    let told = engines.fails("attach --container web");
    assert!(told.contains("no container 'web' is running"), "{told}");
    assert!(!web.has("web-netns") && !other.has("web-netns"));
    switch.stop();
}

/// One that another user could have put into a directory of `PATH`.
fn strangers_engine() {
    let _switch = Switch::start("s");
    let web = Contained::start();
    let engines = Engines::new();
    engines.install("docker", &json!({"name": "web", "pid": web.pid()}));
    let set = |mode| {
        fs::set_permissions(&engines.directory, fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o777, 0o775] {
        set(mode);
        let told = engines.fails("attach --container web");
        assert!(told.contains("/run/engines/docker is not run"), "{told}");
        // Nor is it asked whether it has one of a name that is new.
        engines.ok("attach web");
        engines.ok("detach web");
        engines.ok("netns del web");
    }
    // Whoever names it has seen where it is.
    engines.ok("attach --container web --engine /run/engines/docker");
    engines.ok("detach web");
    set(0o755);
    engines.ok("attach --container web");
    assert!(web.has("web-netns"));
}

fn meant() {
    let switch = Switch::start("s");
    let told = fails("attach 4711", 1);
    assert!(told.contains("attach NAME --pid 4711"), "{told}");
    assert_eq!(namespaces(), [""; 0]);
    let mut rpc = Rpc::connect(&switch.socket()).unwrap();
    let told = rpc
        .call("attach", json!({"namespace": "4711"}))
        .unwrap_err();
    assert!(told.contains("netns add 4711"), "{told}");
    ok("netns add 4711");
    ok("attach 4711");
    ok("attach 4711a");

    let web = Contained::start();
    let engines = Engines::new();
    engines.install("podman", &json!({"name": "web", "pid": web.pid()}));
    let told = engines.fails("attach web");
    assert!(
        told.contains("podman has a running container") && told.contains("attach --container web"),
        "{told}"
    );
    assert_eq!(namespaces(), ["4711", "4711a"]);
    engines.install("docker", &json!({"hangs": true}));
    engines.ok("attach other");
    // Who insists makes it first; then nobody is asked.
    engines.ok("netns add web");
    engines.ok("attach web");
    assert!(!web.has("web-netns"));
}
