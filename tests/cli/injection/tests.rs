//! The tables, tried.

use std::ffi::c_long;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use super::isolated;
use super::sys::Puppet;
use super::table::{ALLOWED, Arg, BROKER, Call, KEEPER, REFUSED, SWITCH, Who};
use super::threads;
use crate::cli::userlab::User;
use crate::cli::{Switch, ok};

const PAGE: u64 = 4096;

pub(super) fn all() -> Vec<Trial> {
    vec![
        isolated("guard_switch_can_do_no_more_than_it_needs", switch),
        isolated("guard_broker_can_do_no_more_than_it_needs", broker),
        isolated("guard_successor_is_as_bounded", successor),
        isolated("guard_keeper_can_do_no_more_than_it_needs", keeper),
        isolated("guard_lab_switch_reaches_nothing_of_its_user", lab),
        isolated("guard_files_of_others_are_out_of_reach", files),
        isolated("guard_metrics_socket_opens_no_directory", metrics),
    ]
}

/// A stopped thread with a page of memory.
struct Prepared {
    puppet: Puppet,
    page: u64,
    process: i32,
}

impl Prepared {
    /// None where the thread has ended, or nobody may stop it.
    fn stop(process: i32, thread: i32) -> Option<Self> {
        let puppet = match Puppet::stop(process, thread) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                eprintln!("nothing was tried: a process may not be traced here: {error}");
                return None;
            }
            other => other.unwrap()?,
        };
        let page = puppet.call(libc::SYS_mmap, [0, PAGE, 3, 0x22, u64::MAX, 0]);
        let page = u64::try_from(page).unwrap();
        Some(Self {
            puppet,
            page,
            process,
        })
    }

    fn call(&self, number: c_long, arguments: &[Arg]) -> i64 {
        // Behind what the kernel may write.
        let mut room = self.page + 2048;
        let mut lay = |bytes: &[u8]| {
            let place = room;
            self.puppet.write(place, bytes);
            room += bytes.len() as u64 + 1;
            self.puppet.write(room - 1, &[0]);
            place
        };
        let mut raw = [0; 6];
        for (to, from) in raw.iter_mut().zip(arguments) {
            *to = match from {
                Arg::N(number) => *number,
                Arg::S(text) => lay(text.as_bytes()),
                Arg::B(bytes) => lay(bytes),
                Arg::Page => self.page,
                Arg::Own => self.process.cast_unsigned().into(),
            };
        }
        self.puppet.call(number, raw)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // What has failed before is told already.
        if !std::thread::panicking() {
            self.puppet
                .call(libc::SYS_munmap, [self.page, PAGE, 0, 0, 0, 0]);
        }
    }
}

