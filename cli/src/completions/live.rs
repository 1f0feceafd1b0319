//! What there is at the moment, as fast as it can be told.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;
use vswitch_netns::{NETNS_DIR, Namespace, Netlink};

use crate::userlab;
use vswitch_control::client::Client;
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{FdbEntry, SwitchView};
use vswitch_control::runtime_dir::RuntimeDir;

/// How long a person who has pressed the key waits, whatever happens.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long one switch may take: one that hangs does not hide the others.
const PATIENCE_WITH_ONE: Duration = Duration::from_secs(1);

/// What is looked up, within what has been typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    typed: Vec<OsString>,
}

impl Live {
    pub(super) fn of(typed: &[OsString]) -> Self {
        Self {
            typed: typed.to_vec(),
        }
    }

    /// Moves the process, which has one thread, to where the names are that commands would mean.
    pub(super) fn look_around(&self) {
        if let Some(runtime) = self.runtime() {
            userlab::look_around(&runtime);
        }
    }

    /// Whether this word is among those typed.
    pub(super) fn has_typed(&self, word: &OsStr) -> bool {
        self.typed.iter().any(|typed| typed == word)
    }

    /// The word before the one that is being typed; empty where there is none.
    pub(super) fn word_before(&self) -> OsString {
        let before = self.typed.iter().rev().nth(1);
        before.cloned().unwrap_or_default()
    }

    /// How many words there are behind `command` before the one that is being typed. Options do
    /// not count before the first, but those that stand `instead` of a word.
    pub(super) fn words_before(&self, command: &str, instead: &[&str]) -> usize {
        let behind = self.typed.iter().skip_while(|word| *word != command);
        let mut words = behind.skip(1).collect::<Vec<_>>();
        words.pop();
        let mut count = 0;
        let mut is_value = false;
        for word in words {
            if word == "--" || std::mem::take(&mut is_value) {
                continue;
            }
            let text = word.to_string_lossy();
            let is_option = count == 0 && text.starts_with('-');
            if !is_option || instead.contains(&text.as_ref()) {
                count += 1;
            }
            is_value = count == 0 && text == "--runtime-dir";
        }
        count
    }

    /// The switches that run.
    pub(super) fn switches(&self) -> Vec<CompletionCandidate> {
        let views = self.in_time(|live| live.views(None));
        let told = |view: &SwitchView| (view.name.clone(), format!("{} ports", view.ports.len()));
        candidates(views.iter().map(|(view, _)| told(view)))
    }

    /// The namespaces of this process, and those of every switch that runs: a switch of an
    /// ordinary user has its own `/run`, which can be looked into from here.
    pub(super) fn namespaces(&self) -> Vec<CompletionCandidate> {
        let names = self.in_time(|live| {
            let mut names = entries(Path::new(NETNS_DIR));
            for (view, process) in live.views(live.switch().as_ref()) {
                names.extend(view.ports.into_iter().filter_map(|port| port.namespace));
                let seen_from = process.map(|pid| format!("/proc/{pid}/root{NETNS_DIR}"));
                names.extend(seen_from.iter().flat_map(|path| entries(Path::new(path))));
            }
            names.sort_unstable();
            names.dedup();
            names
        });
        candidates(names.into_iter().map(|name| (name, String::new())))
    }

    /// The ports of the switch that is meant, or of all.
    pub(super) fn ports(&self) -> Vec<CompletionCandidate> {
        let views = self.in_time(|live| live.views(live.switch().as_ref()));
        let ports = views.into_iter().flat_map(|(view, _)| view.ports);
        candidates(ports.map(|port| {
            let behind = port.namespace.map(|name| format!("to {name}"));
            (port.name, behind.unwrap_or_default())
        }))
    }

