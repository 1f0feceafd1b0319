//! Where switches keep their sockets: one directory for all, one of mode 0700 in it for each.

mod lab;
mod trust;

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, geteuid};

use crate::names::{LabName, SwitchName};
pub use lab::LabDir;
pub use trust::is_safe_program;

/// The longest path of a Unix socket: `sun_path` has 108 bytes with its final zero (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// What the labs are in.
const LABS: &str = ".labs";

/// The directory that holds one directory for each switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeDir(PathBuf);

/// The directory of one switch. It need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchDir(PathBuf);

/// Why there is no usable runtime directory.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirError {
    /// A socket in it could not be bound.
    #[error(
        "the socket's path {path} would be {len} bytes long and the system allows \
         {MAX_SOCKET_PATH}: choose a shorter --runtime-dir"
    )]
    TooLong {
        /// The socket's path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// A call failed.
    #[error("cannot use the runtime directory {path}: {source}; choose another with --runtime-dir")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something other than a directory is in its place.
    #[error("{path} is not a directory: remove it, or choose another --runtime-dir")]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Others may write in it, and so replace what is in it.
    #[error(
        "{who} may write in the directory {path} (mode {mode:04o}), and so replace what is in it: \
         'chmod {remedy} {path}', or choose another --runtime-dir"
    )]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Who may.
        who: &'static str,
        /// Its permission bits.
        mode: u32,
        /// What chmod(1) is to take away.
        remedy: &'static str,
    },
    /// Somebody else could replace what is in it.
    #[error(
        "{path} belongs to user {owner}, who could replace what is in it, and is neither this user \
         nor root: choose another --runtime-dir, or run the command as that user"
    )]
    Foreign {
        /// The directory, or a symbolic link.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// Others may enter it.
    #[error(
        "the directory {path} is open to others (mode {mode:04o}): chmod it to 0700, or remove it"
    )]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl RuntimeDir {
    /// `given`, else what `variable` gives for `VSWITCH_RUNTIME_DIR`, else the default.
    ///
    /// # Errors
    /// [`RuntimeDirError::Io`] where a relative path has no working directory to start from, and
    /// what is wrong with `/tmp/vswitch-UID`, where anybody could have made it, and it is needed.
    pub fn resolve(
        given: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, RuntimeDirError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = match given.or_else(|| set("VSWITCH_RUNTIME_DIR").map(PathBuf::from)) {
            Some(path) => path,
            None if geteuid().is_root() => PathBuf::from("/run/vswitch"),
            None => match set("XDG_RUNTIME_DIR") {
                Some(dir) => PathBuf::from(dir).join("vswitch"),
                None => without_session(Path::new("/tmp"), geteuid().as_raw())?,
            },
        };
        let absolute = std::path::absolute(&path);
        absolute
            .map(Self)
            .map_err(|source| RuntimeDirError::Io { path, source })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The directory of the switch `name`.
    pub fn switch(&self, name: &SwitchName) -> SwitchDir {
        SwitchDir(self.0.join(name.as_str()))
    }

    /// The names of all switches that have a directory, running or not, in order.
    ///
    /// # Errors
    /// As [`Self::require_safe`]; [`RuntimeDirError::Io`] where the directory exists and cannot be read.
    pub fn switches(&self) -> Result<Vec<SwitchName>, RuntimeDirError> {
        self.require_safe()?;
        names_in(&self.0)
    }

    /// The directory of the lab `name`. No switch can be named as what it is in.
    pub fn lab(&self, name: &LabName) -> LabDir {
        LabDir::in_directory(&self.0.join(LABS), name)
    }

    /// The names of all labs that have a directory, in order.
    ///
    /// # Errors
    /// As [`LabDir::require_safe`]; [`RuntimeDirError::Io`] where the directory exists and cannot be read.
    pub fn labs(&self) -> Result<Vec<LabName>, RuntimeDirError> {
        self.require_safe()?;
        let labs = self.0.join(LABS);
        trust::require_last(&labs)?;
        names_in(&labs)
    }

    /// Whether switches could have their directories in it, without making anything: it is ours, or
    /// could be made.
    ///
    /// # Errors
    /// As where a switch is started.
    pub fn examine(&self) -> Result<(), RuntimeDirError> {
        self.require_safe()?;
        let nearest = self.0.ancestors().find(|path| path.exists());
        let nearest = nearest.unwrap_or(Path::new("/"));
        access(nearest, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|errno| io_error(nearest, errno.into()))
    }

    /// Makes sure that the directory exists and that nobody else can replace what is in it.
    ///
    /// # Errors
    /// See [`RuntimeDirError`].
    pub fn prepare(&self) -> Result<(), RuntimeDirError> {
        // Nothing is made where somebody else could replace it at once.
        self.require_safe()?;
        let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
        let made = DirBuilder::new().recursive(true).mode(mode).create(&self.0);
        made.map_err(|source| io_error(&self.0, source))?;
        self.require_safe()
    }

    /// Refuses it where somebody else could replace it, or what is in it. That it is not there is no
    /// reason.
    ///
    /// # Errors
    /// [`RuntimeDirError::Foreign`], [`RuntimeDirError::Writable`] and others.
    pub fn require_safe(&self) -> Result<(), RuntimeDirError> {
        trust::require(&self.0)
    }
}

impl SwitchDir {
    /// Creates the directory, and those above it, unless it exists and is ours alone.
    ///
    /// # Errors
    /// See [`RuntimeDirError`].
    pub fn prepare(&self, parent: &RuntimeDir) -> Result<(), RuntimeDirError> {
        self.check_length()?;
        parent.prepare()?;
        match private_directory(&self.0) {
            // A switch that was killed had let a group in. It could not change anything there.
            Err(RuntimeDirError::Open { mode: 0o750, .. }) => Ok(()),
            other => other,
        }
    }

    fn check_length(&self) -> Result<(), RuntimeDirError> {
        let path = self.socket();
        let len = path.as_os_str().len();
        if len > MAX_SOCKET_PATH {
            return Err(RuntimeDirError::TooLong { path, len });
        }
        Ok(())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Refuses it where somebody else could replace the socket in it, or the directory itself, of which
    /// `parent` is the runtime directory.
    ///
    /// # Errors
    /// As [`RuntimeDir::require_safe`].
    pub fn require_safe(&self, parent: &RuntimeDir) -> Result<(), RuntimeDirError> {
        parent.require_safe()?;
        trust::require_last(&self.0)
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// The file that a living daemon holds locked.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The log of a daemon in the background.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

/// Where an ordinary user's switches are that has no `XDG_RUNTIME_DIR`, as in many containers.
///
/// # Errors
/// Where somebody else has made it: who asks a switch there would be answered by them.
fn without_session(base: &Path, uid: u32) -> Result<PathBuf, RuntimeDirError> {
    let path = base.join(format!("vswitch-{uid}"));
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(io_error(&path, source)),
        Ok(metadata) => refuse_open(&path, &metadata)?,
    }
    Ok(path)
}

/// Creates a directory that nobody else may enter, unless it exists and is that.
///
/// # Errors
/// See [`RuntimeDirError`].
pub fn private_directory(path: &Path) -> Result<(), RuntimeDirError> {
    loop {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(io_error(path, source)),
        }
        match fs::symlink_metadata(path) {
            Ok(metadata) => return refuse_open(path, &metadata),
            // Whoever was done with it has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(io_error(path, source)),
        }
    }
}

/// Refuses what is no directory, or not ours alone.
fn refuse_open(path: &Path, metadata: &Metadata) -> Result<(), RuntimeDirError> {
    if !metadata.is_dir() {
        let path = path.to_owned();
        return Err(RuntimeDirError::NotADirectory { path });
    }
    refuse_foreign(path, metadata)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(RuntimeDirError::Open { path, mode });
    }
    Ok(())
}

/// The directories in `path` that have a name of this kind, in order.
fn names_in<N: std::str::FromStr + Ord>(path: &Path) -> Result<Vec<N>, RuntimeDirError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io_error(path, source)),
    };
    let mut names: Vec<N> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn io_error(path: &Path, source: io::Error) -> RuntimeDirError {
    RuntimeDirError::Io {
        path: path.to_owned(),
        source,
    }
}