/// Tries all that the tables have of these; gives how many threads there were.
fn try_all(process: i32, who: Who) -> usize {
    let mut wrong = Vec::new();
    let mut count = 0;
    for thread in threads(process) {
        let Some(prepared) = Prepared::stop(process, thread) else {
            continue;
        };
        count += 1;
        let name = fs::read_to_string(format!("/proc/{process}/task/{thread}/comm")).unwrap();
        let name = name.trim_end();
        let mut try_it = |family: &str, call: &Call, is_wrong: &dyn Fn(i64) -> bool| {
            let result = prepared.call(call.number, call.arguments);
            if is_wrong(result) {
                let (number, arguments) = (call.number, call.arguments);
                wrong.push(format!(
                    "{name}: {family}: call {number} of {arguments:?}: {result}"
                ));
            }
            result
        };
        for (family, call) in REFUSED
            .iter()
            .flat_map(|family| family.1.iter().map(move |call| (family.0, call)))
        {
            if call.who.includes(who) {
                let error = -i64::from(call.error);
                try_it(family, call, &|result| result != error);
            }
        }
        for (family, call) in ALLOWED
            .iter()
            .flat_map(|family| family.1.iter().map(move |call| (family.0, call)))
        {
            if call.who.includes(who) {
                let eperm = -i64::from(libc::EPERM);
                let result = try_it(family, call, &|result| result == eperm);
                let is_new = [libc::SYS_socket, libc::SYS_openat, libc::SYS_memfd_create];
                if is_new.contains(&call.number) && result >= 0 {
                    prepared
                        .puppet
                        .call(libc::SYS_close, [result.cast_unsigned(), 0, 0, 0, 0, 0]);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

/// The processes of the broker.
fn brokers(switch: &Switch) -> Vec<i32> {
    let told = switch.show()["guard"]["brokers"].clone();
    let numbers = told.as_array().unwrap().iter();
    let numbers: Vec<i32> = numbers
        .map(|number| i32::try_from(number.as_i64().unwrap()).unwrap())
        .collect();
    assert!(!numbers.is_empty());
    numbers
}

fn has_lists(switch: &Switch) -> bool {
    tells_of_lists(&switch.show())
}

fn lab_has_lists(user: &User) -> bool {
    tells_of_lists(&user.json("show s"))
}

fn tells_of_lists(view: &Value) -> bool {
    let layer = &view["guard"]["seccomp"];
    if layer["on"] == false {
        eprintln!("nothing was tried: {}", layer["reason"]);
    }
    layer["on"] == true
}

/// It forwards, and does as it is asked.
fn goes_on(switch: &Switch) {
    ok("ping mario luigi --count 1");
    ok("attach toad");
    ok("detach toad");
    ok("fdb add 02:00:00:00:00:09 mario-vsw");
    ok("fdb del 02:00:00:00:00:09");
    assert_eq!(switch.show()["ports"].as_array().unwrap().len(), 2);
}

fn switch() {
    let switch = Switch::start("s --subnet 10.0.0.0/24 --metrics 127.0.0.1:0");
    ok("attach mario");
    ok("attach luigi");
    if has_lists(&switch) && try_all(switch.pid(), SWITCH) > 0 {
        goes_on(&switch);
    }
    switch.stop();
}

fn broker() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    ok("attach mario");
    ok("attach luigi");
    if has_lists(&switch) {
        for broker in brokers(&switch) {
            try_all(broker, BROKER);
        }
        goes_on(&switch);
    }
    switch.stop();
}

/// Also what was started from a broker that was started from a broker; and filters do not pile up.
fn successor() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    ok("attach mario");
    ok("attach luigi");
    let filters = |switch: &Switch| {
        let count = |process: i32| {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("Seccomp_filters:"));
            line.map(|count| count.trim().parse::<u32>().unwrap())
        };
        let brokers: Vec<_> = brokers(switch).into_iter().map(count).collect();
        (count(switch.pid()), brokers)
    };
    ok("restart s");
    let once = filters(&switch);
    ok("restart s");
    ok("restart s");
    assert_eq!(
        filters(&switch),
        once,
        "filters of the switch and its broker"
    );
    if has_lists(&switch) {
        try_all(switch.pid(), SWITCH);
        for broker in brokers(&switch) {
            try_all(broker, BROKER);
        }
        goes_on(&switch);
    }
    switch.stop();
}

fn keeper() {
    let user = User::new("keeper");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    let keeper = user.keeper().unwrap().as_raw();
    // Where the switch has a list, the keeper has one.
    if lab_has_lists(&user) {
        try_all(keeper, KEEPER);
    }
    user.ok("attach luigi");
    user.ok("ping mario luigi --count 1");
    let told = user.ok("stop s");
    assert!(told.contains("lab ended"), "{told}");
    user.assert_nothing_left();
}

/// A switch of an ordinary user, who may do more outside than root of the lab: the user's processes get no
/// signal, and the user's files are not read, written, made, removed, or given another mode.
fn lab() {
    let user = User::new("reach");
    let secret = user.session.join("secret");
    fs::write(&secret, "secret").unwrap();
    let owner = fs::metadata(&user.session).unwrap();
    chown(&secret, Some(owner.uid()), Some(owner.gid())).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    let process = user.process("vswitch run s").unwrap().as_raw();
    if lab_has_lists(&user) {
        try_all(process, SWITCH);
        // The keeper is another process of the user's.
        let keeper = u64::from(user.keeper().unwrap().as_raw().cast_unsigned());
        for thread in threads(process) {
            let Some(prepared) = Prepared::stop(process, thread) else {
                continue;
            };
            let signal = [Arg::N(keeper), Arg::N(0)];
            let refused = -i64::from(libc::EPERM);
            assert_eq!(prepared.call(libc::SYS_kill, &signal), refused);
            let mode = [Arg::S("/run/user/reach/secret"), Arg::N(0o644)];
            assert_eq!(prepared.call(libc::SYS_chmod, &mode), refused);
        }
    }
    let layer = user.json("show s")["guard"]["landlock"].clone();
    if layer["on"] == true {
        refuses_files(
            process,
            ["/run/user/reach/secret", "/run/user/reach/new"],
            "/proc/self/root/run/user/reach/secret",
        );
    } else {
        eprintln!("nothing was tried: {}", layer["reason"]);
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o7777, 0o600);
    user.ok("attach luigi");
    user.ok("ping mario luigi --count 1");
    user.ok("stop s");
    user.assert_nothing_left();
}

/// Where the kernel has Landlock: nothing is read, written, made or removed outside.
fn files() {
    let secret = Path::new("/run/secret");
    fs::write(secret, "secret").unwrap();
    let switch = Switch::start("s");
    let guard = switch.show()["guard"].clone();
    if guard["landlock"]["on"] == true {
        refuses_files(
            switch.pid(),
            ["/run/secret", "/run/new"],
            "/proc/1/root/run/secret",
        );
    } else {
        eprintln!("nothing was tried: {}", guard["landlock"]["reason"]);
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    switch.stop();
}

/// A file that is there, one that is not, and another way to the first.
fn refuses_files(process: i32, [secret, new]: [&'static str; 2], around: &'static str) {
    for thread in threads(process) {
        let Some(prepared) = Prepared::stop(process, thread) else {
            continue;
        };
        let denied = -i64::from(libc::EACCES);
        let here = Arg::N(libc::AT_FDCWD.cast_unsigned().into());
        let open = |path, flags: i32| {
            let flags = Arg::N(flags.cast_unsigned().into());
            prepared.call(
                libc::SYS_openat,
                &[here, Arg::S(path), flags, Arg::N(0o600)],
            )
        };
        assert_eq!(open(secret, libc::O_RDONLY), denied);
        assert_eq!(open(secret, libc::O_WRONLY | libc::O_TRUNC), denied);
        assert_eq!(open(new, libc::O_WRONLY | libc::O_CREAT), denied);
        assert_eq!(open(around, libc::O_RDONLY), denied);
        assert_eq!(open("/proc/sys/net/core/somaxconn", libc::O_WRONLY), denied);
        let remove = [here, Arg::S(secret), Arg::N(0)];
        assert_eq!(prepared.call(libc::SYS_unlinkat, &remove), denied);
    }
}

/// Where the kernel has Landlock: what is beside or below the socket for metrics is not removed.
fn metrics() {
    let others = ["/run/beside", "/run/deep/below", "/run/metrics.sock"];
    fs::create_dir("/run/deep").unwrap();
    for other in &others[..2] {
        fs::write(other, "precious").unwrap();
    }
    let switch = Switch::start("s --metrics unix:/run/metrics.sock");
    for _ in 0..2 {
        if switch.show()["guard"]["landlock"]["on"] == false {
            eprintln!("nothing was tried without Landlock");
            break;
        }
        let process = switch.pid();
        for thread in threads(process) {
            let Some(prepared) = Prepared::stop(process, thread) else {
                continue;
            };
            let denied = -i64::from(libc::EACCES);
            for other in others {
                let path = Arg::S(other);
                assert_eq!(prepared.call(libc::SYS_unlink, &[path]), denied, "{other}");
            }
        }
        ok("restart s");
    }
    switch.stop();
    let left = others.map(|other| Path::new(other).exists());
    assert_eq!(left, [true, true, false]);
}
