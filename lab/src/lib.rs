//! Labs from a file: `vswitch up`, `down`, `status` and `diff`.
//!
//! Theory of operation. A file is read ([`parse`], [`mod@file`], [`text`], [`list`], [`scalar`],
//! [`section`]), what
//! it leaves out is filled in ([`draft`], [`filler`], [`addresses`]) and what is wrong with it told
//! ([`check`]); what comes of it ([`lab`]) is a set of things, each with a key and a description
//! ([`thing`]). What was made is written in a record ([`record`]), and how it is now is seen on the
//! machine ([`survey`], [`observe`]). The difference of the two is a plan ([`plan`]), which is done
//! step by step ([`apply`]). All but the last four are pure.
//!
//! Starting and stopping the processes of switches is the caller's part ([`Switches`]): this crate knows
//! neither them nor commands.
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "a theory of operation names the modules that it is about"
)]
#![allow(
    clippy::must_use_candidate,
    reason = "the interface is for the program's own crates, which the compiler checks for unused results"
)]

mod addresses;
mod apply;
mod check;
mod commands;
mod conflicts;
mod draft;
mod file;
mod filler;
mod hash;
mod hold;
mod lab;
mod list;
mod metrics;
mod observe;
mod operate;
mod parse;
mod place;
mod plan;
mod process;
mod progress;
mod record;
mod scalar;
mod schema;
mod section;
mod source;
mod supervise;
mod survey;
mod switches;
#[cfg(test)]
#[path = "../../control/src/testing.rs"]
mod testing;
mod text;
mod thing;
#[doc(hidden)]
pub mod trial;

pub use hold::Hold;
pub use metrics::Sockets;
pub use operate::{Intent, Labs, Outcome};
pub use place::{Source, Wrong};
pub use plan::{Difference, Held, Plan, Present};
pub use schema::schema;
pub use supervise::run as supervise;
pub use switches::Switches;
pub use thing::{Key, Spec};
