//! Room for many ports.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files as far as this process may: a port takes two, a
/// namespace that pings three, and shells give 1024.
pub fn raise() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(errno) = raised {
        log::warn!("cannot raise the limit of open files: {errno}");
    }
}
