//! Steps of a bridge and their generator.
//!
//! Few addresses, few ports, small tables and time steps around the ageing time, so that stations
//! collide, move, age out and are evicted all the time.

use std::time::Duration;

use proptest::prelude::*;
use vswitch_switch::bridge::{PortLimits, PortSettings, VlanLearning};

use crate::model::PROBES;

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A frame arrives on a port that may or may not exist.
    Frame(u16, Vec<u8>),
    /// Time passes.
    Pass(Duration),
    /// The timeouts are handled.
    Timeout,
    AddPort,
    RemovePort(u16),
    Forwarding(u16, bool),
    AddStatic(u16, [u8; 6], u16),
    RemoveStation([u8; 6], Option<u16>),
    Flush(Option<u16>),
    Ageing(Duration),
    MaxStations(usize),
    ForwardReserved(bool),
    VlanLearning(VlanLearning),
    PortLimits(PortLimits),
    PortSettings(u16, PortSettings),
}

/// The ageing time at the beginning; a tick of it is one second.
pub(crate) const AGEING: Duration = Duration::from_secs(256);

const VLANS: [u16; 4] = [0, 1, 2, 4095];

fn station() -> impl Strategy<Value = [u8; 6]> {
    (1..=8_u8).prop_map(|last| [2, 0, 0, 0, 0, last])
}

fn address() -> impl Strategy<Value = [u8; 6]> {
    prop_oneof![
        20 => station(),
        2 => Just([0xff; 6]),
        1 => Just([0x01, 0, 0x5e, 0, 0, 1]),
        1 => Just(PROBES),
        1 => Just([0; 6]),
        1 => (0..=16_u8).prop_map(|last| [0x01, 0x80, 0xc2, 0, 0, last]),
    ]
}

fn vlan() -> impl Strategy<Value = u16> {
    prop::sample::select(&VLANS)
}

/// The bytes after the addresses: a tag of either kind with any priority, or none.
fn behind() -> impl Strategy<Value = Vec<u8>> {
    let tag = (
        prop_oneof![Just(0x8100_u16), Just(0x88a8)],
        vlan(),
        0..16_u16,
    );
    prop_oneof![
        3 => Just(vec![8, 0, 1, 2, 3]),
        2 => tag.prop_map(|(tpid, vlan, priority)| {
            let tci = priority << 12 | vlan;
            [&tpid.to_be_bytes()[..], &tci.to_be_bytes(), &[8, 0, 1]].concat()
        }),
    ]
}

/// A frame, sometimes truncated.
pub(crate) fn frame() -> impl Strategy<Value = Vec<u8>> {
    let whole = (address(), address(), behind())
        .prop_map(|(dst, src, behind)| [&dst[..], &src, &behind].concat());
    let cut = prop_oneof![20 => Just(usize::MAX), 1 => 0..18_usize];
    (whole, cut).prop_map(|(mut frame, len)| {
        frame.truncate(len);
        frame
    })
}

/// A port number, sometimes of no port.
pub(crate) fn port() -> impl Strategy<Value = u16> {
    prop_oneof![20 => 1..=4_u16, 1 => Just(0), 1 => Just(5), 1 => Just(u16::MAX)]
}

fn step() -> impl Strategy<Value = Duration> {
    prop::sample::select(vec![
        Duration::from_nanos(1),
        Duration::from_millis(400),
        Duration::from_secs(1),
        Duration::from_secs(10),
        AGEING.saturating_sub(Duration::from_secs(1)),
        AGEING,
        Duration::from_secs(257),
    ])
}

fn ageing() -> impl Strategy<Value = Duration> {
    prop::sample::select(vec![
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_secs(10),
        AGEING,
        Duration::from_secs(600),
        Duration::MAX,
    ])
}

/// Limits so low that they are reached: on stations, and on each kind of flooded frames.
fn limits() -> impl Strategy<Value = PortLimits> {
    let rate = || prop::sample::select(vec![0_u32, 1, 2, 7, 20_000]);
    (0..4_u32, rate(), rate(), rate()).prop_map(|(max_stations, broadcast, multicast, unknown)| {
        PortLimits {
            max_stations,
            broadcast,
            multicast,
            unknown_unicast: unknown,
        }
    })
}

fn learning() -> impl Strategy<Value = VlanLearning> {
    prop::sample::select(vec![VlanLearning::Shared, VlanLearning::Independent])
}

fn settings() -> impl Strategy<Value = PortSettings> {
    (limits(), any::<[bool; 4]>()).prop_map(|(limits, set)| PortSettings {
        max_stations: set[0].then_some(limits.max_stations),
        broadcast: set[1].then_some(limits.broadcast),
        multicast: set[2].then_some(limits.multicast),
        unknown_unicast: set[3].then_some(limits.unknown_unicast),
    })
}

/// Any step, mostly frames.
pub(crate) fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        40 => (port(), frame()).prop_map(|(port, frame)| Action::Frame(port, frame)),
        8 => step().prop_map(Action::Pass),
        4 => Just(Action::Timeout),
        1 => Just(Action::AddPort),
        1 => port().prop_map(Action::RemovePort),
        2 => (port(), any::<bool>()).prop_map(|(port, on)| Action::Forwarding(port, on)),
        2 => (vlan(), address(), port()).prop_map(|(v, mac, port)| Action::AddStatic(v, mac, port)),
        1 => (address(), prop::option::of(vlan()))
            .prop_map(|(mac, vlan)| Action::RemoveStation(mac, vlan)),
        1 => prop::option::of(port()).prop_map(Action::Flush),
        1 => ageing().prop_map(Action::Ageing),
        1 => (0..10_usize).prop_map(Action::MaxStations),
        1 => any::<bool>().prop_map(Action::ForwardReserved),
        1 => learning().prop_map(Action::VlanLearning),
        1 => limits().prop_map(Action::PortLimits),
        1 => (port(), settings()).prop_map(|(port, set)| Action::PortSettings(port, set)),
    ]
}
