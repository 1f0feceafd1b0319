//! From one namespace to another, or to an address.

use std::io;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ipnet::IpNet;
use nix::errno::Errno;
use serde::Serialize;
use vswitch_netns::{AddressScope, Namespace, NamespaceName, Netlink};

use crate::args::{PingArgs, Target};
use crate::measure::Stop;
use crate::measure::ping::{Answer, Echo};
use crate::render;

/// One address, and what it has answered so far.
struct Course {
    address: IpAddr,
    echo: Echo,
    sent: u64,
    round_trips: Vec<Duration>,
    not_sent: Option<Errno>,
}

/// What `--json` has. Fields are added, never renamed or removed.
#[derive(Serialize)]
struct Report<'a> {
    from: &'a str,
    to: Option<&'a str>,
    addresses: Vec<AddressReport>,
}

#[derive(Serialize)]
struct AddressReport {
    address: IpAddr,
    family: u8,
    sent: u64,
    received: usize,
    min_us: Option<f64>,
    mean_us: Option<f64>,
    max_us: Option<f64>,
    error: Option<String>,
}

pub(super) fn run(from: &NamespaceName, to: &Target, args: &PingArgs) -> anyhow::Result<ExitCode> {
    let namespace = Namespace::open(from.as_str())?;
    let addresses = addresses(to, args)?;
    let stop = Stop::on_signals()?;
    let mut courses = open(&namespace, from, &addresses, args)?;
    let live = !args.json;
    if live {
        let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        render::print_live(&format!(
            "{from} pings {} with {} bytes",
            all.join(" and "),
            args.size
        ))?;
    }
    ask(&mut courses, args, live, &stop)?;
    if live {
        let mut text = String::from("\n");
        for course in &courses {
            text.push_str(&course.summary());
        }
        render::print(&text)?;
    } else {
        let to = match to {
            Target::Namespace(name) => Some(name.as_str()),
            Target::Address(_) => None,
        };
        render::print_json(&Report {
            from: from.as_str(),
            to,
            addresses: courses.iter().map(AddressReport::from).collect(),
        })?;
    }
    let all_answered = courses.iter().all(|course| !course.round_trips.is_empty());
    Ok(if all_answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The addresses to ask, of the families that are wanted.
fn addresses(to: &Target, args: &PingArgs) -> anyhow::Result<Vec<IpAddr>> {
    let wanted = |address: &IpAddr| args.family.takes(&IpNet::from(*address));
    let name = match to {
        Target::Address(address) if wanted(address) => return Ok(vec![*address]),
        Target::Address(address) => {
            bail!("{address} is of the other address family: leave out -4 or -6")
        }
        Target::Namespace(name) => name,
    };
    let namespace = Namespace::open(name.as_str())?;
    let mut all = Netlink::open_in(&namespace)?.addresses(None)?;
    all.retain(|address| address.scope == AddressScope::Global && !address.duplicate);
    let addresses: Vec<IpAddr> = all
        .iter()
        .map(|address| address.net.addr())
        .filter(wanted)
        .collect();
    if addresses.is_empty() {
        let family = match (args.family.v4, args.family.v6) {
            (true, _) => "IPv4 ",
            (_, true) => "IPv6 ",
            _ => "",
        };
        bail!(
            "the namespace '{name}' has no {family}address that others could reach: give it one with 'vswitch -n {name} addr add ADDRESS/LENGTH dev NAME'"
        );
    }
    Ok(addresses)
}

fn open(
    namespace: &Namespace,
    from: &NamespaceName,
    addresses: &[IpAddr],
    args: &PingArgs,
) -> anyhow::Result<Vec<Course>> {
    let _inside = namespace.enter()?;
    let course = |address: &IpAddr| {
        let echo = Echo::open(*address, args.size.into())
            .with_context(|| format!("cannot send pings from '{from}'"))?;
        Ok(Course {
            address: *address,
            echo,
            sent: 0,
            round_trips: Vec::new(),
            not_sent: None,
        })
    };
    addresses.iter().map(course).collect()
}

/// Asks each address in turn, as often as is wanted, until it is time to end or nobody reads.
fn ask(courses: &mut [Course], args: &PingArgs, live: bool, stop: &Stop) -> io::Result<()> {
    let mut sequence: u16 = 0;
    loop {
        sequence = sequence.wrapping_add(1);
        let next = Instant::now() + args.interval;
        for course in &mut *courses {
            let Some(line) = course.ask(sequence, args, stop)? else {
                return Ok(());
            };
            if live && !render::print_live(&line)? {
                return Ok(());
            }
        }
        let over = args.count > 0 && sequence >= args.count;
        let left = next.saturating_duration_since(Instant::now());
        if over || stop.pause(left).is_err() {
            return Ok(());
        }
    }
}

impl Course {
    /// One request, and the line that tells of it; none if it was broken off.
    fn ask(&mut self, sequence: u16, args: &PingArgs, stop: &Stop) -> io::Result<Option<String>> {
        let address = self.address;
        let answer = self.echo.ask(sequence, args.timeout, stop)?;
        // The request that was under way is not counted as lost.
        if stop.is_set() && !matches!(answer, Answer::Reply(_)) {
            return Ok(None);
        }
        self.sent += 1;
        Ok(Some(match answer {
            Answer::Reply(round_trip) => {
                self.round_trips.push(round_trip);
                let bytes = usize::from(args.size) + 8;
                let time = milliseconds(round_trip);
                format!("{bytes} bytes from {address}: icmp_seq={sequence} time={time} ms")
            }
            Answer::Silence => format!("no answer from {address}: icmp_seq={sequence}"),
            Answer::NotSent(errno) => {
                self.not_sent = Some(errno);
                format!(
                    "not sent to {address}: icmp_seq={sequence} {}",
                    errno.desc()
                )
            }
        }))
    }

    fn received(&self) -> u64 {
        self.round_trips.len().try_into().unwrap_or(u64::MAX)
    }

    fn spread(&self) -> Option<[Duration; 3]> {
        let count = u32::try_from(self.round_trips.len()).ok()?;
        let shortest = self.round_trips.iter().min()?;
        let longest = self.round_trips.iter().max()?;
        let mean = self.round_trips.iter().sum::<Duration>() / count;
        Some([*shortest, mean, *longest])
    }

    fn summary(&self) -> String {
        let (sent, received) = (self.sent, self.received());
        let lost = match sent {
            0 => 0,
            sent => (sent - received.min(sent)) * 100 / sent,
        };
        let times = self.spread().map_or(String::new(), |spread| {
            let [min, mean, max] = spread.map(milliseconds);
            format!(", min/avg/max {min}/{mean}/{max} ms")
        });
        format!(
            "{}: {sent} sent, {received} answered, {lost}% lost{times}\n",
            self.address
        )
    }
}

impl From<&Course> for AddressReport {
    fn from(course: &Course) -> Self {
        let spread = course.spread();
        let us = |place: usize| spread.map(|spread| spread[place].as_secs_f64() * 1e6);
        Self {
            address: course.address,
            family: if course.address.is_ipv4() { 4 } else { 6 },
            sent: course.sent,
            received: course.round_trips.len(),
            min_us: us(0),
            mean_us: us(1),
            max_us: us(2),
            error: course.not_sent.map(|errno| errno.desc().to_owned()),
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}
