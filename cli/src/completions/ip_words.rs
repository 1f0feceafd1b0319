//! Words in the manner of iproute2 (`vswitch link`, `addr`, `route`), where what comes next depends on
//! the word before.

use std::ffi::OsStr;

use clap_complete::engine::{CompletionCandidate, ValueCompleter};

use super::kinds::starting_with;
use super::live::Live;

/// What may come behind a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// An interface.
    Interface,
    /// A namespace.
    Namespace,
    /// One of these words.
    One(&'static [&'static str]),
    /// What only the person knows.
    Value,
    /// A keyword of the command, or the interface if there was none yet.
    Keyword,
}

/// Completes the words of the command `path`: "link set".
pub(super) struct IpWords {
    pub(super) path: String,
    pub(super) live: Live,
}

impl ValueCompleter for IpWords {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let found = match behind(&self.live.word_before()) {
            Next::Interface => self.live.interfaces(),
            Next::Namespace => self.live.namespaces(),
            Next::One(words) => candidates(words),
            Next::Value => Vec::new(),
            Next::Keyword => self.keywords(),
        };
        starting_with(current, found)
    }
}

impl IpWords {
    fn keywords(&self) -> Vec<CompletionCandidate> {
        let (keywords, takes_interface) = of_command(&self.path);
        let mut found = if takes_interface {
            self.live.interfaces()
        } else {
            Vec::new()
        };
        // One interface is enough, but for `link del`.
        if self.path != "link del" && found.iter().any(|f| self.live.has_typed(f.get_value())) {
            found.clear();
        }
        found.extend(candidates(keywords));
        found
    }
}

fn candidates(words: &[&str]) -> Vec<CompletionCandidate> {
    words.iter().map(CompletionCandidate::new).collect()
}

fn behind(word: &OsStr) -> Next {
    match word.to_str().unwrap_or_default() {
        "dev" | "master" => Next::Interface,
        "netns" | "--netns" | "-n" => Next::Namespace,
        "type" => Next::One(&["veth", "bridge"]),
        "peer" => Next::One(&["name"]),
        "arp" => Next::One(&["on", "off"]),
        "name" | "mtu" | "address" | "alias" | "via" | "metric" | "src" => Next::Value,
        _ => Next::Keyword,
    }
}

/// The keywords of a command, and whether an interface may stand alone in it.
fn of_command(path: &str) -> (&'static [&'static str], bool) {
    match path {
        "link add" => (&["up", "mtu", "address", "netns", "type", "peer"], false),
        "link set" => (
            &[
                "up", "down", "name", "mtu", "address", "master", "nomaster", "netns", "arp",
                "alias", "dev",
            ],
            true,
        ),
        "link show" => (&["dev", "up", "type", "master"], true),
        "link del" | "addr show" | "addr flush" => (&["dev"], true),
        "addr add" | "addr del" | "addr replace" => (&["dev"], false),
        "route add" | "route replace" | "route del" | "route show" => {
            (&["default", "via", "dev", "metric", "src"], false)
        }
        _ => (&[], false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn offered(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let path = format!("{} {}", words[1].display(), words[2].display());
        let live = Live::of(&words);
        let found = IpWords { path, live }.complete(words.last().unwrap());
        let text = |c: &CompletionCandidate| c.get_value().to_string_lossy().into_owned();
        found.iter().map(text).collect()
    }

    #[test]
    fn what_comes_next_depends_on_the_word_before() {
        assert_eq!(offered("vswitch link add x type "), ["veth", "bridge"]);
        assert_eq!(offered("vswitch link add x type veth pe"), ["peer"]);
        assert_eq!(offered("vswitch link add x type veth peer "), ["name"]);
        assert_eq!(offered("vswitch link set x mtu "), [""; 0]);
        assert_eq!(offered("vswitch link set x no"), ["nomaster"]);
        assert_eq!(offered("vswitch route add def"), ["default"]);
        assert_eq!(offered("vswitch addr add 10.0.0.1/24 d"), ["dev"]);
    }
}
