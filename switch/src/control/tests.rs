use super::*;
use crate::Switch;
use crate::port::VacantPort;
use crate::port::memory::{self, MemoryOptions};

#[test]
fn a_stopped_switch_reports_it_and_no_caller_waits() {
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    let handle = switch.handle();
    let asker = std::thread::spawn(move || {
        handle.stop();
        handle.stop();
        handle.ports().map(|ports| ports.len())
    });
    switch.run().unwrap();
    let answer = asker.join().unwrap();
    assert!(matches!(answer, Err(ControlError::Stopped)), "{answer:?}");
    drop(switch); // it existed all the time
}

#[test]
fn a_port_held_down_keeps_frames_that_arrive_before_it_is_up_again() {
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    let (a, a_cable) = memory::pair("a", MemoryOptions::default()).unwrap();
    let (b, b_cable) = memory::pair("b", MemoryOptions::default()).unwrap();
    let a = switch.add_port(a).unwrap();
    switch.add_port(b).unwrap();
    let running = switch.spawn().unwrap();
    let handle = running.handle();
    let frame = |last| [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5, last]].concat();

    handle.set_link(a, LinkState::Down).unwrap();
    handle.ports().unwrap(); // after this round, earlier frames have been dropped
    a_cable.send(&frame(1)).unwrap();
    assert_eq!(handle.ports().unwrap()[0].link, LinkState::Down);
    assert_eq!(b_cable.try_recv(), None);
    handle.set_link(a, LinkState::Up).unwrap();
    let arrived = b_cable.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_eq!(arrived.bytes, frame(1));

    handle.set_link(a, LinkState::Absent).unwrap();
    handle.set_link(a, LinkState::Up).unwrap();
    assert_eq!(handle.ports().unwrap()[0].link, LinkState::Absent);
    running.stop().unwrap();
}

#[test]
fn a_port_comes_back_as_it_was() {
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    let (b, b_cable) = memory::pair("b", MemoryOptions::default()).unwrap();
    let vacant = VacantPort::new("a".to_owned(), 1500);
    let a = PortId(7);
    switch.add_port_at(a, vacant, LinkState::Absent).unwrap();
    switch.add_port(b).unwrap();
    let running = switch.spawn().unwrap();
    let handle = running.handle();
    let station = MacAddr([2, 0, 0, 0, 0, 1]);
    handle.add_static(VlanId::NONE, station, "a").unwrap();
    let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &[0x88, 0xb5]].concat();
    b_cable.send(&frame).unwrap();
    while handle.ports().unwrap()[0].counters.rx.frames == 0 {}

    let (again, a_cable) = memory::pair("a", MemoryOptions::default()).unwrap();
    let before = handle.replace_port(again, LinkState::Up).unwrap();
    assert_eq!(before.driver(), "none");
    b_cable.send(&frame).unwrap();
    let arrived = a_cable.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_eq!(arrived.bytes, frame);
    assert_eq!(a_cable.try_recv(), None, "what came before is lost");
    let ports = handle.ports().unwrap();
    assert_eq!((ports[1].id, ports[1].link), (a, LinkState::Up));
    assert_eq!(ports[1].counters.tx.frames, 1);
    let (other, _) = memory::pair("c", MemoryOptions::default()).unwrap();
    let refused = handle.replace_port(other, LinkState::Up);
    assert!(matches!(refused, Err(ControlError::NoSuchPort(_))));
    running.stop().unwrap();
}

#[test]
fn a_port_is_named_by_its_number_or_its_name() {
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    let (a, _a_cable) = memory::pair("a", MemoryOptions::default()).unwrap();
    let id = switch.add_port(a).unwrap();
    let (b, _b_cable) = memory::pair("b", MemoryOptions::default()).unwrap();
    let boxed: Box<dyn Port> = b.into();
    switch.add_port(boxed).unwrap();
    let running = switch.spawn().unwrap();
    let handle = running.handle();

    let station = MacAddr([2, 0, 0, 0, 0, 1]);
    for port in [PortRef::from(id), "a".into(), String::from("a").into()] {
        assert_eq!(handle.port(port.clone()).unwrap().name, "a");
        handle.set_link(port.clone(), LinkState::Down).unwrap();
        assert_eq!(handle.port("a").unwrap().link, LinkState::Down);
        handle.set_link(port.clone(), LinkState::Up).unwrap();
        handle
            .set_port(port.clone(), PortSettings::default())
            .unwrap();
        handle
            .add_static(VlanId::NONE, station, port.clone())
            .unwrap();
        handle.remove_station(station, None).unwrap();
        assert_eq!(handle.flush_port(port.clone()).unwrap(), 0);
        assert!(!handle.unblock(port).unwrap());
    }
    assert_eq!(handle.flush().unwrap(), 0);

    // Every method reports a port that is not there, and none of them acts.
    let missing = |error: ControlError, text: &str| {
        assert_eq!(error.to_string(), format!("the switch has no port {text}"));
    };
    missing(handle.port("c").unwrap_err(), "'c'");
    missing(handle.set_link(PortId(9), LinkState::Up).unwrap_err(), "9");
    missing(handle.set_peer_mtu("c", Some(9000)).unwrap_err(), "'c'");
    missing(handle.set_tags_aside("c", None).unwrap_err(), "'c'");
    missing(handle.flush_port(PortId(9)).unwrap_err(), "9");
    missing(
        handle.explain("c", vec![0; 14], Offload::NONE).unwrap_err(),
        "'c'",
    );
    missing(handle.remove_port("c").err().unwrap(), "'c'");
    assert_eq!(handle.remove_port(id).unwrap().name(), "a");
    missing(handle.remove_port("a").err().unwrap(), "'a'");
    running.stop().unwrap();
}
