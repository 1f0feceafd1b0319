//! What a file holds.

use libtest_mimic::Trial;

use super::{
    IN, ONLY_OURS, OUT, Packet, await_packets, capture_to, end, frame, host, lab, ok, parse, read,
    start,
};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "capture_shows_each_frame_at_each_port_it_passes",
            everything,
        ),
        isolated("capture_says_why_a_frame_was_dropped", drops),
        isolated("capture_takes_what_the_filter_lets_through", filters),
        isolated("capture_cuts_frames_to_the_snaplen", snaplen),
        isolated("capture_describes_a_port_that_comes_later", later),
        isolated("capture_writes_live_into_a_pipe", pipe),
        isolated("capture_ends_with_the_switch", with_the_switch),
        isolated("capture_of_a_killed_switch_is_whole", killed),
    ]
}

/// What matters of packets, without their times.
fn seen(packets: &[Packet]) -> Vec<(&str, u32, Vec<u8>)> {
    packets
        .iter()
        .map(|packet| (packet.port.as_str(), packet.direction, packet.bytes.clone()))
        .collect()
}

fn everything() {
    let (_switch, mario, luigi) = lab();
    let running = capture_to("/run/f", ONLY_OURS);
    let (there, back) = (frame(1, 2, b"there"), frame(2, 1, &[7; 1500]));
    mario.send(&there).unwrap();
    await_packets("/run/f", 2);
    luigi.send(&back).unwrap();
    await_packets("/run/f", 4);
    let told = end(running);
    assert!(told.contains("4 frames captured, none lost"), "{told}");
    let told = read("/run/f");
    let described = |port: &str, namespace: &str| (port.into(), format!("namespace {namespace}"));
    assert_eq!(
        told.interfaces,
        [
            described("mario-vsw", "mario"),
            described("luigi-vsw", "luigi")
        ]
    );
    let expected = [
        ("mario-vsw", IN, there.clone()),
        ("luigi-vsw", OUT, there),
        ("luigi-vsw", IN, back.clone()),
        ("mario-vsw", OUT, back),
    ];
    assert_eq!(seen(&told.packets), expected);
    assert_eq!(told.totals, [(2, 0), (2, 0)]);
    assert!(told.packets.is_sorted_by_key(|packet| packet.nanoseconds));
    assert!(told.packets.iter().all(|packet| packet.comments.is_empty()));
    // Within a day of now: stamps are those of the clock on the wall.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let stamp = told.packets[0].nanoseconds / 1_000_000_000;
    assert!(now.abs_diff(stamp) < 86_400, "{stamp}");
}

fn drops() {
    let (_switch, mario, _luigi) = lab();
    let running = capture_to("/run/f", ONLY_OURS);
    let mut from_group = frame(1, 2, b"from a group");
    from_group[6] |= 1;
    mario.send(&from_group).unwrap();
    mario.send(&frame(1, 1, b"to itself")).unwrap();
    await_packets("/run/f", 2);
    // What is too long for luigi's port goes no further there.
    ok("detach luigi");
    ok("attach luigi --mtu 1000");
    mario.send(&frame(1, 9, &[1; 1200])).unwrap();
    await_packets("/run/f", 4);
    end(running);
    let told = read("/run/f");
    let said: Vec<_> = told
        .packets
        .iter()
        .map(|packet| {
            (
                packet.port.as_str(),
                packet.direction,
                packet.comments.join("|"),
            )
        })
        .collect();
    let dropped = |reason: &str| format!("dropped: {reason}");
    assert_eq!(
        said,
        [
            ("mario-vsw", IN, dropped("source_multicast")),
            ("mario-vsw", IN, dropped("same_port")),
            ("mario-vsw", IN, String::new()),
            ("luigi-vsw", OUT, dropped("egress_too_big")),
        ]
    );
}

