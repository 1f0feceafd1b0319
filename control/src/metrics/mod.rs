//! Where a switch serves metrics: the address, and the socket, which is bound before the switch starts.
//!
//! The socket stays in the network namespace where it was bound: that of the process that starts the
//! switch. What answers on it is part of the switch's process.

mod address;
mod file;
mod listener;

pub use address::Address;
pub use file::{Remove, SocketFile};
pub use listener::{Listener, MetricsError};
