//! What a client writes to the control socket.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| vswitch_cli::trial::control(bytes));
