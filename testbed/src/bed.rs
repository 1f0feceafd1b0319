//! Builds hosts and their switch.
//!
//! # Theory of operation
//!
//! The switch-side ends of the veth pairs are also in an unnamed namespace, so they conflict with
//! no other interface and disappear with that namespace. Most of the time goes into creating the
//! ring of a packet socket, for which the kernel waits until every CPU has passed a quiescent
//! state. So threads create the sockets of all ports in parallel while the hosts are created.

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
use crate::process::{self, TestProcess};

/// The options of a test bed.
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

/// A switch with its hosts. Dropping it removes them.
#[non_exhaustive]
pub struct Bed<const N: usize> {
    /// The hosts, in the order of their numbers.
    pub hosts: [Host; N],
    /// The switch.
    pub switch: Running,
}

/// Reports why a test bed cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BedError {
    /// A namespace cannot be created or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// This process cannot create namespaces.
    #[error(transparent)]
    UserNamespace(#[from] UserNamespaceError),
    /// A netlink socket cannot be opened.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A veth pair cannot be created.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The name of an interface is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The address of a host cannot be set.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The IP stack cannot be kept off a port.
    #[error(transparent)]
    Quiet(#[from] QuietError),
    /// A port cannot be opened.
    #[error(transparent)]
    Port(#[from] PacketError),
    /// The switch refused a port.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The switch cannot run.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// More hosts than host numbers.
    #[error("a test bed has up to {most} hosts, not {0}", most = u16::MAX)]
    TooMany(usize),
}

impl Default for TestBed {
    fn default() -> Self {
        Self::new()
    }
}

impl TestBed {
    /// Describes a switch with default settings and an MTU of 1500.
    pub fn new() -> Self {
        Self {
            config: BridgeConfig::default(),
            mtu_bytes: 1500,
        }
    }

    /// Sets the configuration of the switch.
    pub const fn config(mut self, config: BridgeConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the MTU of all interfaces, in bytes.
    pub const fn mtu_bytes(mut self, mtu_bytes: u32) -> Self {
        self.mtu_bytes = mtu_bytes;
        self
    }

    /// Builds the test bed in this process, which needs the capabilities: see [the library's front
    /// page](crate).
    pub fn build<const N: usize>(self) -> Result<Bed<N>, BedError> {
        let count = u16::try_from(N).map_err(|_| BedError::TooMany(N))?;
        let switch_namespace = Namespace::create_unnamed()?;
        let mut switch = Switch::new(self.config)?;
        let handle = switch.handle();
        let hosts = thread::scope(|scope| {
            // Until the guard is dropped, this thread, and the threads that it starts, are in the
            // namespace of the switch.
            let _inside = switch_namespace.enter()?;
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

    /// Connects a host to the switch, in whose namespace the calling thread is.
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
        // The interface disappears with its namespace, so it is never restored.
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

    /// Builds the test bed and runs a test on it, as [`run`](crate::run) does.
    ///
    /// # Panics
    /// If the test panics, or the hosts cannot be created.
    pub fn run<const N: usize, R: Termination>(self, test: impl FnOnce([Host; N]) -> R) {
        if let TestProcess::This(done) = process::select() {
            let Bed { hosts, switch } = self.build_or_panic();
            judge(test(hosts));
            end(switch);
            done.report();
        }
    }

    /// Builds the test bed and runs an async test on it, as [`run_async`](crate::run_async) does.
    ///
    /// # Panics
    /// If the test panics, or the hosts cannot be created.
    pub async fn run_async<const N: usize, R: Termination>(
        self,
        test: impl AsyncFnOnce([Host; N]) -> R,
    ) {
        if let TestProcess::This(done) = process::select() {
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

/// Fails the test if its return value means failure, as a return value of `main` would.
fn judge(outcome: impl Termination) {
    assert!(
        outcome.report() == ExitCode::SUCCESS,
        "the test returned an error"
    );
}

/// Fails the test if its switch failed.
fn end(switch: Running) {
    if let Err(error) = switch.stop() {
        panic!("{error}");
    }
}

/// Reduces the ring size for many ports: a ring takes 3.5 MiB by default.
fn ring_for(ports: u16) -> PacketOptions {
    let mut options = PacketOptions::default();
    if ports > 16 {
        options.ring_slots = 256;
    }
    options
}
