//! Whether somebody else could replace what is at a path.
//!
//! # Theory of operation
//!
//! Whoever may write in a directory may put another one of the same name in the place of anything in
//! it, and so answer in the place of a switch, or read what it is told. As sshd(8) does for the files that it
//! trusts (`StrictModes`), the path is walked from the root down: every directory on the way, and every
//! symbolic link, has to belong to root or to this user, and no other user may write in it, unless it is a
//! sticky one such as `/tmp`, where entries are their owners' alone. Since nobody else can change what was
//! passed already, nothing can be exchanged between the check and the use of the path. Permissions
//! that an access list gives to others appear in the bits of the group (acl(5)), and are refused
//! with them.
//!
//! Below a directory that nobody else may enter, as most home directories, what others might write is
//! of no use to them, and is not looked at. A path that leads out of it again (`..`) is not sheltered any more.
//!
//! Inside a user namespace that has numbers for a few users alone, all others appear as one, root
//! too, to whom most directories belong: that one is trusted with directories on the way, and not with
//! the last one. The commands have checked the path before they have entered the namespace.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::geteuid;

use super::{RuntimeDirError, io_error};
use crate::users;

/// How many symbolic links a path may lead through (`path_resolution(7)`).
const LINKS: usize = 40;
/// The bits by which others may write: the group, everybody.
const GROUP_WRITES: u32 = 0o020;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// By which others may enter.
const OTHERS_ENTER: u32 = 0o011;

/// Refuses a path where somebody else could replace a directory on the way, or what is in the last one.
/// What is not there yet is no reason.
///
/// # Errors
/// Says which directory it is, why, and what to do.
pub(super) fn require(path: &Path) -> Result<(), RuntimeDirError> {
    walk(path, false)
}

/// The same; `goes_on`: what is meant is in the last directory, and is looked at by the caller.
fn walk(path: &Path, goes_on: bool) -> Result<(), RuntimeDirError> {
    let mut walk = Walk {
        goes_on,
        todo: VecDeque::new(),
        here: PathBuf::from("/"),
        shelter: None,
        links: 0,
    };
    walk.schedule(path);
    walk.enter_root()?;
    while let Some(name) = walk.todo.pop_front() {
        if !walk.step(&name)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Refuses a directory of a switch in which somebody else could replace the socket.
///
/// # Errors
/// As [`require`].
pub(super) fn require_last(path: &Path) -> Result<(), RuntimeDirError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error(path, source)),
        Ok(found) if !found.is_dir() => Err(RuntimeDirError::NotADirectory {
            path: path.to_owned(),
        }),
        Ok(found) => check(path, &found, false),
    }
}

/// Whether nobody else could have another program run under this path, which a command has found by itself.
pub fn is_safe_program(path: &Path) -> bool {
    let Ok(file) = fs::metadata(path) else {
        return false;
    };
    let is_ours = users::is_trusted(file.uid()) || users::is_unmapped(file.uid());
    let is_closed = file.mode() & (GROUP_WRITES | ALL_WRITE) == 0;
    let above = path.parent().unwrap_or(Path::new("/"));
    // What is on the way to it may be root's, who has no number in some user namespaces.
    is_ours && is_closed && walk(above, true).is_ok()
}

/// The way to a directory.
struct Walk {
    todo: VecDeque<OsString>,
    /// Whether the last directory is on the way, too.
    goes_on: bool,
    here: PathBuf,
    /// The first directory on the way that nobody else may enter, while the way is below it.
    shelter: Option<PathBuf>,
    links: usize,
}

impl Walk {
    /// The components of `path` are next.
    fn schedule(&mut self, path: &Path) {
        let names = path.components().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
        for (index, name) in names.enumerate() {
            self.todo.insert(index, name);
        }
    }

    fn enter_root(&mut self) -> Result<(), RuntimeDirError> {
        self.here = PathBuf::from("/");
        self.shelter = None;
        let found = fs::symlink_metadata("/").map_err(|source| io_error(&self.here, source))?;
        check(&self.here, &found, true)
    }

