//! Options about what one port may do to the others.

use clap::Args;
use vswitch_switch::bridge::Damping;

use crate::protocol::Protection;

/// Those of `vswitch run`.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Protection of ports from each other")]
pub(crate) struct ProtectionArgs {
    /// Let in so many broadcast frames a second by each port, or `off`. [default: 20000]
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) broadcast_limit: Option<u32>,

    /// Let in so many frames a second to groups by each port, or `off`. [default: 200000]
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) multicast_limit: Option<u32>,

    /// Let in so many frames a second to unknown stations by each port, or `off`.
    /// [default: 200000]
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) unknown_limit: Option<u32>,

    /// Learn so many stations at most behind each port, or `off`. [default: off]
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) port_max_macs: Option<u32>,

    /// Follow a station between ports up to N times in a second, or `off` for always. Then its
    /// entry stays where it was; its frames pass. [default: 30]
    #[arg(long, value_name = "N", value_parser = moves)]
    pub(crate) move_limit: Option<u8>,

    /// Block a port that is part of a loop, as soon as a probe has proven it: `on` or `off`.
    /// [default: on]
    #[arg(long, value_name = "ON", value_parser = switched)]
    pub(crate) loop_guard: Option<bool>,
}

impl ProtectionArgs {
    /// As plain data.
    pub(crate) const fn plain(self) -> Protection {
        Protection {
            broadcast_limit: self.broadcast_limit,
            multicast_limit: self.multicast_limit,
            unknown_limit: self.unknown_limit,
            port_max_macs: self.port_max_macs,
            move_limit: self.move_limit,
            loop_guard: self.loop_guard,
        }
    }

    /// As words of a command line.
    pub(crate) fn words(self) -> impl Iterator<Item = String> {
        let word = |name: &str, limit: Option<u32>| match limit? {
            0 => Some(format!("--{name}=off")),
            limit => Some(format!("--{name}={limit}")),
        };
        let guard = |on| format!("--loop-guard={}", if on { "on" } else { "off" });
        [
            word("broadcast-limit", self.broadcast_limit),
            word("multicast-limit", self.multicast_limit),
            word("unknown-limit", self.unknown_limit),
            word("port-max-macs", self.port_max_macs),
            word("move-limit", self.move_limit.map(u32::from)),
            self.loop_guard.map(guard),
        ]
        .into_iter()
        .flatten()
    }
}

/// A number, or `off`, which is zero as it is passed on, and so is nothing that a person may write:
/// they would mean that none may pass.
pub(crate) fn limit(text: &str) -> Result<u32, String> {
    match text {
        "off" => Ok(0),
        "0" => Err("a limit is at least 1; 'off' is no limit".to_owned()),
        number => number
            .parse()
            .map_err(|_| format!("a limit is a number up to {}, or 'off'", u32::MAX)),
    }
}

/// The same, or `default`, which is none.
pub(crate) fn own_limit(text: &str) -> Result<OwnLimit, String> {
    match text {
        "default" => Ok(OwnLimit(None)),
        other => limit(other)
            .map(|limit| OwnLimit(Some(limit)))
            .map_err(|error| format!("{error}; 'default' is what the switch has")),
    }
}

/// A limit of a port alone; none is that of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnLimit(pub(crate) Option<u32>);

fn moves(text: &str) -> Result<u8, String> {
    let most = Damping::MAX_MOVES;
    let number = limit(text).ok().and_then(|limit| u8::try_from(limit).ok());
    let number = number.filter(|number| *number <= most);
    number.ok_or_else(|| format!("a limit of moves is a number up to {most}, or 'off'"))
}

fn switched(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("say 'on' or 'off'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        protection: ProtectionArgs,
    }

    #[test]
    fn what_is_given_is_passed_on_word_by_word() {
        let words = [
            "--broadcast-limit=100",
            "--multicast-limit=off",
            "--unknown-limit=7",
            "--port-max-macs=3",
            "--move-limit=253",
            "--loop-guard=off",
        ];
        let line = Line::try_parse_from(["run"].iter().chain(&words)).unwrap();
        assert_eq!(line.protection.words().collect::<Vec<_>>(), words);
        assert_eq!(line.protection.plain().loop_guard, Some(false));
        assert_eq!(ProtectionArgs::default().words().count(), 0);
    }

    #[test]
    fn off_is_zero_and_nonsense_is_refused() {
        assert_eq!(limit("off"), Ok(0));
        assert_eq!(own_limit("default"), Ok(OwnLimit(None)));
        assert_eq!(own_limit("12"), Ok(OwnLimit(Some(12))));
        assert!(
            limit("0").is_err()
                && limit("-1").is_err()
                && limit("many").is_err()
                && own_limit("").is_err()
        );
        assert!(moves("254").is_err() && switched("maybe").is_err());
        assert_eq!(moves("off"), Ok(0));
    }
}
