//! Entry points for fuzzers and tests, which pass arbitrary bytes; not part of the public
//! interface.
//!
//! Each is an ordinary function that panics if an invariant does not hold: `fuzz/` calls it
//! endlessly, `switch/tests/trials.rs` with a fixed corpus and with seeded random bytes.
//!
//! - [`input`]: choices derived from bytes
//! - [`frames`]: frames as a kernel delivers them, through the bridge and out again
//! - `sink`, `reader`: a port that checks the frames it is given, and their contents

pub mod frames;
pub mod input;
mod reader;
mod sink;

pub use frames::{Frames, Scale};
pub use input::Input;
