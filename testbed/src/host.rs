//! One host: a network namespace with one interface, `eth0`.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use vswitch_netns::{Entered, Namespace};
use vswitch_switch::Handle;
use vswitch_switch::frame::MacAddr;

/// A host of a test bed, with the interfaces `lo` and `eth0`, both up.
///
/// It can be moved to other threads. Its namespace disappears once it and its sockets are dropped.
pub struct Host {
    pub(crate) number: u16,
    pub(crate) namespace: Namespace,
    pub(crate) switch: Handle,
}

/// Length of the IPv4 prefix.
const PREFIX_V4: u8 = 16;
/// Length of the IPv6 prefix.
const PREFIX_V6: u8 = 64;

/// The name of its interface.
pub(crate) const INTERFACE: &str = "eth0";

impl Host {
    /// Runs a closure inside the host, on a thread of its own, and returns its result.
    ///
    /// Sockets that it opens stay in the host, whichever thread uses them later. Threads and
    /// processes that it starts are in the host too.
    ///
    /// # Panics
    /// If the closure panics, or no thread can be started.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let outcome = self.namespace.run(work);
        outcome.unwrap_or_else(|error| panic!("host {}: {error}", self.number))
    }

    /// Moves the calling thread into the host until the guard is dropped.
    ///
    /// # Panics
    /// If the namespace cannot be entered.
    pub fn enter(&self) -> Entered {
        let entered = self.namespace.enter();
        entered.unwrap_or_else(|error| panic!("host {}: {error}", self.number))
    }

    /// Returns its number: 1 for the first host.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Returns its IPv4 address: 10.0.0.1 for the first host.
    #[must_use]
    pub const fn ipv4(&self) -> Ipv4Addr {
        let [high, low] = self.number.to_be_bytes();
        Ipv4Addr::new(10, 0, high, low)
    }

    /// Returns its IPv6 address: `fd00::1` for the first host.
    #[must_use]
    pub const fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, self.number)
    }

    /// Returns the MAC address of its interface: 02:00:00:00:00:01 for the first host.
    #[must_use]
    pub const fn mac(&self) -> MacAddr {
        let [high, low] = self.number.to_be_bytes();
        MacAddr([2, 0, 0, 0, high, low])
    }

    /// Returns the name of its port at the switch: `host1` for the first host.
    #[must_use]
    pub fn port(&self) -> String {
        format!("host{}", self.number)
    }

    /// Returns its network namespace.
    #[must_use]
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Returns a handle of the switch to which it is connected.
    #[must_use]
    pub const fn switch(&self) -> &Handle {
        &self.switch
    }

    pub(crate) fn networks(&self) -> [Result<IpNet, ipnet::PrefixLenError>; 2] {
        [
            Ipv4Net::new(self.ipv4(), PREFIX_V4).map(IpNet::V4),
            Ipv6Net::new(self.ipv6(), PREFIX_V6).map(IpNet::V6),
        ]
    }
}
