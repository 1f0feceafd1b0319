//! Between what is measured.

use std::fmt;
use std::net::IpAddr;

use anyhow::Context;
use nix::unistd::Pid;
use vswitch_netns::Namespace;

/// One end of the path under test.
#[derive(Debug)]
pub(crate) struct End {
    /// Where the interface is.
    pub(crate) namespace: Namespace,
    /// Its name.
    pub(crate) interface: String,
    /// By which it is reached over IP; raw frames need none.
    pub(crate) address: Option<IpAddr>,
}

/// A path under test: frames are sent at `from` and counted at `to`.
#[derive(Debug)]
pub(crate) struct Path {
    /// The end that sends.
    pub(crate) from: End,
    /// The end that receives.
    pub(crate) to: End,
    /// Processes that forward between the ends (a switch's daemon), for tests that bind
    /// everything to one CPU. Empty if the kernel forwards.
    pub(crate) forwarders: Vec<Pid>,
}

impl End {
    /// Its address.
    ///
    /// # Errors
    /// Where it has none.
    pub(crate) fn need_address(&self) -> anyhow::Result<IpAddr> {
        self.address
            .with_context(|| format!("{self} has no address: give it one, or attach it with --ip"))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the interface {}", self.interface)?;
        match self.namespace.name() {
            Some(name) => write!(f, " of namespace '{name}'"),
            None => Ok(()),
        }
    }
}
