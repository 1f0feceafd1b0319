//! Rivals that the kernel makes up alone: a bare cable, and its bridge.

use anyhow::Result;
use vswitch_netns::{InterfaceName, Netlink};

use super::Running;
use super::stage::{A, B, Stage};

/// A veth pair from A to B.
pub(super) fn direct(stage: Stage) -> Result<Running> {
    let [from, to] = Stage::cable_through()?;
    Ok(Running::new(from, to, None, Vec::new(), stage))
}

/// The Linux bridge, in the middle.
pub(super) fn bridge(stage: Stage) -> Result<Running> {
    let mut middle = Netlink::open_in(&stage.middle)?;
    let bridge = middle.create_bridge(&InterfaceName::new("br0")?)?;
    middle.set_up(&bridge)?;
    let mut plug = |host| {
        let (end, port) = stage.cable(host)?;
        middle.set_bridge(&port, Some(&bridge))?;
        middle.set_up(&port)?;
        anyhow::Ok(end)
    };
    let (from, to) = (plug(&A)?, plug(&B)?);
    Ok(Running::new(from, to, None, Vec::new(), stage))
}
