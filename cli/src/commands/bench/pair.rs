//! `vswitch bench A B`: between two attached namespaces.

mod report;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::unistd::Pid;
use vswitch_netns::{Namespace, NamespaceName, Netlink};

use super::progress::Progress;
use super::sizes::sizes;
use crate::args::{BenchTest, PairArgs};
use crate::commands::{BY_OPTION, WrongUsage};
use crate::measure::{End, Interrupted, Path, Stop, Test, largest_size, measure};
use crate::render;
use report::Report;
use vswitch_control::client::Client;
use vswitch_control::exit::signalled;
use vswitch_control::protocol::SwitchView;
use vswitch_control::rights::{self, Capability};
use vswitch_control::runtime_dir::RuntimeDir;

/// What entering namespaces and sending raw frames takes.
const RIGHTS: &[Capability] = &[Capability::NetRaw, Capability::SysAdmin];

pub(super) fn run(runtime: &RuntimeDir, args: &PairArgs) -> anyhow::Result<ExitCode> {
    if args.from == args.to {
        let sentence = format!(
            "'{0}' can't be measured against itself: name two namespaces",
            args.from
        );
        return Err(WrongUsage(sentence).into());
    }
    rights::require("measure between namespaces", RIGHTS)?;
    let mut client = Client::choose(runtime, args.switch.as_ref(), BY_OPTION)?;
    let view = client.show()?;
    let daemon = client
        .process()
        .context("can't find the process of the switch")?;
    drop(client); // it would count as one that is silent
    let path = path(runtime, &view, daemon, args)?;
    let tests = tests(args, &view, &path)?;

    let stop = Stop::on_signals()?;
    let mut report = Report::new(&view, args, &path);
    let ended = run_all(&tests, &path, args, &stop, &mut report);
    let status = match ended {
        Err(error) if error.is::<Interrupted>() => {
            report.interrupted = true;
            signalled(stop.signal().unwrap_or_default().into())
        }
        // What was measured before is worth having all the same.
        Err(error) if report.is_empty() => return Err(error),
        Err(error) => {
            print(&report, args.json)?;
            return Err(error);
        }
        Ok(()) => 0,
    };
    print(&report, args.json)?;
    if report.interrupted {
        let (done, all) = (report.tests_done(), tests.len());
        eprintln!("vswitch: interrupted; {done} of {all} tests were over");
    }
    Ok(ExitCode::from(status))
}

fn run_all(
    tests: &[Test],
    path: &Path,
    args: &PairArgs,
    stop: &Stop,
    report: &mut Report,
) -> anyhow::Result<()> {
    let time = Duration::from_secs(args.time_s.into());
    let total = tests.iter().map(|test| test.duration(time)).sum();
    let mut progress = Progress::new(total);
    for test in tests {
        progress.step(&test.name(), test.duration(time));
        let outcome = measure(*test, path, time, stop).with_context(|| {
            let what = test.name();
            format!("can't measure from {} to {} ({what})", args.from, args.to)
        })?;
        report.add(*test, &outcome);
    }
    progress.clear();
    Ok(())
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        render::print_json(report)?;
    } else {
        render::print(&report.text())?;
    }
    Ok(())
}

/// What is to be measured, in the order of the list in the help: many stations last, since the
/// switch remembers them.
fn tests(args: &PairArgs, view: &SwitchView, path: &Path) -> anyhow::Result<Vec<Test>> {
    let wanted = |test| args.tests.contains(&test);
    let mut tests = Vec::new();
    if wanted(BenchTest::Tcp) {
        tests.push(Test::Tcp { streams: 1 });
        let streams = usize::from(args.streams);
        tests.extend((streams > 1).then_some(Test::Tcp { streams }));
    }
    if wanted(BenchTest::Response) {
        tests.push(Test::Response { one_cpu: false });
    }
    if wanted(BenchTest::ResponseOneCpu) {
        if path.forwarders.is_empty() {
            bail!(
                "the switch '{}' can't be bound to a CPU from here, where its process is not to \
                 be seen: measure without response-one-cpu",
                view.name
            );
        }
        tests.push(Test::Response { one_cpu: true });
    }
    if !tests.is_empty() {
        path.to.need_address()?;
    }
    let of_frames = [BenchTest::Frames, BenchTest::Sources, BenchTest::NoLoss];
    if of_frames.into_iter().any(wanted) {
        let sizes = frame_sizes(args, path)?;
        if wanted(BenchTest::Frames) {
            tests.extend(sizes.iter().map(|&size| Test::Frames { size, sources: 1 }));
        }
        if wanted(BenchTest::NoLoss) {
            tests.extend(sizes.iter().map(|&size| Test::NoLoss { size }));
        }
        if wanted(BenchTest::Sources) {
            refuse_more_than_remembered(args.sources, view)?;
            let sources = usize::try_from(args.sources)?;
            let shortest = sizes.first();
            tests.extend(shortest.map(|&size| Test::Frames { size, sources }));
        }
    }
    Ok(tests)
}

