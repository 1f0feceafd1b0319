//! `/metrics`: what `show` tells, for Prometheus.
//!
//! Theory of operation. A few threads of their own accept on one socket ([`Listener`]) and answer
//! ([`serve`]); for each scrape they ask the daemon over its control socket, as any other client
//! does. So whatever a scraper does, the control loop and the switch notice one more `show` at
//! most. The socket is bound early, since it stays in the network namespace where it was made:
//! that of whoever starts the switch.

mod address;
mod collect;
mod exposition;
mod http;
mod listener;
mod process;
mod serve;

pub(crate) use address::Address;
pub(crate) use listener::{Listener, MetricsError};
pub(crate) use serve::Endpoint;
