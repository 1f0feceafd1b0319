//! `vswitch events`: what happens in a switch, as it happens.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::thread;

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::args::EventsArgs;
use crate::render::events;
use vswitch_control::client::{Client, Told};
use vswitch_control::plain;
use vswitch_control::protocol::{EventView, Happening};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::signals::Signals;

pub(crate) fn run(runtime: &RuntimeDir, args: &EventsArgs) -> anyhow::Result<()> {
    let client = Client::choose(runtime, args.switch.as_ref(), super::BY_OPTION)?;
    let switch = client.switch().clone();
    let name = switch.to_string();
    // Before the thread that waits for them.
    let signals = Signals::take().context("can't listen for signals")?;
    end_at(signals)?;
    let mut news = client.listen()?;
    if io::stderr().is_terminal() && io::stdout().is_terminal() {
        let _ = writeln!(io::stderr(), "listening to {name} until Ctrl-C");
    }
    let writer = Writer {
        switch: &name,
        zone: (!args.json).then(TimeZone::system),
    };
    while let Some(told) = news
        .wait()
        .with_context(|| format!("the connection to the switch '{name}' broke"))?
    {
        match writer.write(&told) {
            Ok(Then::More) => {}
            Ok(Then::Elsewhere) => {
                news = Client::connect(runtime, &switch)?.listen()?;
            }
            // Whoever reads has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Ok(Then::Nothing) => return Ok(()),
            Err(error) => return Err(error).context("can't write the events"),
        }
    }
    bail!("the switch '{name}' has ended without a word: it was killed, most likely")
}

/// Ends the process, as a success, when it is asked to, whatever it waits for then.
fn end_at(signals: Signals) -> anyhow::Result<()> {
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            // Where it can't be waited for, the signals are as good as ignored; SIGKILL is left.
            if signals.wait().is_ok() {
                std::process::exit(0);
            }
        })
        .context("can't start the thread that waits for signals")?;
    Ok(())
}

/// An event for machines: what all have comes first.
#[derive(Serialize)]
struct Line<'a> {
    time: Option<Value>,
    switch: &'a str,
    event: Option<Value>,
    #[serde(flatten)]
    rest: Told,
}

/// What comes after some events.
enum Then {
    /// Others.
    More,
    /// Others, from another process.
    Elsewhere,
    /// None.
    Nothing,
}

/// Writes events to standard output.
struct Writer<'a> {
    switch: &'a str,
    /// Where people live; `None` for machines.
    zone: Option<TimeZone>,
}

impl Writer<'_> {
    /// Writes what has come at once.
    fn write(&self, told: &[Told]) -> io::Result<Then> {
        let mut text = String::new();
        let mut then = Then::More;
        for event in told {
            let view: EventView = serde_json::from_value(Value::Object(event.clone()))?;
            match view.what {
                Happening::Stopped => then = Then::Nothing,
                Happening::Restarted => then = Then::Elsewhere,
                _ => {}
            }
            match &self.zone {
                Some(zone) => text.push_str(&plain::styled(&events::line(&view, zone))),
                None => text.push_str(&self.json(event)?),
            }
        }
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(then)
    }

    /// As the switch has sent it, with the switch's name.
    fn json(&self, event: &Told) -> io::Result<String> {
        let mut rest = event.clone();
        let line = Line {
            time: rest.remove("time"),
            switch: self.switch,
            event: rest.remove("event"),
            rest,
        };
        Ok(plain::json(&serde_json::to_string(&line)?).into_owned() + "\n")
    }
}
