//! Captures on ports in memory: which frames are copied, which find no room, how captures end.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use vswitch_switch::bridge::{DropReason, PortId, Verdict};
use vswitch_switch::capture::{
    Capture, CaptureOptions, Direction, Filter, Item, Outcome, Record, Totals,
};
use vswitch_switch::datapath::Datapath;
use vswitch_switch::port::memory::{self, Cable, MemoryOptions};
use vswitch_switch::{BridgeConfig, Switch, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(7);

struct Lab {
    datapath: Datapath,
    cables: Vec<Cable>,
}

impl Lab {
    fn new() -> Self {
        let mut lab = Self {
            datapath: Datapath::new(BridgeConfig::default()),
            cables: Vec::new(),
        };
        lab.plug("a", 1024);
        lab.plug("b", 1024);
        lab
    }

    fn plug(&mut self, name: &str, capacity: usize) {
        let options = MemoryOptions {
            capacity,
            ..MemoryOptions::default()
        };
        let (port, cable) = memory::pair(name, options).unwrap();
        self.datapath.add_port(port).unwrap();
        self.cables.push(cable);
    }

    /// Frames from the first port, handled.
    fn send(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.cables[0].send(frame).unwrap();
        }
        self.datapath.mark_ready(PortId(1));
        while self.datapath.service(NOW).is_some() {}
    }
}

fn frame(src: u8, dst: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5];
    bytes.resize(len, src);
    bytes
}

#[derive(Debug, Default)]
struct Told {
    interfaces: Vec<String>,
    frames: Vec<(Record, Vec<u8>)>,
    ended: Option<Vec<Totals>>,
}

fn read(capture: &mut Capture, told: &mut Told) {
    loop {
        match capture.read() {
            Item::Interface(interface) => told.interfaces.push(interface.name),
            Item::Frame(record, bytes) => told.frames.push((record, bytes.to_vec())),
            Item::Nothing => return,
            Item::Ended(totals) => {
                told.ended = Some(totals);
                return;
            }
        }
    }
}

#[test]
fn a_frame_is_recorded_where_it_arrives_and_where_it_leaves() {
    let mut lab = Lab::new();
    let mut capture = lab.datapath.capture(CaptureOptions::default()).unwrap();
    let mut told = Told::default();
    assert!(capture.arm(), "the ports are told at once");
    read(&mut capture, &mut told);
    assert!(!capture.arm());
    let bytes = frame(1, 9, 60);
    lab.send(std::slice::from_ref(&bytes));
    assert!(capture.arm(), "the frame is there to read");
    read(&mut capture, &mut told);
    assert_eq!(told.interfaces, ["a", "b"]);
    let [(came, first), (left, second)] = &told.frames[..] else {
        panic!("{told:?}");
    };
    assert_eq!((first, second), (&bytes, &bytes));
    assert_eq!((came.direction, came.interface), (Direction::In, 0));
    assert_eq!((left.direction, left.interface), (Direction::Out, 1));
    assert_eq!(came.decision.unwrap().verdict, Verdict::Flood);
    assert!(left.decision.is_none());
    for record in [came, left] {
        assert_eq!((record.time, record.outcome), (NOW, Outcome::Passed));
        assert_eq!((record.len, record.captured), (60, 60));
    }
}

#[test]
fn frames_without_room_are_counted_in_the_next_record() {
    let mut lab = Lab::new();
    let options = CaptureOptions {
        filter: Filter {
            direction: Some(Direction::In),
            ..Filter::default()
        },
        room_frames: 2,
        ..CaptureOptions::default()
    };
    let mut capture = lab.datapath.capture(options).unwrap();
    let mut told = Told::default();
    lab.send(&vec![frame(1, 9, 60); 5]);
    read(&mut capture, &mut told);
    assert_eq!(told.frames.len(), 2);
    lab.send(&[frame(1, 9, 60)]);
    read(&mut capture, &mut told);
    let lost: Vec<_> = told
        .frames
        .iter()
        .map(|(record, _)| record.lost_before)
        .collect();
    assert_eq!(lost, [0, 0, 3]);
    capture.stop();
    lab.send(&[frame(1, 9, 60)]);
    read(&mut capture, &mut told);
    let totals = Totals { frames: 6, lost: 3 };
    assert_eq!(told.ended, Some(vec![totals, Totals::default()]));
    assert_eq!(told.frames.len(), 3, "nothing is copied after the end");
    assert_eq!(
        lab.cables[1].drain(|_| ()),
        7,
        "and everything was forwarded"
    );
}

