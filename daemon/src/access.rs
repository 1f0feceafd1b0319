//! The control socket, and who can reach it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};

use mio::net::UnixListener;

use super::DaemonError;
use super::server::Peers;
use vswitch_control::lock_file::remove_if_there;
use vswitch_control::runtime_dir::SwitchDir;

/// Listens on the control socket of a switch that this process holds: for its own user alone, and
/// for the members of `group`, if there is one.
///
/// # Errors
/// [`DaemonError::Socket`], [`DaemonError::Group`].
pub(super) fn listen(dir: &SwitchDir, group: Option<u32>) -> Result<UnixListener, DaemonError> {
    let path = dir.socket();
    let bind = || {
        // Nobody else can enter the directory: there is no moment in which others may connect.
        set_mode(dir, 0o700, false)?;
        remove_if_there(&path)?;
        let listener = UnixListener::bind(&path)?;
        set_mode(dir, 0o600, true)?;
        Ok(listener)
    };
    let listener = bind().map_err(|source| DaemonError::Socket {
        path: path.clone(),
        source,
    })?;
    if let Some(group) = group {
        // Before any of them may connect.
        Peers::let_pass(&listener, false);
        let grant = || {
            chown(&path, None, Some(group))?;
            set_mode(dir, 0o660, true)?;
            chown(dir.path(), None, Some(group))?;
            // To enter and to list; what else is there is for the owner alone.
            set_mode(dir, 0o750, false)
        };
        grant().map_err(|source| DaemonError::Group { group, source })?;
    }
    Ok(listener)
}

/// Sets the permissions of the socket, or of the directory.
fn set_mode(dir: &SwitchDir, mode: u32, of_socket: bool) -> io::Result<()> {
    let mode = Permissions::from_mode(mode);
    if of_socket {
        fs::set_permissions(dir.socket(), mode)
    } else {
        fs::set_permissions(dir.path(), mode)
    }
}
