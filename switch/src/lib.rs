//! A learning Ethernet switch, to embed in a program or in a test.
//!
//! ```toml
//! [dependencies]
//! vswitch-switch = "0.1"
//! ```
//!
//! ```
//! use std::error::Error;
//! use std::time::Duration;
//!
//! use vswitch_switch::port::memory::{self, MemoryOptions};
//! use vswitch_switch::{BridgeConfig, Switch};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let mut switch = Switch::new(BridgeConfig::default())?;
//!     let (port, mario) = memory::pair("mario", MemoryOptions::default())?;
//!     switch.add_port(port)?;
//!     let (port, luigi) = memory::pair("luigi", MemoryOptions::default())?;
//!     switch.add_port(port)?;
//!     let running = switch.spawn()?;
//!
//!     mario.send(b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5it's-a me")?;
//!     let frame = luigi.recv_timeout(Duration::from_secs(60)).ok_or("nothing came")?;
//!     assert!(frame.bytes.ends_with(b"it's-a me"));
//!
//!     for port in running.handle().ports()? {
//!         println!("{}: {:?}", port.name, port.counters);
//!     }
//!     running.stop()?;
//!     Ok(())
//! }
//! ```
//!
//! # Map
//!
//! A frame goes down this list and up again:
//!
//! - [`switch`]: the poll loop; a [`Switch`] runs on a thread of its own or is stepped by hand
//! - `poller`: which ports may have frames, found by their descriptors or, under load, by a timer
//! - [`control`]: the [`Handle`] by which other threads control the switch
//! - [`handover`]: handing a switch over to another process
//! - `events`: events for subscribers, which never delay the switch
//! - [`port`]: where frames enter and leave: packet sockets, TAP devices, memory, or your own
//! - [`datapath`]: batches from ready ports, through the bridge, to other ports
//! - [`capture`]: copies of passing frames for a reader
//! - [`bridge`]: the pure core: learning, looking up, a [`bridge::Verdict`] for each frame
//! - [`frame`]: the vocabulary of all of them: addresses, headers, batches, drop reasons, counters,
//!   time
//! - [`threads`]: starting threads when memory may be short
//! - [`descriptors`]: which descriptors the kernel closes first when the process is killed

pub mod bridge;
pub mod capture;
pub mod control;
pub mod datapath;
pub mod descriptors;
mod events;
pub mod frame;
pub mod handover;
mod poller;
pub mod port;
pub mod switch;
#[allow(unsafe_code)] // a scheduling class, a mapping and a number, by the bare system calls
mod sys;
pub mod threads;
#[doc(hidden)]
pub mod trial;

pub use bridge::BridgeConfig;
pub use control::Handle;
pub use frame::{PortId, Timestamp};
pub use port::{Port, PortRef};
pub use switch::{Running, Switch, SwitchError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
