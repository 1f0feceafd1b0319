//! The kinds of ports that `port add` makes of a name.

/// A kind of port whose interface `port add` makes, or attaches to.
#[derive(Clone, Copy, Debug)]
pub struct PortKind {
    /// What a request calls it; with dashes before it, the flag.
    pub name: &'static str,
    /// The help text of the flag.
    pub help: &'static str,
}

/// All of them: the flags of `port add`, and its parameter `kind`.
pub const PORT_KINDS: &[PortKind] = &[PortKind {
    name: "tap",
    help: "Make a TAP interface of this name, with which the host itself is on the switch, or attach \
           to a persistent one that is free",
}];