#[test]
fn frames_without_room_are_not_copied_in_part() {
    let mut lab = Lab::new();
    let options = CaptureOptions {
        filter: Filter {
            direction: Some(Direction::In),
            ..Filter::default()
        },
        room_bytes: 1000,
        snap_len: 400,
        ..CaptureOptions::default()
    };
    let mut capture = lab.datapath.capture(options).unwrap();
    let mut told = Told::default();
    for round in 0..7 {
        let frames: Vec<_> = (0..5)
            .map(|number| frame(round * 5 + number, 9, 450))
            .collect();
        lab.send(&frames);
        read(&mut capture, &mut told);
    }
    assert_eq!(told.frames.len(), 14, "two of each five");
    for (record, bytes) in &told.frames {
        assert_eq!((record.len, record.captured), (450, 400));
        assert!(
            bytes[14..].iter().all(|byte| *byte == bytes[11]),
            "{bytes:?}"
        );
    }
}

#[test]
fn drops_are_recorded_at_the_port_where_they_happen() {
    let mut lab = Lab::new();
    lab.plug("full", 1);
    let mut capture = lab.datapath.capture(CaptureOptions::default()).unwrap();
    let mut from_group = frame(1, 2, 60);
    from_group[6] |= 1;
    lab.send(&[
        frame(1, 9, 60),
        frame(1, 9, 60),
        from_group,
        frame(1, 1, 60),
    ]);
    let mut told = Told::default();
    read(&mut capture, &mut told);
    let at = |interface, direction| {
        let seen = told.frames.iter().filter(move |(record, _)| {
            (record.interface, record.direction) == (interface, direction)
        });
        seen.map(|(record, _)| record.outcome).collect::<Vec<_>>()
    };
    assert_eq!(
        at(0, Direction::In),
        [
            Outcome::Passed,
            Outcome::Passed,
            Outcome::Dropped(DropReason::SourceMulticast),
            Outcome::Dropped(DropReason::SamePort)
        ]
    );
    assert_eq!(at(1, Direction::Out), [Outcome::Passed; 2]);
    let full = Outcome::Dropped(DropReason::EgressFull);
    assert_eq!(at(2, Direction::Out), [Outcome::Passed, full]);
}

#[test]
fn a_port_is_announced_before_its_first_frame_and_a_reused_number_is_distinct() {
    let mut lab = Lab::new();
    let mut capture = lab.datapath.capture(CaptureOptions::default()).unwrap();
    lab.datapath.remove_port(PortId(2));
    lab.plug("c", 16);
    assert_eq!(lab.datapath.port_by_name("c"), Some(PortId(2)));
    lab.send(&[frame(1, 9, 60)]);
    let mut told = Told::default();
    read(&mut capture, &mut told);
    assert_eq!(told.interfaces, ["a", "b", "c"]);
    assert_eq!(told.frames[1].0.interface, 2);
}

#[test]
fn captures_do_not_see_each_others_filters() {
    let mut lab = Lab::new();
    let only = |port: &str| CaptureOptions {
        filter: Filter {
            ports: vec![port.to_owned()],
            ..Filter::default()
        },
        ..CaptureOptions::default()
    };
    let mut captures = ["a", "b", "none"].map(|port| lab.datapath.capture(only(port)).unwrap());
    lab.send(&[frame(1, 9, 60)]);
    let directions = captures.each_mut().map(|capture| {
        let mut told = Told::default();
        read(capture, &mut told);
        told.frames
            .iter()
            .map(|(record, _)| record.direction)
            .collect::<Vec<_>>()
    });
    assert_eq!(
        directions,
        [vec![Direction::In], vec![Direction::Out], vec![]]
    );
}

#[test]
fn a_capture_ends_with_its_switch() {
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    let (port, _cable) = memory::pair("a", MemoryOptions::default()).unwrap();
    switch.add_port(port).unwrap();
    let running = switch.spawn().unwrap();
    let handle = running.handle();
    let mut stopped = handle.capture(CaptureOptions::default()).unwrap();
    let mut left = handle.capture(CaptureOptions::default()).unwrap();
    drop(handle.capture(CaptureOptions::default()).unwrap());
    stopped.stop();
    handle.ports().unwrap(); // whatever was asked before is done
    let mut told = Told::default();
    read(&mut stopped, &mut told);
    assert_eq!(told.ended, Some(vec![Totals::default()]));
    read(&mut left, &mut Told::default());
    assert!(!left.arm());
    running.stop().unwrap();
    let mut told = Told::default();
    read(&mut left, &mut told);
    assert_eq!(told.ended, Some(vec![Totals::default()]));
}
