//! The settings, the control protocol and its client: what the processes of vswitch share.
//!
//! - [`settings`]: what can be set, each setting declared once
//! - [`protocol`], [`client`]: the messages on a switch's control socket, and the side that asks
//! - [`metrics`]: where a switch serves metrics, and the socket for it
//! - [`pcapng`]: captured frames as a file or a stream
//! - [`runtime_dir`], [`lock_file`], [`names`]: where a switch is found, what it is called
//! - [`rights`], [`users`], [`limits`]: what a process may do, who it is, how much it may have
//! - [`signals`], [`stop`]: signals that end a process, as a descriptor and as a flag
//! - [`itself`], [`exit`]: the program, to be started again; its exit statuses
//! - [`local_socket`], [`ancillary`]: connecting to sockets; file descriptors in messages
//! - [`marks`]: how the switch-side ends of cables are marked
//! - [`plain`]: text from outside, made safe for terminals and logs
//! - [`units`], [`values`], [`near`], [`advice`]: numbers for people, addresses checked, the name that was
//!   meant, what to do about an error
//!
//! Knows nothing of the process of a switch, of labs, or of a command line.
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "a theory of operation names the modules that it is about"
)]
#![allow(
    clippy::must_use_candidate,
    reason = "the interface is for the program's own crates, which the compiler checks for unused results"
)]

pub mod advice;
pub mod ancillary;
pub mod client;
pub mod exit;
pub mod itself;
pub mod limits;
pub mod local_socket;
pub mod lock_file;
pub mod marks;
pub mod metrics;
pub mod names;
pub mod near;
pub mod pcapng;
pub mod plain;
pub mod protocol;
pub mod rights;
pub mod runtime_dir;
pub mod settings;
pub mod signals;
pub mod stop;
#[cfg(test)]
mod testing;
pub mod units;
pub mod users;
pub mod values;
