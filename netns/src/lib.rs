//! Network namespaces, veth pairs, addresses and routes by netlink.
pub mod address;
pub mod change;
pub mod exec;
mod guard;
pub mod link;
pub mod monitor;
pub mod name;
mod named;
pub mod namespace;
pub mod netlink;
pub mod offload;
pub mod quiet;
mod rights;
pub mod route;
#[allow(unsafe_code, reason = "ioctls on sockets, which no dependency wraps")]
mod sys;
pub mod userns;
pub mod veth;

pub use address::{Address, AddressError, DuplicateDetection};
pub use change::{LinkChange, LinkLocal};
pub use exec::SpawnError;
pub use guard::Entered;
pub use link::{Link, LinkError, MacBytes, OperState};
pub use monitor::{LinkEvent, LinkMonitor, MonitorError};
pub use name::{InterfaceName, NameError, NamespaceName};
pub use namespace::{NETNS_DIR, Namespace, NamespaceEntry, NamespaceError};
pub use netlink::{Netlink, NetlinkError};
pub use offload::{OffloadError, Offloads};
pub use quiet::{Quiet, QuietError};
pub use route::{Route, RouteError};
pub use userns::UserNamespaceError;
pub use veth::VethEnd;
