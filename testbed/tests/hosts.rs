//! Tests as an embedder writes them, and the guarantees of the test bed.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps an error fails with it, which is what is wanted"
)]

use std::any::Any;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use caps::{CapSet, Capability};
use vswitch_netns::{Namespace, Netlink};
use vswitch_testbed::{TestBed, run, run_async};

#[test]
fn mario_greets_luigi_over_tcp() {
    run(|[mario, luigi]| -> Result<(), Box<dyn Error>> {
        let listener = luigi.run(|| TcpListener::bind((luigi.ipv4(), 7000)))?;
        mario
            .run(|| TcpStream::connect((luigi.ipv4(), 7000)))?
            .write_all(b"it's-a me")?;
        let mut received = String::new();
        listener.accept()?.0.read_to_string(&mut received)?;
        assert_eq!(received, "it's-a me");
        Ok(())
    });
}

#[tokio::test]
async fn mario_greets_luigi_over_tokio() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;

    run_async(async |[mario, luigi]| -> std::io::Result<()> {
        let socket = luigi.run(TcpSocket::new_v6)?;
        socket.bind((luigi.ipv6(), 7000).into())?;
        let listener = socket.listen(1)?;
        let socket = mario.run(TcpSocket::new_v6)?;
        let mut stream = socket.connect((luigi.ipv6(), 7000).into()).await?;
        stream.write_all(b"it's-a me").await?;
        drop(stream);
        let mut received = String::new();
        listener
            .accept()
            .await?
            .0
            .read_to_string(&mut received)
            .await?;
        assert_eq!(received, "it's-a me");
        Ok(())
    })
    .await;
}

/// Eight tests in parallel with the same addresses and names: none receives traffic of another.
macro_rules! side_by_side {
    ($($name:ident: $number:literal),*) => {$(
        #[test]
        fn $name() {
            run(|[mario, luigi, peach]| {
                let receiver = luigi.run(|| UdpSocket::bind((luigi.ipv4(), 7000))).unwrap();
                for sender in [mario, peach] {
                    let socket = sender.run(|| UdpSocket::bind((sender.ipv4(), 7000))).unwrap();
                    socket.send_to(&[$number, 1], (luigi.ipv4(), 7000)).unwrap();
                    let mut received = [0; 8];
                    let (length, from) = receiver.recv_from(&mut received).unwrap();
                    assert_eq!(received[..length], [$number, 1]);
                    assert_eq!(from.ip(), sender.ipv4());
                }
            });
        }
    )*};
}
side_by_side!(side_1: 1, side_2: 2, side_3: 3, side_4: 4, side_5: 5, side_6: 6, side_7: 7, side_8: 8);

#[test]
fn hosts_and_their_ports_are_as_they_say() {
    TestBed::new().mtu_bytes(9000).run(|[mario, luigi]| {
        let ports = mario.switch().ports().unwrap();
        let named: Vec<_> = ports
            .iter()
            .map(|port| (&*port.name, port.mtu_bytes))
            .collect();
        assert_eq!(named, [("host1", 9000), ("host2", 9000)]);
        for host in [&mario, &luigi] {
            let mut netlink = Netlink::open_in(host.namespace()).unwrap();
            let link = netlink.link("eth0").unwrap();
            assert_eq!((link.mtu_bytes, link.mac), (9000, Some(host.mac().0)));
            let addresses = netlink.addresses(Some(&link)).unwrap();
            for address in [IpAddr::V4(host.ipv4()), IpAddr::V6(host.ipv6())] {
                assert!(
                    addresses.iter().any(|a| a.net.addr() == address),
                    "{addresses:?}"
                );
            }
            // The guard also works on the closure's own thread, and ends when it is dropped.
            let outside = Namespace::current().unwrap();
            let guard = host.enter();
            assert_eq!(Namespace::current().unwrap(), *host.namespace());
            drop(guard);
            assert_eq!(Namespace::current().unwrap(), outside);
        }
        // A host outlives the closure's thread, and its loopback works.
        let listener = luigi.run(|| TcpListener::bind("127.0.0.1:7000")).unwrap();
        let client = thread::spawn(move || luigi.run(|| TcpStream::connect("127.0.0.1:7000")));
        drop((client.join().unwrap().unwrap(), listener.accept().unwrap()));
    });
}

