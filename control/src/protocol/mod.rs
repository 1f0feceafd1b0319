//! The control protocol: JSON-RPC 2.0, one message per line, over a Unix socket.
//!
//! Described for users in `docs/control-protocol.md`.

mod attach;
mod call;
mod capture;
mod envelope;
mod events;
mod explain;
mod methods;
mod port_kinds;
mod protection;
mod strict;

pub use attach::{AttachParams, Attached, NamespaceSource, OWNER_ALONE_PASSES};
pub use call::Call;
pub use capture::{CaptureParams, CaptureStarted, DirectionView};
pub use envelope::{
    ErrorCode, ErrorData, ErrorObject, Id, Message, Request, Response, parse_message,
};
pub use events::{EventView, Happening, Listening};
pub use explain::{
    DestinationView, EgressView, ExplainParams, ExplainView, HeaderView, SourceView, StepView,
};
pub use methods::{
    DetachParams, FdbAddParams, FdbDelParams, FdbEntry, FdbFlushParams, FdbPage, FdbShowParams,
    GuardView, LayerView, NoParams, PortAddParams, PortDelParams, PortState, PortView,
    ReaddressParams, Removed, RestartView, SwitchView, TrafficView, VersionView, method,
};

pub use port_kinds::{PORT_KINDS, PortKind};
pub use protection::{BlockedView, PortSetParams};

/// The longest request, its newline not counted.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// The method of the notifications that a switch sends to those who listen.
pub const EVENT: &str = "event";

/// The most requests in one batch.
pub const MAX_BATCH: usize = 32;