fn refuse_foreign(path: &Path, metadata: &Metadata) -> Result<(), RuntimeDirError> {
    if metadata.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(RuntimeDirError::Foreign {
        path: path.to_owned(),
        owner: metadata.uid(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn resolve(given: Option<&str>, variables: &[(&str, &str)]) -> PathBuf {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).into())
        };
        let dir = RuntimeDir::resolve(given.map(PathBuf::from), lookup).unwrap();
        dir.path().to_owned()
    }

    #[test]
    fn the_option_comes_before_the_variable_and_the_default() {
        let variables = [("VSWITCH_RUNTIME_DIR", "/v"), ("XDG_RUNTIME_DIR", "/x")];
        assert_eq!(resolve(Some("/o"), &variables), Path::new("/o"));
        assert_eq!(resolve(None, &variables), Path::new("/v"));
        let derived = resolve(None, &variables[1..]);
        let expected = if geteuid().is_root() {
            "/run/vswitch"
        } else {
            "/x/vswitch"
        };
        assert_eq!(derived, Path::new(expected));
        assert!(resolve(Some("here"), &[]).is_absolute());
    }

    fn switch_in(base: &Path, name: &str) -> (RuntimeDir, SwitchDir) {
        let runtime = RuntimeDir(base.to_owned());
        let switch = runtime.switch(&name.parse().unwrap());
        (runtime, switch)
    }

    #[test]
    fn a_directory_that_others_remove_is_made_again() {
        let base = crate::testing::directory().unwrap();
        let path = base.path().join("d");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        private_directory(&path).unwrap();
                        let _ = fs::remove_dir(&path);
                    }
                });
            }
        });
    }

    #[test]
    fn a_switch_gets_a_directory_of_its_own() {
        let base = crate::testing::directory().unwrap();
        let (runtime, switch) = switch_in(&base.path().join("a/b"), "s");
        assert_eq!(runtime.switches().unwrap(), []);
        switch.prepare(&runtime).unwrap();
        switch.prepare(&runtime).unwrap();
        assert_eq!(fs::metadata(switch.path()).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(runtime.switches().unwrap(), ["s".parse().unwrap()]);
    }

    #[test]
    fn what_others_may_enter_or_replace_is_refused() {
        let base = crate::testing::directory().unwrap();
        let (runtime, switch) = switch_in(base.path(), "s");
        switch.prepare(&runtime).unwrap();
        fs::set_permissions(switch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let error = switch.prepare(&runtime).unwrap_err();
        assert!(
            matches!(error, RuntimeDirError::Open { mode: 0o755, .. }),
            "{error}"
        );

        let (_, link) = switch_in(base.path(), "link");
        std::os::unix::fs::symlink("/", link.path()).unwrap();
        let error = link.prepare(&runtime).unwrap_err();
        assert!(
            matches!(error, RuntimeDirError::NotADirectory { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let base = crate::testing::directory().unwrap();
        let long = base.path().join("x".repeat(100));
        let (runtime, switch) = switch_in(&long, "s");
        let error = switch.prepare(&runtime).unwrap_err();
        assert!(matches!(error, RuntimeDirError::TooLong { .. }), "{error}");
        assert!(!long.exists());
    }

    #[test]
    fn a_runtime_directory_that_cannot_be_made_is_one_sentence() {
        let (runtime, switch) = switch_in(Path::new("/proc/nowhere"), "s");
        let error = switch.prepare(&runtime).unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    #[test]
    fn a_directory_that_anybody_could_have_made_has_to_be_ours_alone() {
        let base = crate::testing::directory().unwrap();
        let uid = geteuid().as_raw();
        let path = without_session(base.path(), uid).unwrap();
        assert_eq!(path, base.path().join(format!("vswitch-{uid}")));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        assert!(without_session(base.path(), uid).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        let error = without_session(base.path(), uid).unwrap_err();
        assert!(matches!(error, RuntimeDirError::Open { mode: 0o750, .. }));
        fs::remove_dir(&path).unwrap();
        // A link to what is ours may be another's.
        std::os::unix::fs::symlink(base.path(), &path).unwrap();
        let error = without_session(base.path(), uid).unwrap_err();
        assert!(matches!(error, RuntimeDirError::NotADirectory { .. }));
    }
}
