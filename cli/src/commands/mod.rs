//! One file for each command.

pub(crate) mod addr;
pub(crate) mod attach;
pub(crate) mod bench;
pub(crate) mod capture;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod detach;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod fdb;
pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod netns;
pub(crate) mod ping;
pub(crate) mod port;
pub(crate) mod restart;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod shell;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod up;

use std::process::ExitCode;

use anyhow::Context;

use crate::args::{Cli, Command};
use crate::userlab;
use vswitch_control::metrics::Listener;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_daemon::{Launch, Notifier};
use vswitch_lab::{self as lab, Sockets};

/// How a command that takes `--switch` is told which one, in an error.
const BY_OPTION: &str = "with --switch NAME";

/// Wrong usage that the definition of the arguments cannot express.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(pub(crate) String);

/// What a command takes along from where it was typed, before it is moved to where it works.
#[derive(Debug, Default)]
pub(crate) struct Luggage {
    metrics: Option<Listener>,
    manager: Notifier,
    /// What the parent wants of a switch in the background.
    launch: Option<Launch>,
    /// For the metrics of the switches of a lab.
    sockets: Sockets,
}

impl Luggage {
    /// What this command takes along.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub(crate) fn pack(cli: &Cli) -> anyhow::Result<Self> {
        let given = cli.runtime_dir.clone();
        // What is wrong with it is told when it is needed.
        let runtime = RuntimeDir::resolve(given, |name| std::env::var_os(name)).ok();
        match &cli.command {
            Command::Run(args) if args.detached => {
                let (launch, metrics) = Launch::receive()
                    .context("only 'vswitch run --detach' starts a process in the background")?;
                Ok(Self {
                    metrics,
                    manager: Notifier::from_environment(),
                    launch: Some(launch),
                    ..Self::default()
                })
            }
            Command::Run(args) => Ok(Self {
                metrics: run::bind_metrics(args, runtime.as_ref())?,
                manager: Notifier::from_environment(),
                ..Self::default()
            }),
            Command::Up(args) if !args.dry_run => Ok(Self {
                sockets: Sockets::bind(&args.file),
                ..Self::default()
            }),
            _ => Ok(Self::default()),
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// Whatever went wrong, as one sentence.
pub(crate) fn run(cli: Cli, luggage: Luggage) -> anyhow::Result<ExitCode> {
    let given = cli.runtime_dir;
    let shell_runtime = given.clone();
    let runtime = || RuntimeDir::resolve(given, |name| std::env::var_os(name));
    match cli.command {
        Command::Run(args) => run::run(&runtime()?, &args, luggage)?,
        Command::Stop(args) => stop::run(&runtime()?, &args)?,
        Command::Restart(args) => restart::run(&runtime()?, &args)?,
        Command::List(args) => list::run(&runtime()?, &args)?,
        Command::Show(args) => show::run(&runtime()?, &args)?,
        Command::Attach(args) => attach::run(&runtime()?, &args)?,
        Command::Detach(args) => detach::run(&runtime()?, &args)?,
        Command::Port(action) => port::run(&runtime()?, action)?,
        Command::Top(args) => top::run(&runtime()?, &args)?,
        Command::Events(args) => events::run(&runtime()?, &args)?,
        Command::Fdb(args) => fdb::run(&runtime()?, args)?,
        Command::Netns(action) => netns::run(action)?,
        Command::Link(args) => link::run(args)?,
        Command::Addr(args) => addr::run(args)?,
        Command::Route(args) => route::run(args)?,
        Command::Exec(args) => return exec::run(args),
        Command::Capture(args) => capture::run(&runtime()?, &args)?,
        Command::Explain(args) => explain::run(&runtime()?, &args)?,
        Command::Shell(args) => return shell::run(shell_runtime.as_deref(), &args),
        Command::Ping(args) => return ping::run(runtime, &args),
        Command::Up(args) => return up::run(&runtime()?, &args, &luggage.sockets),
        Command::Down(args) => return down::run(&runtime()?, &args),
        Command::Status(args) => return status::run(&runtime()?, &args),
        Command::Diff(args) => return diff::run(&runtime()?, &args),
        Command::Schema(args) => schema::run(&args)?,
        Command::Supervise(args) => lab::supervise(&args.log, &args.words)?,
        Command::Demo(args) => return demo::run(&args),
        Command::Doctor(args) => return doctor::run(&runtime(), &args),
        Command::Completions(args) => completions::run(&args)?,
        Command::Man(args) => man::run(&args)?,
        Command::Bench(args) => return bench::run(runtime, args),
        Command::Keeper(args) => userlab::keeper::run(runtime()?, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}
