//! Opening ports as the program under test does.

use vswitch_switch::port::{PacketError, PacketOptions, PacketPort, ReceivePath};

/// How frames come from the kernel, by the variable that `vswitch run` reads too: so that all
/// tests can be run with each way.
pub(crate) fn receive_path() -> ReceivePath {
    match std::env::var("VSWITCH_RECEIVE").as_deref() {
        Err(_) | Ok("auto") => ReceivePath::Auto,
        Ok("ring") => ReceivePath::Ring,
        Ok("socket") => ReceivePath::Socket,
        Ok(other) => panic!("VSWITCH_RECEIVE is {other}"),
    }
}

/// Opens an interface of this thread's namespace as a port.
pub(crate) fn open_port(interface: &str) -> Result<PacketPort, PacketError> {
    let options = PacketOptions {
        receive: receive_path(),
        ..PacketOptions::default()
    };
    PacketPort::open_with(interface, &options)
}