/// Stations that the switch can't remember would be flooded for: another test than asked for.
fn refuse_more_than_remembered(sources: u32, view: &SwitchView) -> anyhow::Result<()> {
    let SwitchView { name, settings, .. } = view;
    let max_macs = settings.table_len();
    if u64::from(sources) > max_macs {
        bail!(
            "the switch '{name}' remembers at most {max_macs} stations, not {sources}: choose \
             fewer with --sources, or run it with a greater --max-macs"
        );
    }
    Ok(())
}

/// The sizes of raw frames that fit both ends.
fn frame_sizes(args: &PairArgs, path: &Path) -> anyhow::Result<Vec<usize>> {
    let largest = largest_size(path)?;
    sizes(&args.sizes, largest).map_err(|size| {
        anyhow!(
            "frames of {size} bytes do not fit between '{}' and '{}', whose MTU allows \
             {largest}: choose a smaller --size, or attach both with a greater --mtu",
            args.from,
            args.to
        )
    })
}

fn path(
    runtime: &RuntimeDir,
    view: &SwitchView,
    daemon: Option<Pid>,
    args: &PairArgs,
) -> anyhow::Result<Path> {
    let end = |name| end(runtime, view, name);
    Ok(Path {
        from: end(&args.from)?,
        to: end(&args.to)?,
        forwarders: daemon.into_iter().collect(),
    })
}

/// The interface inside a namespace that is attached to the switch.
fn end(runtime: &RuntimeDir, view: &SwitchView, name: &NamespaceName) -> anyhow::Result<End> {
    let Some(interface) = inside_interface(view, name) else {
        let switch = &view.name;
        if let Some(other) = elsewhere(runtime, view, name) {
            bail!(
                "the namespace '{name}' is attached to the switch '{other}', not to '{switch}': \
                 measure between two namespaces of one switch"
            );
        }
        bail!(
            "the namespace '{name}' is not attached to the switch '{switch}': attach it with \
             'vswitch attach {name} --switch {switch}'"
        );
    };
    let namespace = Namespace::open(name.as_str())?;
    let address = address_of(&namespace, &interface)?;
    Ok(End {
        namespace,
        interface,
        address,
    })
}

fn inside_interface(view: &SwitchView, namespace: &NamespaceName) -> Option<String> {
    view.ports
        .iter()
        .find(|port| port.namespace.as_deref() == Some(namespace.as_str()))
        .and_then(|port| port.peer.clone())
}

/// The other running switch that the namespace is attached to. One that does not answer is none.
fn elsewhere(runtime: &RuntimeDir, view: &SwitchView, name: &NamespaceName) -> Option<String> {
    let switches = runtime.switches().ok()?;
    switches
        .iter()
        .filter(|switch| switch.as_str() != view.name)
        .filter_map(|switch| Client::connect(runtime, switch).ok()?.show().ok())
        .find(|other| inside_interface(other, name).is_some())
        .map(|other| other.name)
}

/// An address by which the interface can be reached: of IPv4 if it has one.
fn address_of(namespace: &Namespace, interface: &str) -> anyhow::Result<Option<IpAddr>> {
    let mut netlink = Netlink::open_in(namespace)?;
    let link = netlink.link(interface)?;
    let mut addresses: Vec<IpAddr> = netlink
        .addresses(Some(&link))?
        .iter()
        .map(|address| address.net.addr())
        .filter(|address| !is_link_local(address))
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    Ok(addresses.first().copied())
}

const fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
