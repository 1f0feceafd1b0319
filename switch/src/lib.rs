//! A learning Ethernet switch.
pub mod bridge;
pub mod port;
pub mod time;
pub mod wire;

pub use time::Timestamp;
