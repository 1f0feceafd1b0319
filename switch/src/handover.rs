//! Hands a running switch over to another process, of a newer version for example.
//!
//! # Theory of operation
//!
//! The other process starts before this one ends. First it gets the descriptors of the ports
//! ([`Handle::port_parts`]) while this one keeps forwarding, and assembles the ports. Then
//! [`Handle::stand_still`] pauses the switch's thread between two batches and takes a [`Snapshot`].
//! Frames that arrive meanwhile wait in the kernel's rings and queues. If the other process takes
//! over from there ([`Switch::go_on`]), this one ends without any cleanup; otherwise this one
//! continues as if nothing had happened.
//!
//! ```no_run
//! use vswitch_switch::handover::Then;
//! # fn send(_: &vswitch_switch::handover::Snapshot) -> bool { true }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let switch = vswitch_switch::Switch::new(Default::default())?;
//! let running = switch.spawn()?;
//! let handle = running.handle();
//! for port in handle.ports()? {
//!     let parts = handle.port_parts(port.id)?; // to be sent by SCM_RIGHTS, unix(7)
//! }
//! let taken = handle.stand_still(|snapshot| {
//!     let taken = send(snapshot);
//!     (taken, if taken { Then::End } else { Then::GoOn })
//! })?;
//! # Ok(())
//! # }
//! ```

use std::io;
use std::time::{Duration, Instant};

use crate::bridge::{Malformed, PortId, PortSettings};
use crate::control::ControlError;
#[cfg(doc)]
use crate::control::Handle;
use crate::port::{Assembled, Counters, LinkState, PortData};
use crate::switch::Switch;

/// The state of a paused switch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    /// The origin of its time on `CLOCK_MONOTONIC`, which all processes share.
    pub origin: Duration,
    /// When it was paused, on the same clock.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stood_at: Duration,
    /// Its ports.
    pub ports: Vec<PortSnapshot>,
    /// Its stations, as [`crate::bridge::Bridge::export`] returns them. Send them by other means
    /// than the rest: they may be a thousand times as large.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub stations: Vec<u8>,
}

/// A port of a paused switch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortSnapshot {
    /// Its number.
    pub id: PortId,
    /// The data of the port; `None` for a port that cannot leave this process.
    pub data: Option<PortData>,
    /// Its link.
    pub link: LinkState,
    /// Whether the link was set down from another source.
    pub is_held_down: bool,
    /// Its traffic and drops.
    pub counters: Counters,
    /// The limits that were set for this port.
    #[cfg_attr(feature = "serde", serde(default))]
    pub settings: PortSettings,
    /// The port to which it is connected outside, if it is blocked because of a loop.
    #[cfg_attr(feature = "serde", serde(default))]
    pub blocked: Option<PortId>,
    /// The VLAN tags of the frame by which that loop was found.
    #[cfg_attr(feature = "serde", serde(default))]
    pub loop_tags: Vec<u8>,
}

/// What a switch does after it was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It continues.
    GoOn,
    /// It ends: another process takes over.
    End,
}

/// Reports why a switch cannot take over.
#[derive(Debug, thiserror::Error)]
pub enum GoOnError {
    /// A port of the other process is missing.
    #[error("the port {0} is missing")]
    Missing(PortId),
    /// A port cannot be taken over.
    #[error("the port {id} cannot go on: {source}")]
    Port {
        /// Its number.
        id: PortId,
        /// Why.
        source: io::Error,
    },
    /// A port cannot be added.
    #[error(transparent)]
    AddPort(#[from] ControlError),
    /// The stations are malformed.
    #[error(transparent)]
    Stations(#[from] Malformed),
}

/// Returns the present time of `CLOCK_MONOTONIC`, which all processes share.
#[must_use]
pub fn monotonic() -> Duration {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    // Does not fail for this clock.
    clock.now().map(Duration::from).unwrap_or_default()
}

impl Switch {
    /// Takes over from a paused switch in another process, with its `ports` in the order of the
    /// snapshot's ports. The time, the counters and the stations continue. This switch must be new,
    /// without ports, and have the same configuration.
    ///
    /// It handles no frame before it runs.
    pub fn go_on(&mut self, snapshot: &Snapshot, ports: Vec<Assembled>) -> Result<(), GoOnError> {
        self.set_origin(instant_of(snapshot.origin));
        let mut ports = ports.into_iter();
        for before in &snapshot.ports {
            let id = before.id;
            let missing = || GoOnError::Missing(id);
            let (port, data) = ports.next().zip(before.data.as_ref()).ok_or_else(missing)?;
            let port = port
                .go_on(data)
                .map_err(|source| GoOnError::Port { id, source })?;
            self.go_on_with(before, port)?;
        }
        self.bridge_mut().import(&snapshot.stations)?;
        Ok(())
    }
}

/// Returns the instant that is `since_boot` after the origin of the shared clock.
fn instant_of(since_boot: Duration) -> Instant {
    let now = Instant::now();
    let ago = monotonic().saturating_sub(since_boot);
    now.checked_sub(ago).unwrap_or(now)
}
