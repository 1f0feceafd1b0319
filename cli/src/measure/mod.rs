//! Measuring between two namespaces without an external program.
//!
//! - [`figures`]: what a test gives, and how people read it
//! - [`mod@test`]: which tests there are, and running one
//! - [`path`]: between what it runs
//! - [`frames`]: raw frames as fast as they go; [`no_loss`]: as fast as none is lost
//! - [`tcp`], [`response`]: over `connections`
//! - [`ping`]: echo requests; [`reach`]: between very many at once
//! - `cpu`: how busy the machine is; `affinity`: binding a path to one CPU

mod affinity;
mod connections;
mod cpu;
pub(crate) mod figures;
pub(crate) mod frames;
pub(crate) mod no_loss;
pub(crate) mod path;
pub(crate) mod ping;
pub(crate) mod reach;
pub(crate) mod response;
#[allow(unsafe_code, reason = "the boundary to the C library")]
mod sys;
pub(crate) mod tcp;
pub(crate) mod test;

pub(crate) use vswitch_control::stop::{Interrupted, Stop};

pub(crate) use figures::{Better, Figure, Unit};
pub(crate) use frames::line::{MIN_SIZE, largest_size};
pub(crate) use path::{End, Path};
pub(crate) use test::{DEFINITIONS, Outcome, Test, measure, run};
