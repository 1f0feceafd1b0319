//! The settings of a switch and of a port, each declared once.
//!
//! Theory of operation. A table ([`switch`], [`port`]) has a line for each setting: its name, type,
//! default, unit and help. The macro [`schema::settings`] makes a structure of it whose fields are
//! optional: what is not set is as by default. All else is derived from the table and knows no
//! setting by name: flags of the command line (`args/settings.rs`), parameters of the control protocol and
//! the state on disk ([`json`]), keys of lab files and their JSON schema (`topology/section.rs`), what
//! `show` lists, what changes between two versions of a lab file ([`change`]), and the reference page
//! ([`reference`]).

mod change;
mod json;
mod port;
mod reference;
mod schema;
mod switch;
mod value;

pub(crate) use change::Change;
pub(crate) use json::View;
pub(crate) use port::PortSettings;
pub(crate) use reference::reference;
pub(crate) use schema::{Kind, Scalar, Schema, Setting};
pub(crate) use switch::SwitchSettings;
#[cfg(test)]
pub(crate) use value::Group;
pub(crate) use value::{GuardMode, Number, Value, YesNo};
