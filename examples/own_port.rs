//! A port of your own: frames in UDP datagrams, here between two switches of one process.
//!
//! ```text
//! mario ── switch A ── UdpPort ~ 127.0.0.1 ~ UdpPort ── switch B ── luigi
//! ```
//!
//! Run it with `cargo run --example own_port`; it needs no rights.

use std::error::Error;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use vswitch_switch::bridge::DropReason;
use vswitch_switch::port::memory::{self, Cable, MemoryOptions};
use vswitch_switch::port::{
    Arena, Batch, Counters, Frame, Port, RxStatus, Selection, TxReport, TxStatus,
};
use vswitch_switch::{BridgeConfig, Running, Switch};

/// A port that carries each frame in a datagram of its own.
struct UdpPort {
    name: String,
    /// Connected to the other side, and non-blocking: no call of a port may block.
    socket: UdpSocket,
}

impl Port for UdpPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> &'static str {
        "udp"
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn mtu(&self) -> usize {
        1500
    }

    // takes_offloads() is false unless said otherwise: the switch then finishes checksums and
    // cuts super-frames before it calls transmit().

    fn receive<'a>(
        &'a mut self,
        arena: &'a mut Arena,
        batch: &mut Batch<'a>,
        counters: &mut Counters,
    ) -> RxStatus {
        for buffer in arena.buffers().take(batch.remaining_capacity()) {
            match self.socket.recv(buffer) {
                Ok(length) => batch.push(Frame::finished(&buffer[..length])),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    // Only now may the switch wait for the descriptor again.
                    return RxStatus::Drained;
                }
                // The other side is not there yet, for instance: that says UDP on a later call.
                Err(_) => counters.drops.add(DropReason::RxError, 1),
            }
        }
        RxStatus::More
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        for frame in frames.iter() {
            match self.socket.send(frame.bytes) {
                Ok(length) => report.sent(1, length),
                Err(_) => report.dropped(DropReason::EgressError, 1),
            }
        }
        TxStatus::Done
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (left, right) = (
        UdpSocket::bind("127.0.0.1:0")?,
        UdpSocket::bind("127.0.0.1:0")?,
    );
    left.connect(right.local_addr()?)?;
    right.connect(left.local_addr()?)?;

    let (switch_a, mario) = switch_with_host("mario", left)?;
    let (switch_b, luigi) = switch_with_host("luigi", right)?;

    mario.send(b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x88\xb5is anybody there?")?;
    let heard = luigi.recv_timeout(Duration::from_secs(60));
    let heard = heard.ok_or("nothing came through the tunnel")?;
    println!(
        "luigi heard: {}",
        String::from_utf8_lossy(&heard.bytes[14..])
    );

    for running in [switch_a, switch_b] {
        for port in running.handle().ports()? {
            let (rx, tx) = (port.counters.rx.frames, port.counters.tx.frames);
            println!("{:>8} ({}): {rx} in, {tx} out", port.name, port.driver);
        }
        running.stop()?;
    }
    Ok(())
}

fn switch_with_host(host: &str, uplink: UdpSocket) -> Result<(Running, Cable), Box<dyn Error>> {
    uplink.set_nonblocking(true)?;
    let mut switch = Switch::new(BridgeConfig::default())?;
    let (port, cable) = memory::pair(host, MemoryOptions::default())?;
    switch.add_port(port)?;
    switch.add_port(UdpPort {
        name: "uplink".to_owned(),
        socket: uplink,
    })?;
    Ok((switch.spawn()?, cable))
}
