//! What the kernel says on a netlink socket.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| vswitch_netns::trial::netlink(bytes));
