//! What a port of a switch is made of, as a lab file names it.

use vswitch_netns::InterfaceName;

use super::text::{Meaning, shown};
use vswitch_control::protocol::PORT_KINDS;

/// An existing interface, or one that is made: `eth1`, `tap:tap0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortSource {
    /// The kind of port, if it is made.
    pub(crate) kind: Option<String>,
    /// The interface.
    pub(crate) interface: String,
}

impl Meaning for PortSource {
    const WHAT: &'static str = "an existing interface, or one to make, such as tap:tap0";
    const PATTERN: Option<&'static str> = Some("^([a-z]+:)?[A-Za-z0-9_][A-Za-z0-9._-]*$");

    fn read(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) => (Some(kind), name),
            None => (None, text),
        };
        if let Some(kind) = kind.filter(|kind| PORT_KINDS.iter().all(|known| known.name != *kind)) {
            let known: Vec<&str> = PORT_KINDS.iter().map(|known| known.name).collect();
            return Err(format!(
                "{} is not a kind of port that can be made: use {}",
                shown(kind),
                known.join(" or ")
            ));
        }
        let name: InterfaceName = name
            .parse()
            .map_err(|error: vswitch_netns::NameError| error.to_string())?;
        Ok(Self {
            kind: kind.map(str::to_owned),
            interface: name.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_stands_before_the_name() {
        let eth1 = PortSource::read("eth1").unwrap();
        assert_eq!((eth1.kind, eth1.interface.as_str()), (None, "eth1"));
        let tap = PortSource::read("tap:tap0").unwrap();
        assert_eq!(
            (tap.kind.as_deref(), tap.interface.as_str()),
            (Some("tap"), "tap0")
        );
        for wrong in ["tun:a", "tap:", ":a", "tap:a:b", "", "tap:sixteen-letters."] {
            PortSource::read(wrong).unwrap_err();
        }
    }
}
