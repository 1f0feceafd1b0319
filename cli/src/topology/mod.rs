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
//! (What a running switch has plugged in is another thing: `daemon::lab`.)

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
mod progress;
mod record;
mod scalar;
mod schema;
mod section;
mod supervise;
mod survey;
mod text;
mod thing;
pub(crate) mod trial;

pub(crate) use hold::Hold;
pub(crate) use metrics::Sockets;
pub(crate) use operate::{Intent, Labs, Outcome};
pub(crate) use place::{Source, Wrong};
pub(crate) use plan::{Difference, Held, Plan, Present};
pub(crate) use schema::schema;
pub(crate) use supervise::run as supervise;
pub(crate) use thing::{Key, Spec};
