//! Cables that somebody has made by hand: what they carry, and what is told of what they lose.

use std::net::TcpListener;
use std::thread;

use libtest_mimic::Trial;
use serde_json::Value;
use vswitch_netns::{DuplicateDetection, InterfaceName, Namespace, Netlink, VethEnd};

use super::{Switch, fails, json, ok};
use crate::harness::devices::{self, Vxlan};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated, transfer, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_vxlan_inside_cables_made_by_hand_is_carried", vxlan),
        isolated(
            "cli_frames_too_long_for_the_port_are_told_as_such",
            too_long_for_the_port,
        ),
        isolated(
            "cli_frames_too_long_for_the_peer_are_told_as_such",
            too_long_for_the_peer,
        ),
        isolated("cli_frames_that_a_filter_drops_are_told_as_such", filtered),
        isolated("cli_ring_slots_are_shown_and_kept", ring_slots),
        isolated("cli_stacked_tags_at_full_size", stacked_tags),
    ]
}

/// A namespace with an `eth0` that has 10.0.0.N, whose other end is `NAME` here.
fn host(name: &str, number: u8, [here_mtu, inside_mtu]: [u32; 2]) -> Namespace {
    let namespace = Namespace::create(name).unwrap();
    let end = |name: &str, mtu| VethEnd::new(InterfaceName::new(name).unwrap()).mtu_bytes(mtu);
    Netlink::open()
        .unwrap()
        .create_veth(
            &end(name, here_mtu),
            &end("eth0", inside_mtu).mac(mac(number)),
            Some(&namespace),
        )
        .unwrap();
    give(&namespace, "eth0", &format!("10.0.0.{number}/24"));
    namespace
}

fn give(host: &Namespace, interface: &str, address: &str) {
    let mut inside = Netlink::open_in(host).unwrap();
    let link = inside.link(interface).unwrap();
    inside.set_up(&link).unwrap();
    let address = address.parse().unwrap();
    inside
        .add_address(&link, address, DuplicateDetection::Skip)
        .unwrap();
}

const fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

/// A switch with two cables, whose ends here and inside have these MTUs.
fn lab(mtus: [[u32; 2]; 2]) -> (Switch, [Namespace; 2]) {
    let switch = Switch::start("s");
    let hosts = [host("h1", 1, mtus[0]), host("h2", 2, mtus[1])];
    for name in ["h1", "h2"] {
        ok(&format!("port add {name} --switch s"));
        assert!(wait_until(PATIENCE, || switch.port(name)["state"] == "up"));
    }
    (switch, hosts)
}

fn drops(switch: &Switch, port: &str, reason: &str) -> u64 {
    switch.port(port)["drops"][reason].as_u64().unwrap_or(0)
}

fn vxlan() {
    let (switch, hosts) = lab([[1500; 2]; 2]);
    for (host, number) in hosts.iter().zip([1, 2]) {
        let tunnel = Vxlan {
            remote: [10, 0, 0, 3 - number].into(),
            checksum: false,
        };
        host.run(|| devices::vxlan("vx0", &tunnel))
            .unwrap()
            .unwrap();
        give(host, "vx0", &format!("172.31.0.{number}/24"));
    }
    let address = "172.31.0.2:5001".parse().unwrap();
    let listener = hosts[1]
        .run(|| TcpListener::bind(address))
        .unwrap()
        .unwrap();
    let receiver = thread::spawn(move || transfer::tcp_receive(&listener).unwrap());
    let sent = hosts[0]
        .run(|| transfer::tcp_send(address, 32_000_000))
        .unwrap()
        .unwrap();
    assert_eq!(receiver.join().unwrap(), sent);
    // Super-frames, not segments, came in; none was refused for what it is.
    let received = switch.port("h1")["rx"]["frames"].as_u64().unwrap();
    assert!(received < 15_000, "{received}");
    for port in ["h1", "h2"] {
        let drops = switch.port(port)["drops"].clone();
        for reason in ["egress_no_memory", "egress_offload", "egress_too_big"] {
            assert_eq!(drops[reason], Value::Null, "{drops}");
        }
    }
}

