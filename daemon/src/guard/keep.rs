//! Giving capabilities up (capabilities(7)).

use std::io;

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};

/// Gives up all capabilities of this thread but those of `wanted` that it has. With `pass_on`,
/// programs that are started from here have them too, whoever the user is.
///
/// The bounding set goes as far as the process may shrink it, which takes `CAP_SETPCAP`: without
/// it there is nobody who could gain anything from the rest either.
///
/// # Errors
/// What the system says.
pub(crate) fn keep(wanted: &[Capability], pass_on: bool) -> io::Result<()> {
    let kept = |error: CapsError| io::Error::other(error.to_string());
    let wanted: CapsHashSet = wanted.iter().copied().collect();
    let held = caps::read(None, CapSet::Permitted).map_err(kept)?;
    let rest: CapsHashSet = held.intersection(&wanted).copied().collect();
    for capability in caps::all().difference(&wanted) {
        // Fails without CAP_SETPCAP, and for those that this kernel does not know.
        let _ = caps::drop(None, CapSet::Bounding, *capability);
    }
    // Fails on kernels without an ambient set, which then is empty.
    let _ = caps::clear(None, CapSet::Ambient);
    let inherited = if pass_on {
        rest.clone()
    } else {
        CapsHashSet::new()
    };
    caps::set(None, CapSet::Effective, &rest).map_err(kept)?;
    caps::set(None, CapSet::Inheritable, &inherited).map_err(kept)?;
    caps::set(None, CapSet::Permitted, &rest).map_err(kept)?;
    for capability in inherited {
        let _ = caps::raise(None, CapSet::Ambient, capability);
    }
    Ok(())
}
