//! Building hosts and their switch.
//!
//! # Theory of operation
//!
//! The switch's ends of the cables are in a namespace without a name, too: they are in nobody's
//! way, and go with it. What takes time of all this is the kernel's waiting for every processor
//! before a packet socket gets its ring, so the sockets of all ports are made by threads, side by
//! side, while the hosts are made.

use std::process::{ExitCode, Termination};
use std::thread::{self, ScopedJoinHandle};

use vswitch_netns::userns::UserNamespaceError;
use vswitch_netns::{
    AddressError, DuplicateDetection, InterfaceName, LinkChange, LinkError, NameError, Namespace,
    NamespaceError, Netlink, NetlinkError, QuietError, VethEnd,
};
use vswitch_switch::control::ControlError;
use vswitch_switch::port::{PacketError, PacketOptions, PreparedPort};
use vswitch_switch::{BridgeConfig, Running, Switch, SwitchError};

use crate::host::{Host, INTERFACE};
use crate::process::{self, Place};

/// What a test bed is to be like.
///
/// ```
/// # use vswitch_testbed::TestBed;
/// TestBed::new().mtu_bytes(9000).run(|[mario, luigi]| {
///     assert_eq!(mario.switch().port(luigi.port()).unwrap().mtu_bytes, 9000);
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a test bed does nothing until it is run or built"]
pub struct TestBed {
    config: BridgeConfig,
    mtu_bytes: u32,
}

/// A switch with its hosts. It is removed when it is dropped.
#[non_exhaustive]
pub struct Bed<const N: usize> {
    /// The hosts, in the order of their numbers.
    pub hosts: [Host; N],
    /// The switch.
    pub switch: Running,
}

/// Why a test bed cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BedError {
    /// A namespace cannot be made or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// This process cannot have namespaces of its own.
    #[error(transparent)]
    UserNamespace(#[from] UserNamespaceError),
    /// The kernel gives no netlink socket.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A cable cannot be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// An interface's name is not possible.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A host cannot have its address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A port cannot be kept from the stack of its own namespace.
    #[error(transparent)]
    Quiet(#[from] QuietError),
    /// A port cannot be opened.
    #[error(transparent)]
    Port(#[from] PacketError),
    /// The switch refused a port.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The switch cannot be run.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// There are more hosts than numbers.
    #[error("a test bed has up to {most} hosts, not {0}", most = u16::MAX)]
    TooMany(usize),
}

impl Default for TestBed {
    fn default() -> Self {
        Self::new()
    }
}

impl TestBed {
    /// A switch with default settings, and an MTU of 1500.
    pub fn new() -> Self {
        Self {
            config: BridgeConfig::default(),
            mtu_bytes: 1500,
        }
    }

    /// Gives the switch these settings.
    pub const fn config(mut self, config: BridgeConfig) -> Self {
        self.config = config;
        self
    }

    /// Gives all interfaces this MTU, in bytes.
    pub const fn mtu_bytes(mut self, mtu_bytes: u32) -> Self {
        self.mtu_bytes = mtu_bytes;
        self
    }

    /// Builds it in this process, which needs the rights: see [the library's front page](crate).
    pub fn build<const N: usize>(self) -> Result<Bed<N>, BedError> {
        let count = u16::try_from(N).map_err(|_| BedError::TooMany(N))?;
        let middle = Namespace::create_unnamed()?;
        let mut switch = Switch::new(self.config)?;
        let handle = switch.handle();
        let hosts = thread::scope(|scope| {
            // Until this is done, the thread's namespace is that of the switch, and so is that of the
            // threads that it starts.
            let _inside = middle.enter()?;
            let prepare = || PreparedPort::new(&ring_for(count));
            let sockets: Vec<_> = (0..count).map(|_| scope.spawn(prepare)).collect();
            let mut netlink = Netlink::open()?;
            (1..=count)
                .zip(sockets)
                .map(|(number, sockets)| {
                    let host = Host {
                        number,
                        namespace: Namespace::create_unnamed()?,
                        switch: handle.clone(),
                    };
                    self.plug_in(&host, &mut netlink, &mut switch, sockets)?;
                    Ok(host)
                })
                .collect::<Result<Vec<_>, BedError>>()
        })?;
        let hosts = hosts.try_into().map_err(|_| BedError::TooMany(N))?;
        let switch = switch.spawn()?;
        Ok(Bed { hosts, switch })
    }

    /// Connects a host to the switch, on whose side of the cables the calling thread is.
    fn plug_in(
        &self,
        host: &Host,
        netlink: &mut Netlink,
        switch: &mut Switch,
        sockets: ScopedJoinHandle<'_, PreparedPort>,
    ) -> Result<(), BedError> {
        let port = host.port();
        let near = VethEnd::new(InterfaceName::new(&port)?).mtu_bytes(self.mtu_bytes);
        let far = VethEnd::new(InterfaceName::new(INTERFACE)?)
            .mtu_bytes(self.mtu_bytes)
            .mac(host.mac().0);
        let near = netlink.create_veth(&near, &far, Some(&host.namespace))?;
        // It goes with its namespace, and is never given back.
        let _ = netlink.quiet(&near)?;
        netlink.set_up(&near)?;
        let sockets = sockets
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        switch.add_port(sockets.open(&port)?)?;

        let mut inside = Netlink::open_in(&host.namespace)?;
        for name in ["lo", INTERFACE] {
            let link = inside.link(name)?;
            inside.change_link(&link, &LinkChange::new().up(true))?;
        }
        let link = inside.link(INTERFACE)?;
        for network in host.networks().into_iter().flatten() {
            inside.add_address(&link, network, DuplicateDetection::Skip)?;
        }
        Ok(())
    }

    /// Runs a test on it, as [`run`](crate::run) does.
    ///
    /// # Panics
    /// Where the test does, or where the hosts cannot be had.
    pub fn run<const N: usize, R: Termination>(self, test: impl FnOnce([Host; N]) -> R) {
        if let Place::Here(done) = process::place() {
            let Bed { hosts, switch } = self.build_or_panic();
            judge(test(hosts));
            end(switch);
            done.report();
        }
    }

    /// Runs an async test on it, as [`run_async`](crate::run_async) does.
    ///
    /// # Panics
    /// Where the test does, or where the hosts cannot be had.
    pub async fn run_async<const N: usize, R: Termination>(
        self,
        test: impl AsyncFnOnce([Host; N]) -> R,
    ) {
        if let Place::Here(done) = process::place() {
            let Bed { hosts, switch } = self.build_or_panic();
            judge(test(hosts).await);
            end(switch);
            done.report();
        }
    }

    fn build_or_panic<const N: usize>(self) -> Bed<N> {
        self.build()
            .unwrap_or_else(|error| panic!("cannot build the test bed: {error}"))
    }
}

/// Fails the test if what it returned says so, as `main` would.
fn judge(outcome: impl Termination) {
    assert!(
        outcome.report() == ExitCode::SUCCESS,
        "the test returned an error"
    );
}

/// Fails the test if its switch has failed.
fn end(switch: Running) {
    if let Err(error) = switch.stop() {
        panic!("{error}");
    }
}

/// Smaller rings where there are many ports: a ring takes 3.5 MiB by default.
fn ring_for(ports: u16) -> PacketOptions {
    let mut options = PacketOptions::default();
    if ports > 16 {
        options.ring_slots = 256;
    }
    options
}