/// A frame of that length to the other host.
fn frame(from: u8, to: u8, len: usize) -> Vec<u8> {
    let mut bytes = [&mac(to)[..], &mac(from), &[0x88, 0xb5]].concat();
    bytes.resize(len, 0x5a);
    bytes
}

fn wire(host: &Namespace) -> Endpoint {
    host.run(|| Endpoint::open("eth0")).unwrap().unwrap()
}

/// Sends a frame again and again until the switch counts it for `reason`.
fn until_counted(switch: &Switch, wire: &Endpoint, frame: &[u8], [port, reason]: [&str; 2]) {
    let counted = wait_until(PATIENCE, || {
        let _ = wire.send(frame);
        drops(switch, port, reason) > 0
    });
    assert!(counted, "{}", switch.port(port));
}

fn too_long_for_the_port() {
    let (switch, hosts) = lab([[1500, 9000], [1500; 2]]);
    until_counted(
        &switch,
        &wire(&hosts[0]),
        &frame(1, 2, 9014),
        ["h1", "rx_too_long"],
    );
    let port = switch.port("h1");
    assert_eq!(port["mtu"], 1500);
    assert_eq!(port["peer_mtu"], 9000);
    let warning = port["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("1500") && warning.contains("9000"),
        "{warning}"
    );
    assert_eq!(switch.port("h2")["warnings"], Value::Array(Vec::new()));
    let told = ok("show s");
    for part in [
        "1500, peer 9000",
        "rx_too_long",
        "vswitch link set h1 mtu 9000",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("netdev_max_backlog"), "{told}");

    // What is told to do helps.
    ok("link set h1 mtu 9000");
    ok("link set h2 mtu 9000");
    assert_eq!(switch.port("h1")["warnings"], Value::Array(Vec::new()));
}

fn too_long_for_the_peer() {
    let (switch, hosts) = lab([[9000; 2], [9000, 1500]]);
    let narrow = wire(&hosts[1]);
    until_counted(
        &switch,
        &wire(&hosts[0]),
        &frame(1, 2, 9014),
        ["h2", "egress_peer_mtu"],
    );
    assert_eq!(drops(&switch, "h2", "egress_full"), 0);
    // The longest that still gets through.
    let longest = frame(1, 2, 1518);
    let wide = wire(&hosts[0]);
    let came = wait_until(PATIENCE, || {
        let _ = wide.send(&longest);
        let wanted = |bytes: &[u8]| bytes.len() == longest.len();
        narrow
            .receive_where(std::time::Duration::from_millis(50), wanted)
            .is_some()
    });
    assert!(came, "{}", switch.port("h2"));

    // It is noticed when the other end changes while the switch runs.
    let mut inside = Netlink::open_in(&hosts[1]).unwrap();
    let link = inside.link("eth0").unwrap();
    let wider = vswitch_netns::LinkChange::new().mtu_bytes(4000);
    inside.change_link(&link, &wider).unwrap();
    assert_eq!(switch.port("h2")["peer_mtu"], 4000);
}

fn filtered() {
    let (switch, hosts) = lab([[1500; 2]; 2]);
    devices::drop_at_egress("h2").unwrap();
    until_counted(
        &switch,
        &wire(&hosts[0]),
        &frame(1, 2, 60),
        ["h2", "egress_filtered"],
    );
    assert_eq!(drops(&switch, "h2", "egress_full"), 0);
    assert!(ok("show s").contains("queueing discipline or filter"));
}

