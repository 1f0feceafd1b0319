//! The same with super-frames of up to 64 KiB, cut into segments that are looked at.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use vswitch_switch::trial::{Frames, Scale};

thread_local! {
    static FRAMES: RefCell<Frames> = RefCell::new(Frames::new(Scale::Large));
}

fuzz_target!(|bytes: &[u8]| FRAMES.with_borrow_mut(|frames| frames.run(bytes)));
