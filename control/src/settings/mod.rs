//! The settings of a switch and of a port, each declared once.
//!
//! Theory of operation. A table ([`switch`], [`port`]) has a line for each setting: its name, type,
//! default, unit and help. The macro [`schema::settings`] makes a structure of it whose fields are
//! optional: what is not set is as by default. All else is derived from the table and knows no
//! setting by name: flags of the command line (`cli/src/args/settings.rs`), parameters of the control protocol and
//! the state on disk ([`json`]), keys of lab files and their JSON schema (`lab/src/section.rs`), what
//! `show` lists, what changes between two versions of a lab file ([`change`]), and the reference page
//! ([`reference()`]).

mod change;
mod json;
mod port;
mod reference;
mod schema;
mod switch;
mod value;

pub use change::Change;
pub use json::View;
pub use port::PortSettings;
pub use reference::reference;
pub use schema::{Kind, Scalar, Schema, Setting};
pub use switch::SwitchSettings;
pub use value::{Group, GuardMode, Number, Value, YesNo};
