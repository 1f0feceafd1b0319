//! Output for people: aligned tables, units, and colour that vanishes off a terminal.
//!
//! Everything here gives text with colours in it; [`print()`] and [`print_json`] put it out.

mod addr;
pub(crate) mod drops;
pub(crate) mod events;
mod explain;
mod fdb;
#[cfg(test)]
mod hostile_tests;
pub(crate) mod labs;
mod link;
mod list;
mod matrix;
mod patience;
mod route;
mod show;
pub(crate) mod table;

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use vswitch_control::plain;

pub(crate) use addr::addresses;
pub(crate) use drops::meaning;
pub(crate) use explain::explanation;
pub(crate) use fdb::stations;
pub(crate) use link::{Row as LinkRow, links, state_of};
pub(crate) use list::switches;
pub(crate) use matrix::{Matrix, matrix};
pub(crate) use patience::Patience;
pub(crate) use route::routes;
pub(crate) use show::{ports, switch};

/// Writes `text` to standard output, of which colours alone reach a terminal; without colour where that is no terminal, or where
/// `NO_COLOR` is set. A reader that has gone away ends the output and is no failure.
///
/// # Errors
/// Any other failure of writing.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let text = plain::styled(text);
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| unwritable(&error)),
    }
}

/// Writes one line, of which nothing but text reaches a terminal.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_sentence(sentence: &str) -> io::Result<()> {
    print(&format!("{}\n", plain::text(sentence.trim_end())))
}

fn unwritable(error: &io::Error) -> io::Error {
    let sentence = format!("cannot write to standard output: {error}");
    io::Error::new(error.kind(), sentence)
}

/// Writes a line of something that goes on, at once; `false` if nobody reads it any more.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_live(line: &str) -> io::Result<bool> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{}", plain::styled(line)).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true).map_err(|error| unwritable(&error)),
    }
}

/// How many columns the terminal at standard output has; `None` if it is none.
pub(crate) fn terminal_columns() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0))
}

/// Writes `value` as indented JSON and a newline.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&plain::json(&text))
}

/// `text` without its colours, as it looks off a terminal.
#[cfg(test)]
fn colourless(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