    /// Goes one step; whether there is a next one.
    fn step(&mut self, name: &OsString) -> Result<bool, RuntimeDirError> {
        if name == ".." {
            self.here.pop();
            self.shelter = self.shelter.take().filter(|s| self.here.starts_with(s));
            return Ok(true);
        }
        let next = self.here.join(name);
        let found = match fs::symlink_metadata(&next) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(|source| io_error(&next, source))?,
        };
        if found.is_symlink() {
            return self.follow(&next, &found).map(|()| true);
        }
        if !found.is_dir() {
            return Err(RuntimeDirError::NotADirectory { path: next });
        }
        let is_last = self.todo.is_empty();
        if is_last || self.shelter.is_none() {
            check(&next, &found, self.goes_on || !is_last)?;
        }
        let is_ours = found.uid() == geteuid().as_raw();
        self.here = next;
        if is_ours && found.mode() & OTHERS_ENTER == 0 {
            self.shelter.get_or_insert_with(|| self.here.clone());
        }
        Ok(true)
    }

    fn follow(&mut self, link: &Path, found: &Metadata) -> Result<(), RuntimeDirError> {
        refuse_foreign(link, found, true)?;
        self.links += 1;
        if self.links > LINKS {
            return Err(io_error(link, Errno::ELOOP.into()));
        }
        let target = fs::read_link(link).map_err(|source| io_error(link, source))?;
        self.schedule(&target);
        if target.is_absolute() {
            self.enter_root()?;
        }
        Ok(())
    }
}

/// Refuses a directory in which somebody else may write. `is_on_the_way`: it is not the last one.
fn check(path: &Path, found: &Metadata, is_on_the_way: bool) -> Result<(), RuntimeDirError> {
    refuse_foreign(path, found, is_on_the_way)?;
    let mode = found.mode() & 0o7777;
    if mode & STICKY != 0 || mode & (GROUP_WRITES | ALL_WRITE) == 0 {
        return Ok(());
    }
    let (who, remedy) = if mode & ALL_WRITE == 0 {
        ("its group", "g-w")
    } else if mode & GROUP_WRITES == 0 {
        ("all users", "o-w")
    } else {
        ("all users", "go-w")
    };
    Err(RuntimeDirError::Writable {
        path: path.to_owned(),
        who,
        mode,
        remedy,
    })
}

