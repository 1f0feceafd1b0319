//! How the switch-side ends of cables are marked, so that every program sees whose they are.

use vswitch_netns::Link;

/// How the alias of a switch-side end begins; the switch's name follows.
pub const ALIAS_PREFIX: &str = "vswitch:";
/// The group of the switch-side ends: a number that nobody else has thought of, in hexadecimal
/// `vs`. The udev rule in `contrib/` knows it too. An end is in it from its first moment on; its alias,
/// which says whose it is, comes a moment later. So another switch that waits for an interface of
/// that name sees that it is not for it.
pub const GROUP: u32 = 0x7673;

/// The switch whose cable's end this is, by its alias.
pub fn owner_of(link: &Link) -> Option<&str> {
    link.alias.as_deref()?.strip_prefix(ALIAS_PREFIX)
}
