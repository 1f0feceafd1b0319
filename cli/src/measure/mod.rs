//! Measuring between two namespaces without an external program: echo requests, throughput,
//! response time.

pub mod ping;
pub mod response;
#[allow(unsafe_code, reason = "the boundary to the C library")]
mod sys;
pub mod tcp;
