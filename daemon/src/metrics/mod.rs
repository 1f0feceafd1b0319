//! `/metrics`: what `show` tells, for Prometheus.
//!
//! Theory of operation. One thread of its own ([`serve`]) waits for the socket ([`vswitch_control::metrics::Listener`]) and for all
//! scrapers at once ([`crowd`]), each of which is a small state machine ([`scraper`]); none is waited for.
//! What there is to tell it asks of the control loop ([`desk`]), for all together who want it at the
//! moment. So whatever scrapers do, the control loop and the switch notice one `show` after the other at
//! most. The socket is bound early, since it stays in the network namespace where it was made:
//! that of whoever starts the switch.

mod collect;
mod crowd;
mod desk;
mod exposition;
mod host;
mod http;
mod process;
mod scraper;
mod serve;

pub(crate) use serve::Endpoint;