#[test]
fn nothing_is_left_after_a_panic() {
    // Runs in this process if it has the capabilities, else in the child of the outer closure.
    run(|[_unused]| {
        let (give, take) = mpsc::channel();
        let broken = catch_unwind(AssertUnwindSafe(|| {
            run(|[mario, luigi]| {
                let socket = mario.run(|| UdpSocket::bind((mario.ipv4(), 7000))).unwrap();
                let switch = luigi.switch().clone();
                give.send((luigi.namespace().try_clone().unwrap(), switch))
                    .unwrap();
                drop(socket);
                panic!("the princess is in another castle");
            });
        }));
        let message = text_of(broken.unwrap_err().as_ref());
        assert_eq!(message, "the princess is in another castle");
        let (luigi, switch) = take.recv().unwrap();
        assert!(switch.ports().is_err(), "the switch has ended");
        // This handle keeps the namespace, but the veth pair is gone with the switch's end.
        let mut inside = Netlink::open_in(&luigi).unwrap();
        while inside.find_link("eth0").unwrap().is_some() {
            thread::yield_now();
        }
    });
}

#[test]
fn a_test_that_returns_an_error_fails() {
    run(|[_unused]| {
        let failed = catch_unwind(|| run(|[_mario]| Err::<(), _>("no castle")));
        let message = text_of(failed.unwrap_err().as_ref());
        assert_eq!(message, "the test returned an error");
    });
}

/// Returns the message of a panic.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap()
}

/// Reports whether this process was started for one test.
fn is_started() -> bool {
    std::env::var_os("VSWITCH_TESTBED_PARENT").is_some()
}

/// Drops the capabilities that a test bed needs, as far as the calling thread has them.
fn give_up_rights() {
    for capability in [
        Capability::CAP_SYS_ADMIN,
        Capability::CAP_NET_ADMIN,
        Capability::CAP_NET_RAW,
    ] {
        caps::drop(None, CapSet::Effective, capability).unwrap();
        caps::drop(None, CapSet::Permitted, capability).unwrap();
    }
}

/// Runs `test` without capabilities on a thread of that name. Returns the panic message, and
/// whether the closure was called in this process.
fn without_rights(name: &str) -> (Option<String>, bool) {
    let was_called = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        let work = || {
            give_up_rights();
            run(|[_mario, _luigi]| was_called.store(true, Ordering::Relaxed));
        };
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn_scoped(scope, work).unwrap().join()
    });
    let message = outcome.err().map(|panic| text_of(panic.as_ref()));
    (message, was_called.into_inner())
}

#[test]
fn without_rights_a_test_runs_in_a_process_of_its_own() {
    assert_eq!(without_rights("mario_greets_luigi_over_tcp"), (None, false));
    assert_eq!(
        without_rights("mario_greets_luigi_over_tokio"),
        (None, false)
    );
}

#[test]
fn without_rights_a_test_that_fails_fails() {
    let (message, was_called) = without_rights("fails_elsewhere");
    let message = message.unwrap();
    assert!(
        message.starts_with("the test failed in namespaces of its own"),
        "{message}"
    );
    assert!(!was_called);
}

#[test]
fn fails_elsewhere() {
    if is_started() {
        run(|[_mario]| panic!("the princess is in another castle"));
    }
}

#[test]
fn without_rights_a_test_that_is_not_found_fails() {
    let (message, _) = without_rights("no_test_has_this_name");
    let message = message.unwrap();
    assert!(
        message.contains("has no test 'no_test_has_this_name'"),
        "{message}"
    );
    let (message, _) = without_rights("main");
    assert!(message.is_none_or(|message| message.contains("enter_user_namespace")));
}

#[test]
fn without_rights_processes_left_behind_do_not_hold_the_test_up() {
    assert_eq!(without_rights("leaves_a_process_behind"), (None, false));
}

#[test]
fn leaves_a_process_behind() {
    if !is_started() {
        return;
    }
    run(|[mario]| {
        // This program again, with this process's output; it runs until its standard input ends.
        let mut command = Command::new("/proc/self/exe");
        command.args(["waits_for_its_input_to_end", "--exact", "--nocapture"]);
        let child = mario.run(|| command.stdin(Stdio::piped()).spawn()).unwrap();
        std::mem::forget(child);
    });
}

#[test]
fn waits_for_its_input_to_end() {
    if is_started() {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
}
