//! The steps of the demonstration, inside its throw-away namespaces.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use vswitch_netns::Namespace;

use super::narrator::Narrator;
use super::report::{Pings, Report};
use crate::measure::{Stop, Unit, figures, ping, tcp};
use vswitch_control::itself;
use vswitch_control::units;

const SWITCH: &str = "my_switch";
/// On the sandbox's own `/run`, whoever runs the demonstration.
const RUNTIME_DIR: &str = "/run/vswitch";
const MARIO: Host = Host::new("mario", "10.0.0.1", "fd00::1");
const LUIGI: Host = Host::new("luigi", "10.0.0.2", "fd00::2");
const PINGS: u16 = 3;
const PING_BYTES: usize = 56;
const PING_INTERVAL: Duration = Duration::from_millis(50);
const THROUGHPUT_TIME: Duration = Duration::from_secs(1);

struct Host {
    name: &'static str,
    v4: &'static str,
    v6: &'static str,
}

impl Host {
    const fn new(name: &'static str, v4: &'static str, v6: &'static str) -> Self {
        Self { name, v4, v6 }
    }
}

/// Tells and does every step; fails with the first that does not end as it should.
pub(super) fn tell(narrator: &mut Narrator) -> anyhow::Result<Report> {
    let mut report = Report::default();
    narrator.intro(&[
        "Two hosts, mario and luigi, each a network namespace, on a virtual switch.",
        "All of it is made in throw-away namespaces: nothing of this machine is changed.",
    ]);

    narrator.step("Start a switch");
    vswitch(narrator, &["run", SWITCH, "--detach"])?;

    for host in [&MARIO, &LUIGI] {
        narrator.step(&format!(
            "Plug in {}: a namespace, a cable, addresses",
            host.name
        ));
        let [v4, v6] = [format!("{}/24", host.v4), format!("{}/64", host.v6)];
        vswitch(narrator, &["attach", host.name, "--ip", &v4, "--ip", &v6])?;
    }

    for (from, to) in [(&MARIO, &LUIGI), (&LUIGI, &MARIO)] {
        narrator.step(&format!("Ping {} from {}", to.name, from.name));
        narrator.by_hand(&format!("vswitch ping {} {}", from.name, to.name));
        for address in [to.v4, to.v6] {
            report.pings.push(pings(narrator, from, address)?);
        }
    }

    narrator.step("Send as fast as one TCP connection goes, for a second");
    narrator.by_hand("vswitch bench mario luigi");
    report.throughput = Some(throughput(narrator)?.into());

    narrator.step("See which stations the switch has learnt");
    vswitch(narrator, &["fdb"])?;

    narrator.step("See what each port has moved and dropped");
    vswitch(narrator, &["port", "list"])?;

    narrator.step("Stop the switch, which removes the cables too");
    vswitch(narrator, &["stop", SWITCH])?;
    Ok(report)
}

/// Runs this very program and shows the command with what it printed.
fn vswitch(narrator: &mut Narrator, arguments: &[&str]) -> anyhow::Result<()> {
    let line = format!("vswitch {}", arguments.join(" "));
    narrator.command(&line);
    let output = itself::command().and_then(|mut command| {
        command
            .args(arguments)
            .env("VSWITCH_RUNTIME_DIR", RUNTIME_DIR)
            .output()
    });
    let output = output.with_context(|| format!("can't run '{line}'"))?;
    narrator.output(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("'{line}' failed: {}", reason.trim());
    }
    Ok(())
}

fn pings(narrator: &mut Narrator, from: &Host, address: &str) -> anyhow::Result<Pings> {
    let target: IpAddr = address.parse()?;
    let report = Namespace::open(from.name)?
        .run(|| ping::ping(target, PINGS, PING_BYTES, PING_INTERVAL))?
        .with_context(|| format!("can't ping {target} from {}", from.name))?;
    let answered = report.round_trips.len();
    let Some((shortest, mean, longest)) = report.summary().filter(|_| report.complete()) else {
        bail!(
            "{target} answered {answered} of {} pings from {}",
            report.sent,
            from.name
        );
    };
    narrator.result(&format!(
        "{address:<9} {answered} of {} answered, {} / {} / {} (min / mean / max)",
        report.sent,
        figures::duration(shortest),
        figures::duration(mean),
        figures::duration(longest),
    ));
    Ok(Pings::new(from.name, target, &report))
}

fn throughput(narrator: &mut Narrator) -> anyhow::Result<tcp::Throughput> {
    let sender = Namespace::open(MARIO.name)?;
    let receiver = Namespace::open(LUIGI.name)?;
    let address: IpAddr = LUIGI.v4.parse()?;
    let measured = tcp::throughput(
        &sender,
        &receiver,
        address,
        1,
        THROUGHPUT_TIME,
        &Stop::never(),
    )
    .context("can't measure the throughput")?;
    narrator.result(&format!(
        "mario to luigi: {} ({} in {}; segments sent again: {})",
        Unit::BitsPerSecond.format(measured.bits_per_second()),
        units::bytes(measured.bytes),
        figures::duration(measured.elapsed),
        measured.retransmits,
    ));
    Ok(measured)
}