fn filters() {
    let (_switch, mario, luigi) = lab();
    let lines = [
        ("/run/port", "luigi"),
        ("/run/name", "luigi-vsw"),
        ("/run/in", "--direction in"),
        ("/run/mac", "--mac 02:00:00:00:00:03"),
        ("/run/vlan", "--vlan 100"),
    ];
    let running = lines.map(|(file, line)| match line {
        "--vlan 100" => capture_to(file, line),
        line => capture_to(file, &format!("{ONLY_OURS} {line}")),
    });
    let plain = frame(1, 2, b"plain");
    let third = frame(3, 2, b"third");
    let mut tagged = frame(1, 2, b"tagged");
    tagged.splice(12..12, [0x81, 0, 0, 100]);
    for bytes in [&plain, &third, &tagged] {
        mario.send(bytes).unwrap();
    }
    let back = frame(2, 1, b"back");
    luigi.send(&back).unwrap();
    for (file, count) in [
        ("/run/port", 4),
        ("/run/name", 4),
        ("/run/in", 4),
        ("/run/mac", 2),
        ("/run/vlan", 2),
    ] {
        await_packets(file, count);
    }
    for running in running {
        end(running);
    }
    for file in ["/run/port", "/run/name"] {
        let told = read(file);
        assert_eq!(told.interfaces.len(), 1, "{file}");
        let packets = seen(&told.packets);
        assert_eq!(packets.len(), 4, "{file}");
        assert!(
            packets.contains(&("luigi-vsw", OUT, plain.clone())),
            "{file}"
        );
        assert!(packets.contains(&("luigi-vsw", IN, back.clone())), "{file}");
    }
    let told = read("/run/in").packets;
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|packet| packet.direction == IN));
    let both = |bytes: &Vec<u8>| {
        [
            ("mario-vsw", IN, bytes.clone()),
            ("luigi-vsw", OUT, bytes.clone()),
        ]
    };
    assert_eq!(seen(&read("/run/mac").packets), both(&third));
    assert_eq!(seen(&read("/run/vlan").packets), both(&tagged));
}

fn snaplen() {
    let (_switch, mario, _luigi) = lab();
    let running = capture_to(
        "/run/f",
        &format!("{ONLY_OURS} --snaplen 20 --direction in"),
    );
    let long = frame(1, 2, &[9; 1000]);
    mario.send(&long).unwrap();
    await_packets("/run/f", 1);
    end(running);
    let [packet] = &read("/run/f").packets[..] else {
        panic!("not one packet");
    };
    assert_eq!(packet.bytes, long[..20]);
    assert_eq!(packet.len, 1014);
}

fn later() {
    let (_switch, mario, _luigi) = lab();
    let running = capture_to("/run/f", &format!("{ONLY_OURS} --direction out"));
    ok("detach luigi");
    let peach = host("peach");
    mario.send(&frame(1, 2, b"flooded")).unwrap();
    assert!(
        peach
            .receive_where(PATIENCE, |bytes| bytes.ends_with(b"flooded"))
            .is_some()
    );
    await_packets("/run/f", 1);
    end(running);
    let told = read("/run/f");
    let names: Vec<_> = told
        .interfaces
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    // The number of luigi's port is used again, its block is not.
    assert_eq!(names, ["mario-vsw", "luigi-vsw", "peach-vsw"]);
    assert_eq!(told.interfaces[2].1, "namespace peach");
    assert_eq!(told.packets[0].port, "peach-vsw");
    assert_eq!(told.totals.len(), 3);
}

fn pipe() {
    let (_switch, mario, _luigi) = lab();
    let mut running = start(&format!("capture -w - --count 2 {ONLY_OURS}"));
    // Nothing tells when it has begun: until it has what it wants, there is more.
    let ended = wait_until(PATIENCE, || {
        mario.send(&frame(1, 2, b"again")).unwrap();
        running.has_ended()
    });
    let output = running.finish().unwrap();
    assert!(ended && output.status.success(), "{output:?}");
    let told = parse(&output.stdout);
    assert_eq!(told.packets.len(), 2);
    assert!(
        told.packets
            .iter()
            .all(|packet| packet.bytes.ends_with(b"again"))
    );
    assert_eq!(
        told.totals.len(),
        2,
        "the totals are there after a count, too"
    );
}

fn with_the_switch() {
    let (switch, mario, _luigi) = lab();
    let running = capture_to("/run/f", ONLY_OURS);
    mario.send(&frame(1, 2, b"last words")).unwrap();
    await_packets("/run/f", 2);
    switch.stop();
    let output = running.finish().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = read("/run/f");
    assert_eq!((told.packets.len(), told.totals.len()), (2, 2));
}

fn killed() {
    let (switch, mario, _luigi) = lab();
    let running = capture_to("/run/f", ONLY_OURS);
    mario.send(&frame(1, 2, b"last words")).unwrap();
    await_packets("/run/f", 2);
    switch.kill();
    let output = running.finish().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("'s' broke off"), "{told}");
    assert_eq!(read("/run/f").packets.len(), 2);
    // What it has left is removed by the next of its name.
    ok("run --detach s");
}