    /// The stations that the switch knows.
    pub(super) fn macs(&self) -> Vec<CompletionCandidate> {
        let entries = self.in_time(|live| {
            let tables = live.ask(live.switch().as_ref(), |mut client| client.stations().ok());
            tables.into_iter().flatten().collect::<Vec<FdbEntry>>()
        });
        candidates(entries.into_iter().map(|entry| (entry.mac, entry.port)))
    }

    /// The Ethernet interfaces of the namespace that was typed, or of this one.
    pub(super) fn interfaces(&self) -> Vec<CompletionCandidate> {
        let links = self.in_time(|live| {
            let typed = live.value_of("--netns").or(live.value_of("-n"));
            let mut netlink = match typed {
                Some(name) => {
                    let namespace = Namespace::open(&name.to_string_lossy()).ok()?;
                    Netlink::open_in(&namespace).ok()?
                }
                None => Netlink::open().ok()?,
            };
            netlink.links().ok()
        });
        let links = links
            .into_iter()
            .flatten()
            .filter(vswitch_netns::Link::is_ethernet);
        candidates(links.map(|link| (link.name, link.kind.unwrap_or_default())))
    }

    /// The programs of `PATH`.
    pub(super) fn commands(&self) -> Vec<CompletionCandidate> {
        let names = self.in_time(|_| {
            let path = env::var_os("PATH").unwrap_or_default();
            let mut names: Vec<String> = env::split_paths(&path).flat_map(programs).collect();
            names.sort_unstable();
            names.dedup();
            names
        });
        candidates(names.into_iter().map(|name| (name, String::new())))
    }

    /// What `look_up` gives, or nothing where it takes too long: its thread is left behind, and
    /// ends with the process.
    fn in_time<T: Default + Send + 'static>(
        &self,
        look_up: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = mpsc::channel();
        let live = self.clone();
        let started = thread::Builder::new().spawn(move || sender.send(look_up(&live)));
        if started.is_err() {
            return T::default();
        }
        receiver.recv_timeout(PATIENCE).unwrap_or_default()
    }

    /// What those that run tell of themselves, with their processes; or one alone.
    fn views(&self, only: Option<&SwitchName>) -> Vec<(SwitchView, Option<i32>)> {
        self.ask(only, |mut client| {
            let process = client.process().ok().flatten();
            Some((client.show().ok()?, process.map(nix::unistd::Pid::as_raw)))
        })
    }

    /// What those that run answer, in the order of their names, each asked by a thread of its own.
    fn ask<T: Send + 'static>(
        &self,
        only: Option<&SwitchName>,
        question: fn(Client) -> Option<T>,
    ) -> Vec<T> {
        let Some(runtime) = self.runtime() else {
            return Vec::new();
        };
        let names = match only {
            Some(name) => vec![name.clone()],
            None => runtime.switches().unwrap_or_default(),
        };
        let asked = names.into_iter().filter_map(|name| {
            let runtime = runtime.clone();
            let ask = move || {
                let mut client = Client::connect(&runtime, &name).ok()?;
                client.set_patience(PATIENCE_WITH_ONE).ok()?;
                question(client)
            };
            thread::Builder::new().spawn(ask).ok()
        });
        let asked: Vec<_> = asked.collect();
        let answers = asked.into_iter().filter_map(|thread| thread.join().ok()?);
        answers.collect()
    }

    /// The runtime directory that is meant.
    fn runtime(&self) -> Option<RuntimeDir> {
        let given = self.value_of("--runtime-dir").map(PathBuf::from);
        RuntimeDir::resolve(given, |name| env::var_os(name)).ok()
    }

    /// The switch that has been typed, where it was.
    fn switch(&self) -> Option<SwitchName> {
        self.value_of("--switch")?.to_str()?.parse().ok()
    }

    /// What was typed behind `option`, or in one word with it.
    fn value_of(&self, option: &str) -> Option<&OsStr> {
        let mut words = self.typed.iter();
        while let Some(word) = words.next() {
            if word == option {
                // Bash cuts at the sign of equality.
                return words.find(|word| *word != "=").map(OsString::as_os_str);
            }
            let value = word.to_str().and_then(|word| word.strip_prefix(option));
            if let Some(value) = value.and_then(|rest| rest.strip_prefix('=')) {
                return Some(OsStr::new(value));
            }
        }
        None
    }
}

