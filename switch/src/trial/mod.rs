//! What fuzzers and tests call with bytes of any kind; no part of the library's interface.
//!
//! Each trial is an ordinary function that panics where something is wrong: `fuzz/` calls it
//! without end, `switch/tests/trials.rs` with a fixed corpus and with seeded random bytes.
//!
//! - [`input`]: choices made of bytes
//! - [`frames`]: frames as a kernel gives them, through the bridge and out again
//! - `sink`, `reader`: a port that looks at what it is given, and at what is in it

pub mod frames;
pub mod input;
mod reader;
mod sink;

pub use frames::{Frames, Scale};
pub use input::Input;