/// A full-sized frame behind those tags, of which each has an identifier of its own.
fn tagged(tpids: &[u16]) -> Vec<u8> {
    let mut bytes = [&mac(2)[..], &mac(1)].concat();
    for (tpid, tci) in tpids.iter().zip(0x0064_u16..) {
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend([0x88, 0xb5]);
    bytes.resize(1514 + 4 * tpids.len(), 0x5a);
    bytes
}

/// Whether the kernel has what takes a tag out of a frame.
fn has_tag_action() -> bool {
    let mut here = Netlink::open().unwrap();
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let near = here
        .create_veth(&end("try"), &end("try-peer"), None)
        .unwrap();
    let _quiet = here.quiet(&near).unwrap();
    let outcome = here.set_tags_aside(&near);
    here.delete_link(&near).unwrap();
    outcome.is_ok()
}

/// The cables that `attach` makes have room for two tags behind frames as long as the MTU inside allows,
/// as far as the kernel can send them.
fn stacked_tags() {
    const S: u16 = 0x88a8;
    const C: u16 = 0x8100;
    let has_tag_action = has_tag_action();
    let switch = Switch::start("s");
    ok("attach mario --mtu 9000 --mac 02:00:00:00:00:01");
    ok("attach luigi --mac 02:00:00:00:00:02");
    let open = |name: &str| Namespace::open(name).unwrap();
    let mut inside = Netlink::open_in(&open("luigi")).unwrap();
    assert_eq!(inside.link("luigi-netns").unwrap().mtu_bytes, 1500);
    assert_eq!(switch.port("luigi-vsw")["mtu"], 1500);
    assert_eq!(switch.port("luigi-vsw")["peer_mtu"], 1500);
    let wire = |name: &str| {
        let interface = format!("{name}-netns");
        open(name)
            .run(|| Endpoint::open(&interface))
            .unwrap()
            .unwrap()
    };
    let (mario, luigi) = (wire("mario"), wire("luigi"));
    for tags in [&[C][..], &[S], &[S, C], &[C, C], &[S, S], &[C, S]] {
        let sent = tagged(tags);
        if tags.len() == 2 && !has_tag_action {
            let before = drops(&switch, "luigi-vsw", "egress_too_big");
            let is_counted = || drops(&switch, "luigi-vsw", "egress_too_big") > before;
            let counted = wait_until(PATIENCE, || {
                mario.send_patiently(&sent).unwrap();
                is_counted()
            });
            assert!(counted, "{tags:04x?}: {}", switch.port("luigi-vsw"));
            continue;
        }
        let came = wait_until(PATIENCE, || {
            mario.send_patiently(&sent).unwrap();
            let wanted = |bytes: &[u8]| bytes == sent;
            let patience = std::time::Duration::from_millis(100);
            luigi.receive_where(patience, wanted).is_some()
        });
        assert!(came, "{tags:04x?}: {}", switch.port("luigi-vsw"));
    }
    // Three are more than there is room for.
    until_counted(
        &switch,
        &mario,
        &tagged(&[S, C, C]),
        ["luigi-vsw", "egress_too_big"],
    );
    assert_eq!(drops(&switch, "luigi-vsw", "egress_full"), 0);
    assert_eq!(
        switch.port("luigi-vsw")["warnings"],
        Value::Array(Vec::new())
    );
}

fn ring_slots() {
    let switch = Switch::start("s --ring-slots 300");
    assert_eq!(switch.show()["ring_slots"], 300);
    ok("attach mario");
    assert!(ok("show s").contains("300 slots"));
    ok("restart s");
    assert_eq!(switch.show()["ring_slots"], 300);
    switch.kill();
    ok("run s --detach");
    assert_eq!(switch.show()["ring_slots"], 300);
    switch.stop();
    let switch = Switch::start("s");
    assert_eq!(switch.show()["ring_slots"], Value::Null);
    switch.stop();
    for wrong in ["127", "65537", "many"] {
        fails(&format!("run t --detach --ring-slots {wrong}"), 2);
    }
    assert_eq!(json("list"), Value::Array(Vec::new()));
}
