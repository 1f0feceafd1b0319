//! Linux network namespaces, veth pairs, addresses and routes, by system calls and netlink only: no
//! shell, no `ip`, no external program.
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
//!     // Two namespaces without names, which disappear with the program.
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
//!     let mut received = [0; 64];
//!     let (length, _) = receiver.recv_from(&mut received)?;
//!     assert_eq!(&received[..length], b"it's-a me");
//!     Ok(())
//! }
//! ```
//!
//! A named namespace is an entry under `/run/netns`, the same that `ip netns` creates and lists.
//! The operations need the capabilities of root, or those of an ordinary user inside a user
//! namespace: see [`userns`].
//!
//! # The modules
//!
//! - [`name`]: rules for names, and interface names that are derived from the name of a namespace
//! - [`namespace`]: handles on namespaces, and running code inside them
//! - `named`: creating and removing the entries under `/run/netns`
//! - `visible`: whether the rest of the system sees those entries
//! - `guard`: the guard that returns a thread to its previous namespace
//! - [`exec`]: running programs inside a namespace, with their own `/sys` and `/etc`
//! - [`userns`]: user namespaces, for use without root
//! - [`netlink`]: the netlink socket and its requests; `answer`: parsing the replies
//! - [`link`]: network interfaces
//! - [`counters`]: frame and byte counters of interfaces
//! - [`aside`]: moving a second VLAN tag into metadata
//! - [`losses`]: drop counters of interfaces
//! - [`change`]: changing interfaces: up, down, name, MTU, MAC address, namespace
//! - [`veth`]: pairs of virtual Ethernet devices
//! - [`bridge`]: the kernel's bridges
//! - [`address`], [`route`]: IPv4 and IPv6 addresses and routes
//! - [`announce`]: announcing addresses to neighbours
//! - `neighbour`: the neighbour table
//! - `probe`: telling a network namespace from other files
//! - `peer`: the namespace of a link's other end; `far`: that other end itself
//! - [`monitor`]: events of interfaces that are added, changed or removed
//! - [`offload`]: segmentation offloads that a packet socket can or cannot forward
//! - [`ingress`]: ingress rules that do not apply to a packet socket
//! - `uplink`: the interfaces that the default routes need
//! - [`quiet`]: keeping the host's IP stack off an interface

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
