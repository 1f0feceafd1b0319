//! Who reaches whom: echo requests between all of many namespaces.
//!
//! # Theory of operation
//!
//! One thread does it all: each station has one raw socket for each address family, opened in its
//! namespace once, and all of them wait in one poll. A number of requests, bounded, is under way
//! at any time. Work is taken up by *pairs of stations*, both directions at once, because the two
//! resolve each other's address then: all namespaces of a machine share the room for neighbours
//! (`net.ipv4.neigh.default.gc_thresh3`, 1024), and a hundred stations that all know each other
//! would need ten times that. So where there are many, both forget each other again when their
//! pair is done. And each of them would ask all others who the other one is: that is proven with
//! a few, and the rest are told.

mod engine;
mod pairs;
mod station;

use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;

pub(crate) use engine::{Plan, run};
pub(crate) use station::Station;

/// What one station's requests to one address of another came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The index of the station that asked.
    pub(crate) from: usize,
    /// The index of the one that was asked.
    pub(crate) to: usize,
    /// The address.
    pub(crate) address: IpAddr,
    /// How it went.
    pub(crate) outcome: Outcome,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered, after this time.
    Reached(Duration),
    /// It did not answer.
    Silent,
    /// There is no way there.
    NotSent(Errno),
}

impl Finding {
    /// Whether the address answered.
    pub(crate) fn reached(&self) -> bool {
        matches!(self.outcome, Outcome::Reached(_))
    }
}
