//! The structure of the source tree, as ARCHITECTURE.md describes it: which module may use which, how
//! long files may be, and which words the documentation avoids. Reads files, builds nothing.
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

/// Modules of the program that must not use others: arrows go down only.
const PROGRAM: &[(&str, &[&str])] = &[
    ("protocol", UPPER),
    ("client", UPPER),
    ("metrics", UPPER),
    ("pcapng", UPPER),
    ("runtime_dir", UPPER),
    ("names", UPPER),
    ("plain", UPPER),
    ("units", UPPER),
    ("signals", UPPER),
    ("limits", UPPER),
    ("marks", UPPER),
    ("values", UPPER),
    ("settings", UPPER),
    (
        "measure",
        &["args", "commands", "daemon", "render", "topology"],
    ),
    ("render", &["args", "commands", "daemon"]),
    (
        "daemon",
        &[
            "client", "commands", "doctor", "measure", "render", "topology",
        ],
    ),
    ("topology", &["render", "doctor"]),
    ("args", &["client", "commands", "render", "topology"]),
];
const UPPER: &[&str] = &[
    "args",
    "commands",
    "completions",
    "daemon",
    "doctor",
    "measure",
    "render",
    "topology",
    "userlab",
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
fn libraries_do_not_know_the_program() {
    for library in ["switch", "netns", "testbed"] {
        for file in sources(&root().join(library).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("vswitch_cli"), "{}", file.display());
        }
    }
    // Nor do they know each other.
    for (library, other) in [("switch", "vswitch_netns::"), ("netns", "vswitch_switch::")] {
        for file in sources(&root().join(library).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                assert!(!line.contains(other), "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn files_are_short() {
    for part in [
        "switch", "netns", "testbed", "cli", "tests", "benches", "examples",
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
