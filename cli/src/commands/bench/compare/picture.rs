//! The file of the plot: opened by the process that can reach it, filled by the one that measures.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// The file, open before anything is measured.
#[derive(Debug)]
pub(super) struct Picture {
    path: PathBuf,
    file: File,
    /// Where it is, if it was not there before: the path leads elsewhere once the sandbox has
    /// mounts of its own.
    created_in: Option<File>,
}

impl Picture {
    /// Opens it for writing. What is in it stays until the new picture is there.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        let (opened, created) = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (options.open(path), false),
            other => (other, true),
        };
        let file = opened.with_context(|| unwritten(path))?;
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            created_in: created.then(|| File::open(dir).ok()).flatten(),
        })
    }

    /// For the standard input of the process that draws: the one descriptor that a child gets
    /// without any arrangement and does not need otherwise.
    pub(super) fn handle(&self) -> anyhow::Result<Stdio> {
        let file = self.file.try_clone();
        Ok(file.with_context(|| unwritten(&self.path))?.into())
    }

    /// Removes the file where it is new and nothing was drawn.
    pub(super) fn remove_if_blank(self) {
        let blank = self.file.metadata().is_ok_and(|data| data.len() == 0);
        if let (Some(dir), Some(name), true) = (self.created_in, self.path.file_name(), blank) {
            // Else it stays, blank.
            let _ = unlinkat(dir, name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Writes the picture into what standard input was opened for; `path` is its name in an error.
pub(super) fn draw(svg: &str, path: &Path) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        file.write_all(svg.as_bytes())
    };
    write().with_context(|| unwritten(path))
}

fn unwritten(path: &Path) -> String {
    format!("can't write the picture {}", path.display())
}
