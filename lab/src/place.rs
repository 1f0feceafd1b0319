//! A lab file that somebody named, and places in it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::parse::Problem;
use vswitch_control::names::LabName;

/// The longest lab file that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A lab file.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was named.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// All that is wrong with a file, each in a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Wrong(pub Vec<String>);

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, is too long, or is no text.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => anyhow::anyhow!(
                "there is no lab file {shown}: name the file, or write one ('vswitch up --help' \
                 shows an example)"
            ),
            _ => anyhow::anyhow!("cannot read the lab file {shown}: {error}"),
        })?;
        if metadata.is_dir() {
            anyhow::bail!("{shown} is a directory: name the lab file in it");
        }
        if metadata.len() > MAX_BYTES {
            anyhow::bail!("{shown} is too long for a lab file");
        }
        let bytes = fs::read(path)
            .map_err(|error| anyhow::anyhow!("cannot read the lab file {shown}: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            anyhow::anyhow!("{shown} is not a text in UTF-8, as a lab file must be")
        })?;
        let path = path.to_owned();
        Ok(Self { path, text })
    }

    /// The lab's name where the file does not say: its own, without the ending.
    pub fn stem(&self) -> Option<LabName> {
        self.path.file_stem()?.to_str()?.parse().ok()
    }

    /// The problems with their places in the file.
    pub(crate) fn wrong(&self, problems: &[Problem]) -> Wrong {
        let told = problems.iter().map(|problem| {
            let (line, column) = position(&self.text, problem.span.start);
            let mut text = String::new();
            let _ = fmt::write(
                &mut text,
                format_args!("{}:{line}:{column}: {}", self.path.display(), problem.text),
            );
            text
        });
        Wrong(told.collect())
    }
}

/// The line and column of a byte, both from 1 on, the column in characters.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |rest| rest.chars().count())
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_editors_do() {
        let text = "a\nbä c\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 2), (2, 1));
        assert_eq!(position(text, text.find('c').unwrap()), (2, 4));
        assert_eq!(position(text, 100), (3, 1));
    }
}
