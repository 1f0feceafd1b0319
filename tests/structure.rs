//! The structure of the source tree, as ARCHITECTURE.md describes it: which crate and module may use which,
//! how long files may be, and which words the documentation avoids. Reads files, builds nothing.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps an error fails with it, which is what is wanted"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file, at most.
const MAX_LINES: usize = 500;

/// Modules of the switch library, each with the modules that it may use. What is not listed here stands
/// on top of them.
const SWITCH: &[(&str, &[&str])] = &[
    ("frame", &[]),
    ("sys", &[]),
    ("descriptors", &["sys"]),
    ("threads", &["sys"]),
    ("bridge", &["frame"]),
    ("port", &["descriptors", "frame", "threads"]),
    ("poller", &["frame", "port", "bridge"]),
    ("events", &["bridge", "frame", "port"]),
    ("trial", &["bridge", "frame", "port"]),
];

/// The crates, each with those of the workspace that it may use.
const CRATES: &[(&str, &[&str])] = &[
    ("switch", &[]),
    ("netns", &[]),
    ("testbed", &["switch", "netns"]),
    ("control", &["switch", "netns"]),
    ("daemon", &["switch", "netns", "control"]),
    ("lab", &["switch", "netns", "control"]),
    ("cli", &["switch", "netns", "control", "daemon", "lab"]),
];

/// What only the program may depend on: arguments, and output for people.
const OF_THE_PROGRAM: &[&str] = &["clap", "ratatui", "comfy-table", "anstyle", "etherparse"];

/// What `control` may use of the switch: its vocabulary, and the types of settings.
const VOCABULARY: &[&str] = &["frame", "bridge", "port", "BridgeConfig"];

/// Modules of `control` that must not use others: arrows go down only.
const CONTROL: &[(&str, &[&str])] = &[
    ("names", &[]),
    ("near", &[]),
    ("units", &[]),
    ("users", &[]),
    ("rights", &[]),
    ("signals", &[]),
    ("limits", &[]),
    ("marks", &[]),
    ("lock_file", &[]),
    ("local_socket", &[]),
    ("ancillary", &[]),
    ("exit", &[]),
    ("plain", &[]),
    ("pcapng", &[]),
    ("stop", &["signals"]),
    ("itself", &["plain"]),
    ("values", &["plain"]),
    ("metrics", &["local_socket", "plain", "values"]),
    ("runtime_dir", &["names", "users"]),
    ("settings", &["metrics", "plain", "values"]),
    ("protocol", &["plain", "settings"]),
    (
        "client",
        &[
            "local_socket",
            "names",
            "near",
            "protocol",
            "runtime_dir",
            "users",
        ],
    ),
];

