//! Effects of one port on others, in small networks of a bridge and cables, with the time passed
//! in.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod fairness;
mod loops;
mod stations;
mod storms;

use std::time::Duration;

use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{Alarm, Bridge, BridgeConfig, DropReason, PortId, Verdict};
use vswitch_switch::frame::MacAddr;

const BROADCAST: [u8; 6] = [0xff; 6];

const fn mac(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [2, 0, a, b, c, d]
}

fn frame(dst: [u8; 6], src: [u8; 6], number: u32) -> Vec<u8> {
    let mut frame = [&dst[..], &src, &[0x88, 0xb5], &number.to_be_bytes()].concat();
    frame.resize(60, 0);
    frame
}

/// A bridge with ports from 1 on, and its time.
struct Lab {
    bridge: Bridge,
    now: Timestamp,
}

impl Lab {
    fn new(config: BridgeConfig, ports: u16) -> Self {
        let mut bridge = Bridge::with_seed(config, 1);
        for port in 1..=ports {
            assert_eq!(bridge.add_port().unwrap(), PortId(port));
        }
        Self {
            bridge,
            now: Timestamp::from_secs(100),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.bridge.handle_timeout(self.now);
    }

    fn send(&mut self, port: u16, frame: &[u8]) -> Verdict {
        self.bridge.handle(self.now, PortId(port), frame)
    }

    fn alarms(&mut self) -> Vec<Alarm> {
        std::iter::from_fn(|| self.bridge.next_alarm()).collect()
    }

    /// Returns the port of a station, according to the verdict about a frame to it.
    fn whereabouts(&self, station: [u8; 6], asked_at: u16) -> Option<u16> {
        let question = frame(station, mac(0xaaaa), 0);
        let decision = self.bridge.explain(self.now, PortId(asked_at), &question);
        match decision.verdict {
            Verdict::Forward(port) => Some(port.0),
            Verdict::Drop(DropReason::SamePort) => Some(asked_at),
            _ => None,
        }
    }
}
