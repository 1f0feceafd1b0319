//! What strangers put where commands look: in a directory in which anybody may make entries, as in `/tmp`.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use libtest_mimic::Trial;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use socket2::{Domain, SockAddr, Socket, Type};

use super::sys::can_be_nobody;
use super::{Switch, fails, namespaces, ok};
use crate::harness::isolated;
use crate::harness::program::run_vswitch;

/// Somebody who is neither root nor the user of the tests.
const STRANGER: u32 = 4711;
const SHARED: &str = "/run/shared";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("runtime_dir_is_sheltered_no_further_than_its_path", shelter),
        isolated("runtime_dir_of_all_users_has_own_switches", beside),
        isolated("runtime_dir_with_the_record_of_a_stranger", record),
        isolated("sockets_without_room_hold_no_command_up", full),
    ]
}

fn make(path: &str, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Makes a directory of a stranger; whether there are any.
fn make_theirs(path: &str) -> bool {
    make(path, 0o755);
    if !can_be_nobody() {
        eprintln!("there is nobody else here: nothing was tried");
        return false;
    }
    chown(path, Some(STRANGER), None).unwrap();
    true
}

/// A path that leads through a directory which nobody else may enter, and out of it again.
fn shelter() {
    make("/run/mine", 0o700);
    make("/run/open", 0o777);
    make("/run/open/runtime", 0o755);
    symlink("../open/runtime", "/run/mine/link").unwrap();
    for way in ["open/runtime", "mine/../open/runtime", "mine/link"] {
        for line in ["list", "run s --detach"] {
            let told = fails(&format!("{line} --runtime-dir /run/{way}"), 1);
            assert!(told.contains("chmod go-w /run/open"), "{way}: {told}");
        }
    }
    fs::set_permissions("/run/open", Permissions::from_mode(0o755)).unwrap();
    ok("list --runtime-dir /run/mine/link");
    // What is below it is of no use to others.
    make("/run/mine/open", 0o777);
    make("/run/mine/open/runtime", 0o755);
    ok("list --runtime-dir /run/mine/open/../open/runtime");
}

/// The only switch of ours need not be named because a stranger has a directory beside its own.
fn beside() {
    make(SHARED, 0o1777);
    if !make_theirs("/run/shared/another") {
        return;
    }
    let told = fails("show --runtime-dir /run/shared", 1);
    assert!(told.contains("/run/shared/another belongs to"), "{told}");
    ok("run s --detach --runtime-dir /run/shared");
    let told = ok("show --runtime-dir /run/shared");
    assert!(told.contains("running for"), "{told}");
    ok("stop s --runtime-dir /run/shared");
}

/// The record of a lab that somebody else has written is not read, let alone believed.
fn record() {
    make(SHARED, 0o1777);
    ok("netns add victim");
    let lab = "[switch.s]\n[host.mario]\nswitch = \"s\"\n";
    fs::write("/run/lab.toml", lab).unwrap();
    if !make_theirs("/run/shared/.labs") {
        return;
    }
    make("/run/shared/.labs/lab", 0o755);
    let journal = Path::new("/run/shared/.labs/lab/journal");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim();
    let lines = format!(
        "{{\"lab\":{{\"file\":\"/x.toml\",\"boot\":\"{boot}\"}}}}\n\
         {{\"making\":{{\"key\":{{\"kind\":\"host\",\"host\":\"victim\"}},\"spec\":{{\"as\":\"plain\"}},\
         \"proof\":\"none\"}}}}\n"
    );
    fs::write(journal, lines).unwrap();
    let lines = [
        "status",
        "status lab",
        "down",
        "down lab",
        "diff /run/lab.toml",
        "up /run/lab.toml",
    ];
    let refused = || {
        for line in lines {
            // That of diff(1) for trouble.
            let status = if line.starts_with("diff") { 2 } else { 1 };
            let told = fails(&format!("{line} --runtime-dir /run/shared"), status);
            assert!(
                told.contains("/run/shared/.labs belongs to user 4711"),
                "{line}: {told}"
            );
        }
    };
    refused();
    // One that would have been waited for.
    fs::remove_file(journal).unwrap();
    mkfifo(journal, Mode::from_bits_truncate(0o666)).unwrap();
    refused();
    assert_eq!(namespaces(), ["victim"]);
    fs::remove_dir_all("/run/shared/.labs").unwrap();
    ok("up /run/lab.toml --runtime-dir /run/shared");
    ok("down lab --runtime-dir /run/shared");
    assert_eq!(namespaces(), ["victim"]);
}

/// A socket at `path` on which nobody accepts, and which takes no further connection; with what fills it.
fn full_socket(path: &str) -> (Socket, Vec<Socket>) {
    let address = SockAddr::unix(path).unwrap();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        match client.connect(&address) {
            Ok(()) => waiting.push(client),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return (listener, waiting);
            }
        }
    }
}

/// Commands connect to sockets that anybody may have made: none waits there for ever.
fn full() {
    // Of a process that looks like a switch.
    make("/run/other", 0o755);
    ok("run s --detach --runtime-dir /run/other");
    fs::rename("/run/other/s", "/run/other/moved").unwrap();
    make("/run/other/s", 0o755);
    let _full = full_socket("/run/other/s/control.sock");
    let report = run_vswitch(["doctor", "--json"]);
    assert!(!report.stdout.is_empty(), "{report:?}");
    // In the place of a switch.
    let told = fails("show s --runtime-dir /run/other", 1);
    assert!(
        told.contains("has no room for another connection"),
        "{told}"
    );
    // Where metrics are to be.
    let line = "run m --detach --metrics unix:/run/other/s/control.sock";
    let told = fails(line, 1);
    assert!(told.contains("another process uses this address"), "{told}");
    // The switch is found again, and ends.
    fs::remove_dir_all("/run/other/s").unwrap();
    fs::rename("/run/other/moved", "/run/other/s").unwrap();
    ok("stop s --runtime-dir /run/other");
    let switch = Switch::start("s");
    switch.stop();
}