/// Names with what is told of them beside, where the shell shows it.
fn candidates(found: impl Iterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let candidate = |(name, help): (String, String)| {
        let help = (!help.is_empty()).then(|| help.into());
        CompletionCandidate::new(name).help(help)
    };
    found
        .filter(|(name, _)| is_word(name))
        .map(candidate)
        .collect()
}

/// Whether a name, which others may have chosen, stands on a command line as it is: nothing that a terminal
/// or a shell would act on (bash puts it there unquoted), and no option.
fn is_word(name: &str) -> bool {
    let stands_for_itself = |c: char| match c {
        '.' | '_' | '-' | '+' | ':' | '@' | '%' | ',' | '/' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        c => c.is_alphanumeric(),
    };
    !name.starts_with('-') && name.chars().all(stands_for_itself)
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The names of the files in `dir` that may be run.
fn programs(dir: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_program = |path: PathBuf| {
        fs::metadata(path)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    entries
        .filter(|entry| is_program(entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn live(line: &str) -> Live {
        Live::of(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_was_typed_says_which_switch_is_meant() {
        let switch = |line: &str| live(line).switch().map(|name| name.to_string());
        assert_eq!(switch("vswitch fdb --switch s del").as_deref(), Some("s"));
        assert_eq!(switch("vswitch fdb --switch=s del").as_deref(), Some("s"));
        assert_eq!(switch("vswitch fdb --switch = s del").as_deref(), Some("s"));
        assert_eq!(switch("vswitch fdb del"), None);
        assert_eq!(switch("vswitch fdb --switch"), None);
    }

    #[test]
    fn words_are_counted_behind_the_command() {
        for (line, count) in [
            ("vswitch exec ", 0),
            ("vswitch exec ma", 0),
            ("vswitch exec --runtime-dir /x ma", 0),
            ("vswitch exec mario ", 1),
            ("vswitch exec mario -- pi", 1),
            ("vswitch exec --all pi", 1),
            ("vswitch exec -a -- pi", 1),
            ("vswitch exec mario ping -c ", 3),
        ] {
            let counted = live(line).words_before("exec", &["--all", "-a"]);
            assert_eq!(counted, count, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_act_on_is_not_offered() {
        let found = [
            "eth0",
            "br-lan.100",
            "02:00:00:00:00:01",
            "g++",
            "veth@if2",
            "$(reboot)",
            "`reboot`",
            "a;reboot",
            "a&b",
            "a|b",
            "a>b",
            "a b",
            "a'b",
            "a\"b",
            "a\\b",
            "*",
            "~root",
            "#a",
            "!!",
            "{a,b}",
            "--all",
            "a\u{1b}[2J",
            "a\u{a0}b",
        ];
        let offered = candidates(found.iter().map(|name| ((*name).to_owned(), String::new())));
        let offered: Vec<_> = offered
            .iter()
            .map(|one| one.get_value().to_str().unwrap())
            .collect();
        assert_eq!(offered, found[..5]);
    }

    /// What is shown is that there is an end at all.
    #[test]
    fn a_switch_that_is_silent_completes_to_nothing() {
        let base = crate::testing::directory().unwrap();
        let runtime = RuntimeDir::resolve(Some(base.path().to_owned()), |_| None).unwrap();
        let dir = runtime.switch(&"mute".parse().unwrap());
        dir.prepare(&runtime).unwrap();
        let listener = UnixListener::bind(dir.socket()).unwrap();
        let live = live(&format!("vswitch --runtime-dir {}", base.path().display()));
        assert!(live.switches().is_empty() && live.macs().is_empty());
        drop(listener);
    }
}
