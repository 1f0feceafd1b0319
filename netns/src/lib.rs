//! Linux network namespaces, veth pairs, addresses and routes, by system calls and netlink alone:
//! no shell, no `ip`, no external program.
//!
//! ```toml
//! [dependencies]
//! vswitch-netns = "0.1"
//! ```
//!
//! ```no_run
//! use std::error::Error;
//! use std::net::UdpSocket;
//!
//! use vswitch_netns::{DuplicateDetection, InterfaceName, Namespace, Netlink, VethEnd};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     // Two namespaces without names, which end with the program.
//!     let (mario, luigi) = (Namespace::create_unnamed()?, Namespace::create_unnamed()?);
//!     let end = || InterfaceName::new("eth0").map(VethEnd::new);
//!     Netlink::open_in(&mario)?.create_veth(&end()?, &end()?, Some(&luigi))?;
//!     for (namespace, address) in [(&mario, "10.0.0.1/24"), (&luigi, "10.0.0.2/24")] {
//!         let mut netlink = Netlink::open_in(namespace)?;
//!         let link = netlink.link("eth0")?;
//!         netlink.set_up(&link)?;
//!         netlink.add_address(&link, address.parse()?, DuplicateDetection::Skip)?;
//!     }
//!
//!     // A socket stays in the namespace where it was opened.
//!     let receiver = luigi.run(|| UdpSocket::bind("10.0.0.2:7000"))??;
//!     let sender = mario.run(|| UdpSocket::bind("10.0.0.1:0"))??;
//!     sender.send_to(b"it's-a me", "10.0.0.2:7000")?;
//!     let mut heard = [0; 64];
//!     let (length, _) = receiver.recv_from(&mut heard)?;
//!     assert_eq!(&heard[..length], b"it's-a me");
//!     Ok(())
//! }
//! ```
//!
//! A named namespace is an entry under `/run/netns`, the same that `ip netns` makes and sees. The
//! rights that are needed are root's, or those of an ordinary user in a user namespace: see
//! [`userns`].
//!
//! # The modules
//!
//! - [`name`]: what may be a name, and the names of interfaces derived from that of a namespace
//! - [`namespace`]: handles on namespaces, the named ones, and running code inside
//! - `named`: making and removing the entries under `/run/netns`
//! - `visible`: whether those are seen by the rest of the system
//! - `guard`: the guard that returns a thread to where it came from
//! - [`exec`]: running programs inside, with their own `/sys` and `/etc`
//! - [`userns`]: all of it without root
//! - [`netlink`]: the socket to the kernel, and requests; `answer`: what it says to them
//! - [`link`]: what interfaces there are
//! - [`counters`]: the frames and bytes that they have counted
//! - [`aside`]: room for a second VLAN tag
//! - [`losses`]: what they have lost
//! - [`change`]: changing them: up, down, name, MTU, MAC, namespace
//! - [`veth`]: pairs of virtual Ethernet devices
//! - [`bridge`]: the kernel's own bridges
//! - [`address`], [`route`]: IPv4 and IPv6
//! - [`announce`]: telling neighbours of addresses
//! - `neighbour`: who is known to be where on a link
//! - `probe`: what a path leads to
//! - `peer`: in which namespace the other end of a link is
//! - [`monitor`]: news of interfaces that come, change and go
//! - [`offload`]: segmentation that a packet socket can pass on, and that which it cannot
//! - [`ingress`]: rules that a packet socket does not heed
//! - `uplink`: what the default routes need
//! - [`quiet`]: keeping the host's own stack out of an interface

pub mod address;
pub mod announce;
mod answer;
pub mod aside;
pub mod bridge;
pub mod change;
pub mod counters;
pub mod exec;
mod far;
mod guard;
pub mod ingress;
mod ipv6;
pub mod link;
pub mod losses;
pub mod monitor;
pub mod name;
mod named;
pub mod namespace;
mod neighbour;
pub mod netlink;
pub mod offload;
mod peer;
mod probe;
pub mod quiet;
mod rights;
pub mod route;
#[allow(unsafe_code, reason = "ioctls, which no dependency wraps")]
mod sys;
#[doc(hidden)]
pub mod trial;
mod uplink;
pub mod userns;
pub mod veth;
mod visible;

pub use address::{Address, AddressError, AddressScope, DuplicateDetection};
pub use announce::{Announcer, is_announceable};
pub use aside::TAG_ASIDE_MARK;
pub use change::{LinkChange, LinkLocal};
pub use counters::Counters;
pub use exec::SpawnError;
pub use guard::Entered;
pub use link::{Link, LinkError, MacBytes, OperState};
pub use losses::Losses;
pub use monitor::{LinkEvent, LinkMonitor, MonitorError};
pub use name::{InterfaceName, NameError, NamespaceName};
pub use namespace::{NETNS_DIR, Namespace, NamespaceEntry, NamespaceError};
pub use neighbour::Neighbour;
pub use netlink::{Netlink, NetlinkError};
pub use offload::{Feature, OffloadError, Offloads};
pub use quiet::{Quiet, QuietError};
pub use route::{Route, RouteEntry, RouteError, RouteOrigin};
pub use userns::UserNamespaceError;
pub use veth::VethEnd;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
