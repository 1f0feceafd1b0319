//! How a switch goes on in another process: of a newer program, for instance.
//!
//! # Theory of operation
//!
//! The other process is there before this one ends. First it gets the descriptors of the ports
//! ([`Handle::port_parts`]), while this one forwards as ever, and puts the ports together. Then
//! [`Handle::stand_still`] has the switch's thread stop between two batches and tell where it has
//! stopped: a [`Snapshot`]. Frames that arrive meanwhile wait in the rings and queues of the
//! kernel. If the other process begins there ([`Switch::go_on`]), this one ends, and nothing else
//! of it is to be undone; if it does not, this one goes on as if nothing had been.
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

/// Where a switch stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    /// The origin of its time on `CLOCK_MONOTONIC`, which all processes share.
    pub origin: Duration,
    /// Since when it stands still, on the same clock.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stood_at: Duration,
    /// Its ports.
    pub ports: Vec<PortSnapshot>,
    /// Its stations, as [`crate::bridge::Bridge::export`] gives them. To be sent by other means
    /// than the rest, of which they may be a thousand times as much.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub stations: Vec<u8>,
}

/// A port of a switch that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortSnapshot {
    /// Its number.
    pub id: PortId,
    /// What there is to say of the port; `None` for one that cannot leave this process.
    pub data: Option<PortData>,
    /// Its link.
    pub link: LinkState,
    /// Whether somebody has said that the link is down, and has not said otherwise.
    pub is_held_down: bool,
    /// What it has moved and lost.
    pub counters: Counters,
    /// The bounds that were set for it alone.
    #[cfg_attr(feature = "serde", serde(default))]
    pub settings: PortSettings,
    /// The port that it is joined with outside, where it is blocked because of a loop.
    #[cfg_attr(feature = "serde", serde(default))]
    pub blocked: Option<PortId>,
    /// The VLAN tags of the frame by which that loop was found, as they stand in it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub loop_tags: Vec<u8>,
}

/// What a switch does after it stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on where it was.
    GoOn,
    /// It ends: another process goes on.
    End,
}

/// Why a switch does not go on here.
#[derive(Debug, thiserror::Error)]
pub enum GoOnError {
    /// There is no port where the other process had one.
    #[error("the port {0} is missing")]
    Missing(PortId),
    /// A port cannot go on.
    #[error("the port {id} cannot go on: {source}")]
    Port {
        /// Its number.
        id: PortId,
        /// Why.
        source: io::Error,
    },
    /// A port cannot be plugged in.
    #[error(transparent)]
    AddPort(#[from] ControlError),
    /// The stations are none.
    #[error(transparent)]
    Stations(#[from] Malformed),
}

/// The present time of the clock that all processes share, `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic() -> Duration {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    // It fails for no clock that there is.
    clock.now().map(Duration::from).unwrap_or_default()
}

impl Switch {
    /// Goes on where a switch in another process stands still, with its `ports`, each of which
    /// belongs to the snapshot's port at the same place. Its time, its counters and its stations
    /// go on. This one is new, has no ports, and is set to what that one was.
    ///
    /// It touches no frame before it runs.
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

/// The moment that is so long after the beginning of the shared clock.
fn instant_of(since_boot: Duration) -> Instant {
    let now = Instant::now();
    let ago = monotonic().saturating_sub(since_boot);
    now.checked_sub(ago).unwrap_or(now)
}
