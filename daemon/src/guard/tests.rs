use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::kill;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;

use super::*;

/// Runs `work` in a thread with the guard on.
fn guarded<T: Send>(paths: &Paths, work: impl FnOnce(&Guard) -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| work(&Guard::raise(GuardMode::Auto, paths).unwrap()));
        thread.join().unwrap()
    })
}

fn own() -> (tempfile::TempDir, Paths) {
    let dir = crate::testing::directory().unwrap();
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    let parent = dir.path().to_owned();
    let paths = Paths { own, parent };
    (dir, paths)
}

#[test]
fn other_calls_are_refused_and_the_process_lives() {
    let (_dir, paths) = own();
    let started = || Command::new("/proc/self/exe").arg("--list").output();
    assert!(started().is_ok());
    assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
    guarded(&paths, |guard| {
        assert_eq!(guard.view.seccomp.reason, None);
        assert!(guard.view.no_new_privs);
        assert_eq!(started().unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(unshare(CloneFlags::CLONE_NEWUSER), Err(Errno::EPERM));
        let sockets = UdpSocket::bind("127.0.0.1:0").map(drop);
        assert_eq!(sockets.unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(kill(Pid::from_raw(1), None), Err(Errno::EPERM));
        // What it needs goes on.
        assert_eq!(kill(Pid::this(), None), Ok(()));
        let pair = |kind| socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC);
        pair(SockType::SeqPacket).unwrap();
        // Whoever has one of these sends to any name.
        assert_eq!(pair(SockType::Datagram).unwrap_err(), Errno::EPERM);
        let refused = [
            UnixDatagram::unbound().map(drop),
            UnixStream::connect("/run/nowhere").map(drop),
        ];
        for outcome in refused {
            assert_eq!(outcome.unwrap_err().raw_os_error(), Some(libc::EPERM));
        }
        let more = thread::spawn(|| fs::read_to_string("/proc/self/stat").is_ok());
        assert!(more.join().unwrap());
    });
}

#[test]
fn other_paths_are_refused() {
    let (dir, paths) = own();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "before").unwrap();
    let (state, parent) = (paths.own.join("state"), paths.own.clone());
    let has_landlock = guarded(&paths, |guard| {
        // One's own files, as the state is written.
        let new = state.with_extension("new");
        fs::write(&new, "1").unwrap();
        fs::rename(&new, &state).unwrap();
        fs::File::open(&parent).unwrap().sync_all().unwrap();
        if !guard.view.landlock.on {
            return false;
        }
        let refused = |outcome: std::io::Result<()>| {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::PermissionDenied);
        };
        refused(fs::read_to_string(&elsewhere).map(drop));
        refused(fs::write(&elsewhere, "after"));
        refused(fs::remove_file(&elsewhere));
        refused(fs::rename(&state, dir.path().join("stolen")));
        refused(fs::read_dir("/etc").map(drop));
        refused(fs::write("/proc/self/comm", "x"));
        true
    });
    // Without it, the same is allowed.
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "before");
    fs::write(&elsewhere, "after").unwrap();
    fs::remove_file(&elsewhere).unwrap();
    if !has_landlock {
        eprintln!("this kernel has no Landlock: nothing was tried");
    }
}

#[test]
fn every_right_but_two_is_gone() {
    let (_dir, paths) = own();
    let status = || fs::read_to_string("/proc/thread-self/status").unwrap();
    let of = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    let before = of(&status(), "CapPrm:");
    let two = 1 << 12 | 1 << 13;
    guarded(&paths, |guard| {
        assert_eq!(guard.view.capabilities_reason, None);
        let after = status();
        for set in ["CapPrm:", "CapEff:"] {
            assert_eq!(of(&after, set), before & two, "{set}");
        }
        for set in ["CapInh:", "CapAmb:"] {
            assert_eq!(of(&after, set), 0, "{set}");
        }
        // Setting it takes a right that an ordinary user does not have.
        if before & (1 << 8) != 0 {
            assert_eq!(of(&after, "CapBnd:"), two);
        }
        assert!(after.contains("NoNewPrivs:\t1"), "{after}");
        assert!(after.contains("Seccomp:\t2"), "{after}");
    });
    assert_eq!(of(&status(), "CapPrm:"), before);
}

#[test]
fn no_connection_leads_out() {
    let (_dir, paths) = own();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    assert!(TcpStream::connect(address).is_ok());
    guarded(&paths, |_| {
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        // Those that come in are taken, as metrics are asked for.
        assert!(listener.accept().is_ok());
    });
}
