//! Opening, refusing, and what an interface goes through while it is a port.

use std::os::fd::AsFd;

use libtest_mimic::Trial;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vswitch_netns::{InterfaceName, LinkChange, Netlink};
use vswitch_switch::bridge::DropReason;
use vswitch_switch::port::{Counters, Frame, PacketError, PacketPort, Port, RxStatus, TxStatus};

use super::{Lab, endpoint, frame, send, take, wait_for_link};
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, isolated, program, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_what_is_no_port_is_refused", refusals),
        isolated("ports_a_second_use_is_refused_in_one_process", second_use),
        isolated(
            "ports_a_second_use_is_refused_across_processes",
            second_process,
        ),
        isolated("ports_a_link_goes_down_and_comes_back", down_and_up),
        isolated("ports_a_deleted_interface_is_gone", deleted),
        isolated("ports_a_moved_interface_is_gone", moved),
        isolated("ports_the_mtu_is_followed_through_a_renaming", mtu_and_name),
    ]
}

fn refusals() {
    let no_such = open_port("nosuch0").unwrap_err();
    assert!(
        matches!(no_such, PacketError::NoSuchInterface { .. }),
        "{no_such}"
    );
    assert!(no_such.to_string().contains("'nosuch0'"));
    let loopback = open_port("lo").unwrap_err();
    assert!(
        matches!(loopback, PacketError::Loopback { .. }),
        "{loopback}"
    );
    for name in ["", "a/b", "..", "sixteen-bytes-xx"] {
        let invalid = open_port(name).unwrap_err();
        assert!(
            matches!(invalid, PacketError::InvalidName { .. }),
            "{invalid}"
        );
    }
}

fn second_use() {
    let _lab = Lab::new(1500);
    let first = open_port("left-vsw").unwrap();
    let error = open_port("left-vsw").unwrap_err();
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(
        matches!(&error, PacketError::InUse { pid: Some(pid), .. } if *pid == own),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("'left-vsw' is already a port of this process")
    );
    let other = open_port("right-vsw").unwrap();
    assert_ne!(first.ifindex(), other.ifindex());
    drop(first);
    // A child that another test starts holds all descriptors for a moment, until its exec.
    let is_free = wait_until(PATIENCE, || open_port("left-vsw").is_ok());
    assert!(is_free);
}

fn second_process() {
    let _lab = Lab::new(1500);
    program::vswitch_ok(["run", "other", "--detach"]);
    program::vswitch_ok(["port", "add", "left-vsw"]);
    let error = open_port("left-vsw").unwrap_err();
    let PacketError::InUse { pid: Some(pid), .. } = &error else {
        panic!("{error:?}");
    };
    let text = format!("'left-vsw' is already a port of another switch (pid {pid})");
    assert!(error.to_string().contains(&text), "{error}");
    program::vswitch_ok(["stop", "other"]);
    assert!(wait_until(PATIENCE, || open_port("left-vsw").is_ok()));
}

/// Whether the descriptor tells of something.
fn is_ready(port: &PacketPort) -> bool {
    let fd = port.fd().unwrap();
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}

fn wait_for(port: &mut PacketPort, wanted: RxStatus) {
    let mut counters = Counters::default();
    let came = wait_until(PATIENCE, || take(port, &mut counters).1 == wanted);
    assert!(came, "{wanted:?} never came");
    assert_eq!(counters.drops.total(), 0);
}

fn down_and_up() {
    let mut lab = Lab::new(1500);
    let link = lab.link("left-vsw");
    let mut port = open_port("left-vsw").unwrap();
    let mut there = Netlink::open_in(&lab.left).unwrap();
    let host = endpoint(&lab.left, "eth0");
    let bytes = frame(&[], 60);
    let frames = [Frame::finished(&bytes), Frame::finished(&bytes)];

    for _ in 0..2 {
        take(&mut port, &mut Counters::default());
        lab.here.set_down(&link).unwrap();
        assert!(wait_until(PATIENCE, || is_ready(&port)), "nobody was woken");
        wait_for(&mut port, RxStatus::LinkDown);
        let (status, counters) = send(&mut port, &frames);
        assert_eq!(status, TxStatus::LinkDown);
        assert_eq!(counters.drops.get(DropReason::EgressDown), 2);
        assert_eq!(counters.tx.frames + counters.drops.total(), 2);

        lab.here.set_up(&link).unwrap();
        wait_for_link(&mut lab.here, "left-vsw");
        wait_for_link(&mut there, "eth0");
        wait_for(&mut port, RxStatus::Drained);
        let (status, counters) = send(&mut port, &frames);
        assert_eq!((status, counters.tx.frames), (TxStatus::Done, 2));
        host.send(&bytes).unwrap();
        let arrived = wait_until(PATIENCE, || {
            let (got, _) = take(&mut port, &mut Counters::default());
            got.iter().any(|frame| frame.bytes == bytes)
        });
        assert!(arrived, "deaf after it came back");
    }
}

/// Nobody may take the interface's name for the interface.
fn expect_gone(port: &mut PacketPort) {
    wait_for(port, RxStatus::LinkGone);
    let bytes = frame(&[], 60);
    let (status, counters) = send(port, &[Frame::finished(&bytes)]);
    assert_eq!(status, TxStatus::LinkGone);
    assert_eq!(counters.drops.get(DropReason::EgressDown), 1);
    wait_for(port, RxStatus::LinkGone);
}

fn deleted() {
    let mut lab = Lab::new(1500);
    let link = lab.link("left-vsw");
    let mut port = open_port("left-vsw").unwrap();
    lab.here.delete_link(&link).unwrap();
    expect_gone(&mut port);

    lab.connect("left", 3, 1500);
    expect_gone(&mut port);
    let mut again = open_port("left-vsw").unwrap();
    assert_ne!(again.ifindex(), port.ifindex());
    let bytes = frame(&[], 60);
    endpoint(&lab.left, "eth0").send(&bytes).unwrap();
    let arrived = wait_until(PATIENCE, || {
        let (got, _) = take(&mut again, &mut Counters::default());
        got.iter().any(|frame| frame.bytes == bytes)
    });
    assert!(arrived);
}

fn moved() {
    let mut lab = Lab::new(1500);
    let link = lab.link("left-vsw");
    let mut port = open_port("left-vsw").unwrap();
    let change = LinkChange::new().namespace(&lab.right);
    lab.here.change_link(&link, &change).unwrap();
    expect_gone(&mut port);
}

fn mtu_and_name() {
    let mut lab = Lab::new(1500);
    let link = lab.link("left-vsw");
    let mut port = open_port("left-vsw").unwrap();
    assert_eq!(port.mtu(), 1500);
    let name = InterfaceName::new("renamed").unwrap();
    let change = LinkChange::new().name(name).mtu_bytes(1400);
    lab.here.change_link(&link, &change).unwrap();
    port.collect_losses(&mut Counters::default());
    assert_eq!(port.mtu(), 1400);
    let bytes = frame(&[], 60);
    endpoint(&lab.left, "eth0").send(&bytes).unwrap();
    let arrived = wait_until(PATIENCE, || {
        let (got, _) = take(&mut port, &mut Counters::default());
        got.iter().any(|frame| frame.bytes == bytes)
    });
    assert!(arrived, "deaf after it was renamed");
}
