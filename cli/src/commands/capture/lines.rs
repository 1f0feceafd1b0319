//! A line for each frame.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::sink::{Sink, SinkError};
use super::words::{self, Addresses};
use crate::render::table::{BAD, FAINT, WARNING, paint};
use vswitch_control::pcapng::{Frame, Interface, Told, flag, read};
use vswitch_control::plain;

/// How a frame begins that went no further.
const DROPPED: &str = "dropped: ";

/// Lines for people or for machines, on standard output.
pub(crate) struct Lines {
    style: Style,
    interfaces: Vec<Interface>,
    zone: TimeZone,
    pending: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text,
    Reasons,
    Json,
}

impl Lines {
    /// For people.
    pub(crate) fn text() -> Self {
        Self::new(Style::Text)
    }

    /// For people who want to know why.
    pub(crate) fn reasons() -> Self {
        Self::new(Style::Reasons)
    }

    /// For machines.
    pub(crate) fn json() -> Self {
        Self::new(Style::Json)
    }

    fn new(style: Style) -> Self {
        Self {
            style,
            interfaces: Vec::new(),
            zone: TimeZone::system(),
            pending: String::new(),
        }
    }

    fn interface(&self, frame: &Frame<'_>) -> Option<&Interface> {
        self.interfaces.get(usize::try_from(frame.interface).ok()?)
    }

    fn line(&self, frame: &Frame<'_>) -> String {
        match self.style {
            Style::Text => self.text_line(frame),
            Style::Reasons => self.reasons_line(frame),
            Style::Json => self.json_line(frame),
        }
    }

    fn time(&self, time: Duration) -> String {
        let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(0);
        match Timestamp::from_nanosecond(nanoseconds) {
            Ok(stamp) => stamp
                .to_zoned(self.zone.clone())
                .strftime("%H:%M:%S%.9f")
                .to_string(),
            Err(_) => "-".to_owned(),
        }
    }

    /// What stands before what is said of a frame.
    fn heading(&self, frame: &Frame<'_>) -> String {
        let name = self.interface(frame).map_or("?", |known| &known.name);
        let longest = self.interfaces.iter().map(|known| known.name.len()).max();
        format!(
            "{} {name:width$} {}",
            paint(FAINT, self.time(frame.time)),
            if frame.is_inbound() { "in " } else { "out" },
            width = longest.unwrap_or(0),
        )
    }

    fn text_line(&self, frame: &Frame<'_>) -> String {
        let mut line = format!(
            "{} {}",
            self.heading(frame),
            plain::text(&words::frame(frame))
        );
        for comment in &frame.comments {
            let style = if comment.starts_with(DROPPED) {
                BAD
            } else {
                WARNING
            };
            line += "  ";
            line += &paint(style, format!("[{}]", plain::text(comment)));
        }
        if frame.lost_before > 0 {
            let lost = format!("[{} not captured before this]", frame.lost_before);
            line += "  ";
            line += &paint(WARNING, lost);
        }
        line.push('\n');
        line
    }

    fn reasons_line(&self, frame: &Frame<'_>) -> String {
        // The last comment is the reason; one before it says what happened.
        let reason = frame.comments.last().map_or("", String::as_str);
        let reason = plain::text(reason);
        format!(
            "{} {}: {reason}\n",
            self.heading(frame),
            words::addresses(frame.bytes)
        )
    }

    fn json_line(&self, frame: &Frame<'_>) -> String {
        let interface = self.interface(frame);
        let described = interface.and_then(|known| known.description.as_deref());
        let nanoseconds = i128::try_from(frame.time.as_nanos()).unwrap_or(0);
        let stamp = Timestamp::from_nanosecond(nanoseconds).map(|stamp| format!("{stamp:.9}"));
        let dropped = |prefix: &str| {
            let found = frame
                .comments
                .iter()
                .find_map(|text| text.strip_prefix(prefix));
            found.and_then(|text| text.split(' ').next())
        };
        let json = Json {
            time: stamp.unwrap_or_default(),
            port: interface.map_or("?", |known| &known.name),
            namespace: described.and_then(|text| text.strip_prefix("namespace ")),
            direction: if frame.is_inbound() { "in" } else { "out" },
            length: frame.len,
            captured: frame.bytes.len(),
            addresses: Addresses::of(frame.bytes),
            info: words::payload(frame),
            dropped: dropped(DROPPED),
            perhaps_dropped: dropped("perhaps dropped: "),
            checksum_unfinished: frame.has(flag::CHECKSUM_NOT_READY),
            super_frame: frame.has(flag::TO_BE_SEGMENTED),
            lost_before: frame.lost_before,
            comments: &frame.comments,
        };
        let line = serde_json::to_string(&json).unwrap_or_default();
        plain::json(&line).into_owned() + "\n"
    }
}

/// A frame as `--json` has it.
#[derive(Serialize)]
struct Json<'a> {
    time: String,
    port: &'a str,
    namespace: Option<&'a str>,
    direction: &'static str,
    length: u32,
    captured: usize,
    #[serde(flatten)]
    addresses: Addresses,
    info: String,
    dropped: Option<&'a str>,
    perhaps_dropped: Option<&'a str>,
    checksum_unfinished: bool,
    super_frame: bool,
    lost_before: u64,
    comments: &'a [String],
}

impl Sink for Lines {
    fn block(&mut self, _kind: u32, block: &[u8]) -> Result<(), SinkError> {
        match read(block) {
            Told::Interface(mut interface) => {
                if !matches!(self.style, Style::Json) {
                    interface.name = plain::text(&interface.name).into_owned();
                }
                self.interfaces.push(interface);
            }
            Told::Frame(frame) => self.pending += &self.line(&frame),
            Told::Statistics(..) | Told::Other => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let mut out = anstream::stdout().lock();
        let written = out
            .write_all(plain::styled(&self.pending).as_bytes())
            .and_then(|()| out.flush());
        self.pending.clear();
        written.map_err(|source| match source.kind() {
            ErrorKind::BrokenPipe => SinkError::Unread,
            _ => SinkError::Write {
                name: "standard output".to_owned(),
                source,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_control::pcapng;

    #[test]
    fn names_and_comments_of_others_are_harmless() {
        for name in plain::hostile::NAMES {
            for mut lines in [Lines::text(), Lines::reasons(), Lines::json()] {
                let mut block = Vec::new();
                pcapng::interface(&mut block, name, Some(name), 100);
                lines.block(0, &block).unwrap();
                block.clear();
                let comments = [name.to_owned(), format!("{DROPPED}{name}")];
                let packet = pcapng::Packet {
                    interface: 0,
                    time: Duration::ZERO,
                    len: 60,
                    bytes: &[0; 60],
                    flags: flag::INBOUND,
                    lost_before: 1,
                    comments: &comments,
                };
                pcapng::packet(&mut block, &packet);
                lines.block(0, &block).unwrap();
                plain::hostile::assert_harmless(&lines.pending, name);
                assert_eq!(lines.pending.lines().count(), 1, "{name:?}");
            }
        }
    }
}
