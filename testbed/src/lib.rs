//! Hosts on a virtual Ethernet switch, inside a `#[test]`.
//!
//! ```toml
//! [dev-dependencies]
//! vswitch-testbed = "0.1"
//! ```
//!
//! ```
//! use std::error::Error;
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! # /*
//! #[test]
//! # */
//! fn mario_greets_luigi_over_tcp() {
//!     vswitch_testbed::run(|[mario, luigi]| -> Result<(), Box<dyn Error>> {
//!         let listener = luigi.run(|| TcpListener::bind((luigi.ipv4(), 7000)))?;
//!         mario.run(|| TcpStream::connect((luigi.ipv4(), 7000)))?.write_all(b"it's-a me")?;
//!         let mut heard = String::new();
//!         listener.accept()?.0.read_to_string(&mut heard)?;
//!         assert_eq!(heard, "it's-a me");
//!         Ok(())
//!     });
//! }
//! # mario_greets_luigi_over_tcp();
//! ```
//!
//! Each [`Host`] is a network namespace with its own TCP/IP stack, connected by a veth pair to a
//! switch that runs on a thread of the test. The closure's pattern determines the number of hosts.
//! No name is visible to another test or program, so tests run in parallel. When the test ends,
//! also by a panic, the kernel removes the namespaces and veth pairs.
//!
//! # Rights
//!
//! A process with the capabilities `CAP_SYS_ADMIN`, `CAP_NET_ADMIN` and `CAP_NET_RAW`, such as one
//! of root, builds the test bed in its own process. Any other process needs a user namespace
//! (`user_namespaces(7)`), which the kernel allows only for a process with a single thread.
//! Therefore [`run`] starts the test binary again, for this test only, inside new namespaces, and
//! reports the result of that process. The closure runs in that process only; the test's code
//! before the closure runs in both. Call [`run`] once, from the thread of the test, and do
//! everything in the closure.
//!
//! Where user namespaces are forbidden, the test fails with a message that names the cause.
//!
//! # Async tests
//!
//! [`run_async`] takes an async closure. A socket stays in the namespace in which it was opened, so
//! open it inside the host and use it anywhere:
//!
//! ```
//! use vswitch_testbed::run_async;
//!
//! # /*
//! #[tokio::test]
//! # */
//! async fn mario_greets_luigi_over_tokio() {
//!     run_async(async |[mario, luigi]| -> std::io::Result<()> {
//!         let socket = luigi.run(tokio::net::TcpSocket::new_v4)?;
//!         socket.bind((luigi.ipv4(), 7000).into())?;
//!         let listener = socket.listen(1)?;
//!         let socket = mario.run(tokio::net::TcpSocket::new_v4)?;
//!         socket.connect((luigi.ipv4(), 7000).into()).await?;
//!         let (_, from) = listener.accept().await?;
//!         assert_eq!(from.ip(), mario.ipv4());
//!         Ok(())
//!     })
//!     .await;
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
//! #     .block_on(mario_greets_luigi_over_tokio());
//! ```
//!
//! # Map
//!
//! - `bed`: [`TestBed`], its options, and how it is built
//! - `host`: one [`Host`]
//! - `process`: the process for a test that lacks the capabilities

mod bed;
mod host;
mod process;

pub use bed::{Bed, BedError, TestBed};
pub use host::Host;

use std::process::Termination;

/// Runs a test on `N` hosts that are connected to one switch.
///
/// The test fails if it panics, or if its return value would make `main` fail: an `Err`, or an
/// [`ExitCode`](std::process::ExitCode) other than success.
///
/// # Panics
/// If the test panics, or the hosts cannot be created.
pub fn run<const N: usize, R: Termination>(test: impl FnOnce([Host; N]) -> R) {
    TestBed::new().run(test);
}

/// Runs an async test, as [`run`] does.
///
/// # Panics
/// If the test panics, or the hosts cannot be created.
pub async fn run_async<const N: usize, R: Termination>(test: impl AsyncFnOnce([Host; N]) -> R) {
    TestBed::new().run_async(test).await;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
