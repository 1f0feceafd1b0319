//! Measuring between two namespaces without an external program: echo requests, throughput,
//! response time.

pub(crate) mod figures;
pub(crate) mod ping;
pub(crate) mod response;
mod stub;
#[allow(unsafe_code, reason = "the boundary to the C library")]
mod sys;
pub(crate) mod tcp;

#[allow(unused_imports)]
pub(crate) use stub::{Better, DEFINITIONS, End, Figure, Interrupted, Path, Stop, Test, Unit, run};