fn refuse_foreign(path: &Path, found: &Metadata, on_the_way: bool) -> Result<(), RuntimeDirError> {
    let owner = found.uid();
    if users::is_trusted(owner) || (on_the_way && users::is_unmapped(owner)) {
        return Ok(());
    }
    Err(RuntimeDirError::Foreign {
        path: path.to_owned(),
        owner,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, symlink};

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn make(path: &Path, mode: u32) {
        fs::DirBuilder::new().mode(0o700).create(path).unwrap();
        set(path, mode);
    }

    /// A directory that others may enter, with two below.
    fn base() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let base = crate::testing::directory().unwrap();
        set(base.path(), 0o755);
        let above = base.path().join("above");
        let last = above.join("last");
        make(&above, 0o755);
        make(&last, 0o755);
        (base, above, last)
    }

    fn told(path: &Path) -> String {
        require(path).unwrap_err().to_string()
    }

    #[test]
    fn what_others_may_write_in_is_refused() {
        let (_base, above, last) = base();
        require(&last).unwrap();
        for (mode, who, remedy) in [
            (0o775, "its group", "'chmod g-w "),
            (0o757, "all users", "'chmod o-w "),
            (0o777, "all users", "'chmod go-w "),
        ] {
            for directory in [&above, &last] {
                set(directory, mode);
                let told = told(&last);
                let named = format!("the directory {}:", directory.display());
                assert!(told.contains(who) && told.contains(remedy), "{told}");
                assert!(told.contains(&named[..named.len() - 1]), "{told}");
                assert!(require(&last.join("missing")).is_err());
                set(directory, 0o755);
            }
        }
        set(&last, 0o1777);
        require(&last).unwrap();
        set(&last, 0o750);
        require(&last).unwrap();
    }

    #[test]
    fn what_others_cannot_enter_is_not_looked_at() {
        let (base, above, last) = base();
        set(&above, 0o775);
        assert!(require(&last).is_err());
        set(base.path(), 0o700);
        require(&last).unwrap();
        set(&last, 0o775);
        assert!(require(&last).is_err(), "the last one always is");
        set(&last, 0o755);
        // Out of it again.
        set(&above, 0o755);
        let pub_dir = base.path().join("pub");
        let shelter = above.join("shelter");
        make(&pub_dir, 0o777);
        make(&pub_dir.join("last"), 0o755);
        make(&shelter, 0o700);
        make(&shelter.join("inner"), 0o700);
        set(base.path(), 0o755);
        symlink("../../pub/last", shelter.join("out")).unwrap();
        for way in [
            shelter.join("out"),
            shelter.join("../../pub/last"),
            shelter.join("inner/../out"),
            shelter.join("inner/../../../pub/last"),
        ] {
            let told = told(&way);
            assert!(told.contains("/pub "), "{}: {told}", way.display());
        }
        set(&shelter.join("inner"), 0o777);
        make(&shelter.join("inner/last"), 0o755);
        require(&shelter.join("inner/last/../last")).unwrap();
    }

    #[test]
    fn programs_are_those_that_nobody_else_can_replace() {
        let (_base, above, last) = base();
        let program = last.join("docker");
        fs::write(&program, "").unwrap();
        set(&program, 0o755);
        let link = above.join("link");
        symlink(&program, &link).unwrap();
        assert!(is_safe_program(&program) && is_safe_program(&link));
        assert!(!is_safe_program(&last.join("podman")));
        for mode in [0o775, 0o777] {
            for path in [&program, &last, &above] {
                let before = fs::metadata(path).unwrap().mode();
                set(path, mode);
                assert!(!is_safe_program(&program), "{}", path.display());
                set(path, before);
            }
        }
        if geteuid().is_root() && chown(&program, Some(4711), None).is_ok() {
            assert!(!is_safe_program(&program));
        }
    }

    #[test]
    fn links_lead_no_way_round() {
        let (base, above, last) = base();
        let link = base.path().join("link");
        symlink(&last, &link).unwrap();
        require(&link).unwrap();
        require(&link.join("../last")).unwrap();
        set(&above, 0o777);
        assert!(require(&link).is_err(), "what it leads through counts");
        let itself = base.path().join("itself");
        symlink("itself", &itself).unwrap();
        assert!(told(&itself).contains("ELOOP") || told(&itself).contains("symbolic links"));
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        let error = require(&file.join("below")).unwrap_err();
        assert!(
            matches!(error, RuntimeDirError::NotADirectory { .. }),
            "{error}"
        );
    }

    #[test]
    fn what_belongs_to_others_is_refused() {
        let (base, above, last) = base();
        if !geteuid().is_root() || chown(&above, Some(4711), None).is_err() {
            eprintln!("there is nobody else here: nothing was tried");
            return;
        }
        let foreign = |path: &Path| told(path).contains("belongs to user 4711");
        assert!(foreign(&last));
        // Sticky ones are their owner's.
        set(&above, 0o1777);
        assert!(foreign(&last) && foreign(&above));
        chown(&above, Some(0), None).unwrap();
        require(&last).unwrap();
        let link = base.path().join("link");
        symlink(&last, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(4711), None).unwrap();
        assert!(foreign(&link), "its owner can have it lead elsewhere");
        assert!(require_last(&link).is_err());
        require_last(&last).unwrap();
        chown(&last, Some(4711), None).unwrap();
        assert!(require_last(&last).is_err());
    }
}
