//! Frames with offload headers and tags, commands and time, through the bridge and out again.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use vswitch_switch::trial::{Frames, Scale};

thread_local! {
    static FRAMES: RefCell<Frames> = RefCell::new(Frames::new(Scale::Small));
}

fuzz_target!(|bytes: &[u8]| FRAMES.with_borrow_mut(|frames| frames.run(bytes)));
