//! The part of a container engine, played by this very program: under the name of an engine's command,
//! with a file beside it that says what it knows. So the tests need neither an engine nor a shell.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use serde_json::Value;

const COMMANDS: [&str; 4] = ["docker", "podman", "nerdctl", "lxc-info"];

/// Whether the program was started as an engine.
pub(crate) fn is_one(program: &str) -> bool {
    let name = Path::new(program)
        .file_name()
        .and_then(|name| name.to_str());
    name.is_some_and(|name| COMMANDS.contains(&name))
}

/// Answers as the engine does that the file beside it describes: it knows one container, by `name`
/// and `pid` (another each time, if that is a list, the last for ever), or `fails` or `says` something, or `hangs`.
pub(crate) fn play(program: &str) -> ExitCode {
    let part = fs::read_to_string(format!("{program}.json")).unwrap_or_default();
    let part: Value = serde_json::from_str(&part).unwrap_or_default();
    if part["hangs"] == true {
        loop {
            thread::park();
        }
    }
    if let Some(text) = part["fails"].as_str() {
        eprintln!("{text}");
        return ExitCode::FAILURE;
    }
    if let Some(text) = part["says"].as_str() {
        println!("{text}");
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = env::args().skip(1).collect();
    let asked = if program.ends_with("lxc-info") {
        words.starts_with(&["-p", "-H", "-n"].map(str::to_owned))
    } else {
        let inspect = ["container", "inspect", "--format", "{{.State.Pid}}"];
        words.starts_with(&inspect.map(str::to_owned))
    };
    if asked && words.last().map(String::as_str) == part["name"].as_str() {
        println!("{}", next_of(program, part));
        return ExitCode::SUCCESS;
    }
    eprintln!("Error: no such container: {words:?}");
    ExitCode::FAILURE
}

/// The process that it tells of this time.
fn next_of(program: &str, mut part: Value) -> Value {
    let Some(all) = part["pid"].as_array_mut() else {
        return part["pid"].take();
    };
    let now = if all.len() > 1 {
        all.remove(0)
    } else {
        all[0].clone()
    };
    fs::write(format!("{program}.json"), part.to_string()).unwrap();
    now
}
