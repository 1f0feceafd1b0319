//! Asking container engines for the process of a container, by their own commands.
//!
//! Nobody has named the command that is run, so one that another user could have put there is not: in a
//! directory of `PATH` in which others can write, or one that is theirs.
//!
//! What an engine prints is taken for a number or for nothing. It is asked for a bounded time: a
//! command that waits for a service which has hung is ended.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use vswitch_netns::NamespaceName;

use vswitch_control::runtime_dir::is_safe_program;

/// How long an engine that was named, or is to be found, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all engines together may take where nobody has named a container.
const BRIEFLY: Duration = Duration::from_secs(2);
/// How often it is looked whether a command has ended.
const INTERVAL: Duration = Duration::from_millis(2);
/// The most of what a command prints that is read.
const MAX_BYTES: u64 = 4096;

/// The commands that are looked for, in the order in which they are asked.
const KNOWN: [&str; 4] = ["docker", "podman", "nerdctl", LXC];
const LXC: &str = "lxc-info";

/// Why the process of a container is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainerError {
    /// There is no engine.
    #[error(
        "no container engine is in PATH (docker, podman, nerdctl, lxc-info): name its command with --engine, or attach the container's process with --pid"
    )]
    NoEngine,
    /// There is one that is not run.
    #[error(
        "the container engine {program} is not run, because another user could replace it:          'chmod go-w' it and the directories that it is in, or name it with --engine"
    )]
    Unsafe {
        /// Its path.
        program: String,
    },
    /// It is another process each time.
    #[error(
        "the container '{0}' is being started or stopped: another process is its own each time that its engine is asked; try again"
    )]
    Restless(String),
    /// None of the engines knows it as running.
    #[error(
        "no container '{name}' is running as far as {asked}: start it first, or attach its process with --pid"
    )]
    NotRunning {
        /// Its name.
        name: String,
        /// Which engines said what.
        asked: String,
    },
}

/// A container engine.
#[derive(Clone, Debug)]
struct Engine {
    program: PathBuf,
}

/// What an engine says of a container.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// It runs, as this process.
    Runs(u32),
    /// It does not run, or there is none; what the engine says.
    Not(String),
}

/// The process of a running container, asked of `engine`, or of all that are in `PATH`.
///
/// # Errors
/// See [`ContainerError`].
pub(crate) fn process_of(
    name: &NamespaceName,
    engine: Option<&Path>,
) -> Result<u32, ContainerError> {
    let engines = match engine {
        Some(program) => vec![Engine {
            program: program.to_owned(),
        }],
        None => in_path(),
    };
    if engines.is_empty() {
        return Err(all_in_path()
            .next()
            .map_or(ContainerError::NoEngine, |found| {
                let program = vswitch_control::plain::path(&found.program);
                ContainerError::Unsafe { program }
            }));
    }
    let mut told = Vec::new();
    for engine in &engines {
        match engine.ask(name, PATIENCE) {
            Told::Runs(pid) => return Ok(pid),
            Told::Not(why) => told.push(format!("{} says ({why})", engine.called())),
        }
    }
    Err(ContainerError::NotRunning {
        name: name.to_string(),
        asked: told.join(" and "),
    })
}

/// The engine that has a running container of this name, if there is one and it answers soon.
pub(crate) fn engine_of(name: &NamespaceName) -> Option<String> {
    let deadline = Instant::now() + BRIEFLY;
    in_path().into_iter().find_map(|engine| {
        let left = deadline.saturating_duration_since(Instant::now());
        match engine.ask(name, left) {
            Told::Runs(_) => Some(engine.called()),
            Told::Not(_) => None,
        }
    })
}

/// The engines whose commands are in `PATH`, but those that another user could have put there.
fn in_path() -> Vec<Engine> {
    let mut engines: Vec<Engine> = Vec::new();
    for found in all_in_path().filter(|engine| is_safe_program(&engine.program)) {
        // The first of each name.
        if engines
            .iter()
            .all(|engine| engine.program.file_name() != found.program.file_name())
        {
            engines.push(found);
        }
    }
    engines
}

/// All commands in `PATH` that are called as those of engines.
fn all_in_path() -> impl Iterator<Item = Engine> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).filter(|place| place.is_absolute());
    let places: Vec<PathBuf> = places.collect();
    KNOWN.iter().flat_map(move |name| {
        let programs = places.iter().map(|place| place.join(name));
        let programs: Vec<PathBuf> = programs.filter(|program| program.is_file()).collect();
        programs.into_iter().map(|program| Engine { program })
    })
}

impl Engine {
    fn called(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        name.to_string_lossy().escape_debug().to_string()
    }

    fn command(&self, name: &NamespaceName) -> Command {
        let mut command = Command::new(&self.program);
        if self.program.file_name() == Some(OsStr::new(LXC)) {
            command.args(["-p", "-H", "-n", name.as_str()]);
        } else {
            let format = ["container", "inspect", "--format", "{{.State.Pid}}"];
            command.args(format).arg(name.as_str());
        }
        command
    }

    fn ask(&self, name: &NamespaceName, patience: Duration) -> Told {
        match run(self.command(name), patience) {
            Err(error) => Told::Not(error.to_string()),
            Ok((status, output, errors)) => judge(status, &output, &errors),
        }
    }
}

/// What the output of an engine means. That of a container which does not run is 0, -1 or nothing.
fn judge(status: ExitStatus, output: &str, errors: &str) -> Told {
    let pid = output.trim().parse().ok().filter(|pid| *pid > 0);
    match pid {
        Some(pid) if status.success() => Told::Runs(pid),
        _ => {
            let said = errors.lines().find(|line| !line.trim().is_empty());
            let said = said.map_or("it is not running", str::trim);
            Told::Not(said.escape_debug().take(200).collect())
        }
    }
}

/// Runs a command to its end, or until patience is over. Gives what it has printed.
fn run(mut command: Command, patience: Duration) -> std::io::Result<(ExitStatus, String, String)> {
    let deadline = Instant::now() + patience;
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let output = read_aside(child.stdout.take())?;
    let errors = read_aside(child.stderr.take())?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other("it does not answer in time"));
        }
        thread::sleep(INTERVAL);
    };
    // What it has started may hold the pipes open for longer.
    let text = |pipe: &Receiver<String>| {
        let left = deadline.saturating_duration_since(Instant::now());
        pipe.recv_timeout(left).unwrap_or_default()
    };
    Ok((status, text(&output), text(&errors)))
}

/// Reads a pipe in a thread of its own, which ends with the pipe.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> std::io::Result<Receiver<String>> {
    let (give, take) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = (&mut pipe).take(MAX_BYTES).read_to_end(&mut bytes);
            let _ = give.send(String::from_utf8_lossy(&bytes).into_owned());
            // The rest is read, so that the command is not held up, and forgotten.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
    })?;
    Ok(take)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn only_the_number_of_a_process_is_taken() {
        let ok = ExitStatus::from_raw(0);
        let failed = ExitStatus::from_raw(1 << 8);
        assert_eq!(judge(ok, "4711\n", ""), Told::Runs(4711));
        for output in ["0\n", "-1\n", "", "\n", "web\n", "1 2\n"] {
            assert!(matches!(judge(ok, output, ""), Told::Not(_)), "{output}");
        }
        let told = judge(failed, "4711\n", "\nError: no such container\n");
        assert_eq!(told, Told::Not("Error: no such container".to_owned()));
        let told = judge(failed, "", "\u{1b}[31mno\n");
        assert_eq!(told, Told::Not("\\u{1b}[31mno".to_owned()));
    }
}
