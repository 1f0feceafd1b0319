//! `vswitch bench`: throughput and response time between two attached namespaces.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use vswitch_netns::{Namespace, NamespaceName, Netlink};

use super::progress::Progress;
use crate::args::PairArgs as BenchArgs;
use crate::client::Client;
use crate::measure::{figures, response, tcp};
use crate::protocol::SwitchView;
use crate::render::{self, units};
use crate::runtime_dir::RuntimeDir;

/// What was measured. Fields are added, never renamed or removed.
#[derive(Serialize)]
struct Report {
    switch: String,
    from: String,
    to: String,
    address: IpAddr,
    tcp: TcpReport,
    response: ResponseReport,
}

#[derive(Serialize)]
struct TcpReport {
    streams: u16,
    bytes: u64,
    seconds: f64,
    bits_per_second: f64,
    retransmits: u64,
}

#[derive(Serialize)]
struct ResponseReport {
    exchanges: usize,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
}

pub(crate) fn run(runtime: &RuntimeDir, args: &BenchArgs) -> anyhow::Result<()> {
    if args.from == args.to {
        let sentence = format!(
            "'{0}' can't be measured against itself: name two namespaces",
            args.from
        );
        return Err(crate::commands::WrongUsage(sentence).into());
    }
    let mut client = Client::choose(runtime, args.switch.as_ref(), crate::commands::BY_OPTION)?;
    let view = client.show()?;
    inside_interface(&view, &args.from)?;
    let interface = inside_interface(&view, &args.to)?;
    let from = Namespace::open(args.from.as_str())?;
    let to = Namespace::open(args.to.as_str())?;
    let address = address_of(&to, &args.to, &interface)?;
    let time = Duration::from_secs(args.time_s.into());

    let mut progress = Progress::new(time * 2);
    progress.step(
        &format!("throughput to {address} for {} s", args.time_s),
        time,
    );
    let streams = usize::from(args.streams);
    let throughput = tcp::throughput(&from, &to, address, streams, time)
        .with_context(|| unmeasured("throughput", args))?;
    progress.step(
        &format!("response time of {address} for {} s", args.time_s),
        time,
    );
    let responses = response::responses(&from, &to, address, time)
        .with_context(|| unmeasured("response time", args))?;
    progress.clear();

    let report = report(&view, args, address, &throughput, &responses);
    if args.json {
        render::print_json(&report)?;
    } else {
        render::print(&text(&report, &throughput, &responses))?;
    }
    Ok(())
}

fn unmeasured(what: &str, args: &BenchArgs) -> String {
    format!("can't measure the {what} from {} to {}", args.from, args.to)
}

/// The interface inside a namespace that is attached to the switch.
fn inside_interface(view: &SwitchView, namespace: &NamespaceName) -> anyhow::Result<String> {
    view.ports
        .iter()
        .find(|port| port.namespace.as_deref() == Some(namespace.as_str()))
        .and_then(|port| port.peer.clone())
        .with_context(|| {
            format!(
                "the namespace '{namespace}' is not attached to the switch '{0}': attach it \
                 with 'vswitch attach {namespace} --switch {0}'",
                view.name
            )
        })
}

/// An address by which the interface can be reached: of IPv4 if it has one.
fn address_of(
    namespace: &Namespace,
    name: &NamespaceName,
    interface: &str,
) -> anyhow::Result<IpAddr> {
    let mut netlink = Netlink::open_in(namespace)?;
    let link = netlink.link(interface)?;
    let mut addresses: Vec<IpAddr> = netlink
        .addresses(Some(&link))?
        .iter()
        .map(|address| address.net.addr())
        .filter(|address| !is_link_local(address))
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.first().copied().with_context(|| {
        format!(
            "the interface {interface} of namespace '{name}' has no address: attach it with --ip"
        )
    })
}

const fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn micros(span: Option<Duration>) -> f64 {
    span.unwrap_or_default().as_secs_f64() * 1e6
}

fn report(
    view: &SwitchView,
    args: &BenchArgs,
    address: IpAddr,
    throughput: &tcp::Throughput,
    responses: &response::Responses,
) -> Report {
    Report {
        switch: view.name.clone(),
        from: args.from.to_string(),
        to: args.to.to_string(),
        address,
        tcp: TcpReport {
            streams: args.streams,
            bytes: throughput.bytes,
            seconds: throughput.elapsed.as_secs_f64(),
            bits_per_second: throughput.bits_per_second(),
            retransmits: throughput.retransmits,
        },
        response: ResponseReport {
            exchanges: responses.count(),
            p50_us: micros(responses.percentile(50)),
            p90_us: micros(responses.percentile(90)),
            p99_us: micros(responses.percentile(99)),
        },
    }
}

fn text(report: &Report, throughput: &tcp::Throughput, responses: &response::Responses) -> String {
    let percentile = |percent| figures::duration(responses.percentile(percent).unwrap_or_default());
    let plural = if report.tcp.streams == 1 { "" } else { "s" };
    format!(
        "{} to {} ({}) over {}\n\
         throughput     {:>12}  TCP, {} stream{plural}, {} in {}; segments sent again: {}\n\
         response time  {:>12}  median; 90 %: {}, 99 %: {}; one byte there and back, {} times\n",
        report.from,
        report.to,
        report.address,
        report.switch,
        figures::bit_rate(report.tcp.bits_per_second),
        report.tcp.streams,
        units::bytes(throughput.bytes),
        figures::duration(throughput.elapsed),
        units::count(throughput.retransmits),
        percentile(50),
        percentile(90),
        percentile(99),
        units::count(responses.count() as u64),
    )
}
