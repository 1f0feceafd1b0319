//! Network namespaces, veth pairs, addresses and routes by netlink.
pub mod address;
pub mod change;
mod guard;
pub mod link;
pub mod name;
mod named;
pub mod namespace;
pub mod netlink;
mod rights;
pub mod veth;

pub use address::{Address, AddressError, DuplicateDetection};
pub use change::{LinkChange, LinkLocal};
pub use guard::Entered;
pub use link::{Link, LinkError, MacBytes, OperState};
pub use name::{InterfaceName, NameError, NamespaceName};
pub use namespace::{NETNS_DIR, Namespace, NamespaceEntry, NamespaceError};
pub use netlink::{Netlink, NetlinkError};
pub use veth::VethEnd;