/// Modules of the program that must not use others: arrows go down only.
const PROGRAM: &[(&str, &[&str])] = &[
    (
        "measure",
        &["args", "commands", "doctor", "render", "userlab"],
    ),
    ("render", &["args", "commands", "doctor", "userlab"]),
    ("args", &["commands", "doctor", "render", "userlab"]),
    ("doctor", &["commands", "userlab"]),
    (
        "sandbox",
        &["args", "commands", "doctor", "render", "userlab"],
    ),
    ("userlab", &["commands", "doctor", "render"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![below.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The modules at the top of the crate below `source` that the module `name` uses, its tests and
/// comments left out.
fn used_by(source: &Path, name: &str) -> BTreeSet<String> {
    let (file, directory) = (source.join(name).with_extension("rs"), source.join(name));
    let mut files: Vec<_> = Some(file)
        .filter(|file| file.exists())
        .into_iter()
        .collect();
    if directory.exists() {
        files.extend(sources(&directory));
    }
    assert!(
        !files.is_empty(),
        "there is no module {name} in {}",
        source.display()
    );
    let mut used = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let is_tests = file.components().any(|part| part.as_os_str() == "tests")
            || file
                .file_stem()
                .is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if is_tests {
            continue;
        }
        for path in lines.flat_map(|line| line.split("crate::").skip(1)) {
            let end = path.find(|next: char| !next.is_ascii_lowercase() && next != '_');
            used.insert(path[..end.unwrap_or(path.len())].to_owned());
        }
    }
    used.remove(name);
    used.remove("");
    used
}

#[test]
fn modules_of_the_switch_use_what_is_below_them() {
    let source = root().join("switch/src");
    for (module, allowed) in SWITCH {
        for used in used_by(&source, module) {
            assert!(
                allowed.contains(&used.as_str()),
                "switch/src/{module} uses {used}: see ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn modules_of_the_program_do_not_use_what_is_above_them() {
    let source = root().join("cli/src");
    for (module, forbidden) in PROGRAM {
        for used in used_by(&source, module) {
            assert!(
                !forbidden.contains(&used.as_str()),
                "cli/src/{module} uses {used}: see ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn modules_of_control_use_what_is_below_them() {
    let source = root().join("control/src");
    for (module, allowed) in CONTROL {
        for used in used_by(&source, module) {
            let allowed = allowed.contains(&used.as_str()) || used == "testing";
            assert!(
                allowed,
                "control/src/{module} uses {used}: see ARCHITECTURE.md"
            );
        }
    }
}

/// The lines of a source file that are not comments.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The names behind `dependencies` in a manifest, tests' own left out.
fn dependencies_of(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let lines = text
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn crates_use_what_is_below_them() {
    for (name, allowed) in CRATES {
        let folder = root().join(name);
        for (other, _) in CRATES.iter().filter(|(other, _)| other != name) {
            if allowed.contains(other) {
                continue;
            }
            let path = format!("vswitch_{other}");
            for file in sources(&folder.join("src")) {
                let code = code_of(&file);
                // `vswitch_switch` also begins the names of others.
                let uses = code.match_indices(&path).any(|(at, _)| {
                    let behind = code[at + path.len()..].chars().next();
                    !behind.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_')
                });
                let at = file.display();
                assert!(!uses, "{at} uses {path}: see ARCHITECTURE.md");
            }
        }
        let manifest = match *name {
            "cli" => root().join("Cargo.toml"),
            _ => folder.join("Cargo.toml"),
        };
        for dependency in dependencies_of(&manifest) {
            if let Some(other) = dependency.strip_prefix("vswitch-") {
                assert!(allowed.contains(&other), "{name} depends on {dependency}");
            }
            let is_the_programs = OF_THE_PROGRAM
                .iter()
                .any(|of_the_program| dependency.starts_with(of_the_program));
            assert!(
                *name == "cli" || !is_the_programs,
                "{name} depends on {dependency}, which is for commands and their output"
            );
        }
    }
}

#[test]
fn control_uses_the_vocabulary_of_the_switch_alone() {
    for file in sources(&root().join("control/src")) {
        for path in code_of(&file).split("vswitch_switch::").skip(1) {
            let allowed = VOCABULARY.iter().any(|name| path.starts_with(name));
            let at = file.display();
            assert!(
                allowed,
                "{at} uses vswitch_switch::{}",
                path.lines().next().unwrap()
            );
        }
    }
}

#[test]
fn each_crate_says_what_it_is() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (name, _) in CRATES {
        let library = fs::read_to_string(root().join(name).join("src/lib.rs")).unwrap();
        let first = library.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! "), "{name}: {first}");
        assert!(
            architecture.contains(&format!("| `{name}/` |")),
            "ARCHITECTURE.md does not have {name}/"
        );
    }
}

#[test]
fn files_are_short() {
    for part in [
        "switch", "netns", "testbed", "control", "daemon", "lab", "cli", "tests", "benches",
        "examples",
    ] {
        for file in sources(&root().join(part)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
        }
    }
}

/// Words that read like a translation; CONTRIBUTING.md has the right ones.
const WORDS: &[&str] = &[
    "anew",
    "are to be",
    "is to be",
    "nobody ",
    "so many",
    "somebody",
    "whence",
    "whoever",
];

#[test]
fn the_documentation_is_in_plain_words() {
    let mut pages = vec![root().join("README.md"), root().join("SECURITY.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        pages.push(entry.unwrap().path());
    }
    let mut found = Vec::new();
    for page in pages
        .iter()
        .filter(|page| page.extension().is_some_and(|kind| kind == "md"))
    {
        for (number, line) in (1..).zip(fs::read_to_string(page).unwrap().lines()) {
            let lower = line.to_lowercase();
            let words = WORDS.iter().filter(|word| lower.contains(*word));
            let at = page.strip_prefix(root()).unwrap().display();
            found.extend(words.map(|word| format!("{at}:{number}: '{word}' in: {line}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The comments and string literals of Rust source, with the number of the line on which each begins.
fn prose(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(string) = rest.strip_prefix('"') {
            let mut is_escaped = false;
            let end = string.find(|next| {
                let is_end = next == '"' && !is_escaped;
                is_escaped = next == '\\' && !is_escaped;
                is_end
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") {
            // A quotation mark as a character begins no string.
            3
        } else {
            first.len_utf8()
        };
        let (text, behind) = rest.split_at(len);
        if len > 3 {
            found.push((line, text.to_lowercase()));
        }
        line += text.matches('\n').count();
        rest = behind;
    }
    found
}

#[test]
fn the_libraries_are_in_plain_words() {
    let mut found = Vec::new();
    let files = ["switch", "netns", "testbed"].map(|library| sources(&root().join(library)));
    for file in files.iter().flatten() {
        if file.ends_with("switch/src/port/tap/mod.rs") {
            continue; // Not rewritten yet.
        }
        let at = file.strip_prefix(root()).unwrap().display();
        for (number, text) in prose(&fs::read_to_string(file).unwrap()) {
            // Code between backquotes, such as a constant's name, is not prose.
            let prose: String = text.split('`').step_by(2).collect();
            let words: Vec<_> = prose.split(|c: char| !c.is_alphanumeric()).collect();
            let plain = format!(" {} ", words.join(" "));
            let bad = WORDS
                .iter()
                .filter(|word| plain.contains(&format!(" {} ", word.trim())));
            found.extend(bad.map(|word| format!("{at}:{number}: '{word}' in: {text}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
