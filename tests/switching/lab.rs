//! Hosts, cables and a switch, in a few lines of a test.
//!
//! Every host is a namespace with one interface; the other end of its cable is in the test's own
//! namespace, and a port of the switch. Hosts have numbers from 1 on.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use vswitch_netns::{
    DuplicateDetection, InterfaceName, Link, LinkChange, LinkLocal, Namespace, Netlink, OperState,
    VethEnd,
};
use vswitch_switch::datapath::PortInfo;
use vswitch_switch::port::{Counters, Port};
use vswitch_switch::{BridgeConfig, Handle, Running, Switch};

use crate::harness::packet::Endpoint;
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, icmp, wait_until};

/// The interface inside a host.
pub(super) const INSIDE: &str = "eth0";

/// What a host shall be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Whether it has addresses. One that has none sends nothing by itself.
    pub(super) addressed: bool,
    /// The MTU of the interface inside.
    pub(super) mtu_bytes: u32,
    /// The MTU of the switch's end of the cable.
    pub(super) port_mtu_bytes: u32,
}

impl Plan {
    /// A host with an IPv4 and an IPv6 address.
    pub(super) const TALKING: Self = Self {
        addressed: true,
        mtu_bytes: 1500,
        port_mtu_bytes: 1500,
    };
    /// A host that says only what the test sends from it.
    pub(super) const SILENT: Self = Self {
        addressed: false,
        ..Self::TALKING
    };

    /// The same host with this MTU at both ends of its cable.
    pub(super) const fn mtu(self, mtu_bytes: u32) -> Self {
        Self {
            mtu_bytes,
            port_mtu_bytes: mtu_bytes,
            ..self
        }
    }
}

/// A host and its cable.
pub(super) struct Host {
    number: u8,
    pub(super) namespace: Namespace,
}

impl Host {
    /// Makes a host and lays a cable from it, with everything up.
    pub(super) fn new(netlink: &mut Netlink, number: u8, plan: Plan) -> Self {
        let namespace = Namespace::create_unnamed().unwrap();
        let host = Self { number, namespace };
        let port_name = host.port_name();
        let near =
            VethEnd::new(InterfaceName::new(&port_name).unwrap()).mtu_bytes(plan.port_mtu_bytes);
        let far = VethEnd::new(InterfaceName::new(INSIDE).unwrap())
            .mtu_bytes(plan.mtu_bytes)
            .mac(host.mac());
        let near = netlink
            .create_veth(&near, &far, Some(&host.namespace))
            .unwrap();
        // The test's own stack has no part in this.
        let mute = LinkChange::new().arp(false).link_local(LinkLocal::None);
        netlink.change_link(&near, &mute).unwrap();
        let mut inside = Netlink::open_in(&host.namespace).unwrap();
        let loopback = inside.link("lo").unwrap();
        inside.set_up(&loopback).unwrap();
        let far = inside.link(INSIDE).unwrap();
        if !plan.addressed {
            inside.change_link(&far, &mute).unwrap();
        }
        inside.set_up(&far).unwrap();
        netlink.set_up(&near).unwrap();
        if plan.addressed {
            host.give_addresses(&mut inside, &far);
        }
        wait_for_carrier(&mut inside, INSIDE);
        wait_for_carrier(netlink, &port_name);
        if plan.addressed {
            host.wait_for_v6();
        }
        host
    }

    fn give_addresses(&self, inside: &mut Netlink, link: &Link) {
        for address in [format!("{}/24", self.v4()), format!("{}/64", self.v6())] {
            inside
                .add_address(link, address.parse().unwrap(), DuplicateDetection::Skip)
                .unwrap();
        }
    }

    /// Waits until what is sent to the host's IPv6 address gets to the host.
    ///
    /// The route to it is not made by whoever gives the address, but by the kernel's worker,
    /// some milliseconds later, also without duplicate address detection (`addrconf_dad_start`).
    fn wait_for_v6(&self) {
        let route = format!("fd00{:028x} 80 ", self.number);
        let is_there = wait_until(PATIENCE, || {
            let routes = self.run(|| fs::read_to_string("/proc/thread-self/net/ipv6_route"));
            routes.unwrap().contains(&route)
        });
        assert!(is_there, "host {} is not reached by IPv6", self.number);
    }

    /// The name of the switch's end of the cable, and of the port.
    pub(super) fn port_name(&self) -> String {
        format!("sw{}", self.number)
    }

    /// 02:00:00:00:00:NN.
    pub(super) fn mac(&self) -> [u8; 6] {
        mac(u32::from(self.number))
    }

    /// 10.0.0.N.
    pub(super) fn v4(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, self.number).into()
    }

    /// `fd00::N`.
    pub(super) fn v6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, self.number.into()).into()
    }

    /// Runs `work` inside the host.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work).unwrap()
    }

    /// The test's hand on the interface inside.
    pub(super) fn endpoint(&self) -> Endpoint {
        let _inside = self.namespace.enter().unwrap();
        Endpoint::open(INSIDE).unwrap()
    }

    /// A port on the switch's end of the cable.
    pub(super) fn open_port(&self) -> Box<dyn Port> {
        Box::new(open_port(&self.port_name()).unwrap())
    }

    /// Pings from here, once: not a packet may be lost.
    pub(super) fn ping(&self, to: IpAddr, payload_bytes: usize) {
        let outcome = self.run(|| icmp::ping(to, None, payload_bytes, PATIENCE));
        outcome.unwrap_or_else(|error| panic!("host {} pings {to}: {error}", self.number));
    }
}

/// Waits until an interface can send.
///
/// An end whose other one came up after it begins to send only when the kernel's link watch has
/// come round to it, up to a second later; what is sent before is lost, and nobody is told
/// (`noop_enqueue`, `linkwatch_do_dev`).
pub(super) fn wait_for_carrier(netlink: &mut Netlink, interface: &str) {
    let is_up = || netlink.link(interface).unwrap().state == OperState::Up;
    assert!(wait_until(PATIENCE, is_up), "{interface} has no carrier");
}

/// The address of a station, which need not be a host.
pub(super) const fn mac(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [2, 0, a, b, c, d]
}

/// A running switch with a host at each of its ports.
pub(super) struct Lab {
    pub(super) hosts: Vec<Host>,
    pub(super) netlink: Netlink,
    running: Running,
}

impl Lab {
    /// A switch with such hosts.
    pub(super) fn new(config: BridgeConfig, plans: &[Plan]) -> Self {
        let mut lab = Self {
            hosts: Vec::new(),
            netlink: Netlink::open().unwrap(),
            running: Switch::new(config).unwrap().spawn().unwrap(),
        };
        for (number, plan) in (1..).zip(plans) {
            let host = Host::new(&mut lab.netlink, number, *plan);
            lab.handle().add_port(host.open_port()).unwrap();
            lab.hosts.push(host);
        }
        lab
    }

    /// A switch with `count` hosts that have addresses.
    pub(super) fn talking(count: usize) -> Self {
        Self::new(BridgeConfig::default(), &vec![Plan::TALKING; count])
    }

    /// A switch with `count` hosts that have none.
    pub(super) fn silent(count: usize) -> Self {
        Self::new(BridgeConfig::default(), &vec![Plan::SILENT; count])
    }

    pub(super) fn handle(&self) -> Handle {
        self.running.handle()
    }

    /// The test's hand on every host's interface, in their order.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        self.hosts.iter().map(Host::endpoint).collect()
    }

    /// What the switch tells of the port of that name.
    pub(super) fn port(&self, name: &str) -> PortInfo {
        let ports = self.handle().ports().unwrap();
        let found = ports.into_iter().find(|port| port.name == name);
        found.unwrap_or_else(|| panic!("the switch has no port {name}"))
    }

    /// The counters of a host's port.
    pub(super) fn counters(&self, host: &Host) -> Counters {
        self.port(&host.port_name()).counters
    }

    /// Whether the switch knows a station, in whatever VLAN, and at which port.
    pub(super) fn whereabouts(&self, mac: [u8; 6]) -> Vec<String> {
        let ports = self.handle().ports().unwrap();
        let name = |id| {
            ports
                .iter()
                .find(|port| port.id == id)
                .unwrap()
                .name
                .clone()
        };
        let stations = self.handle().stations().unwrap();
        let here = stations.iter().filter(|station| station.mac.0 == mac);
        here.map(|station| name(station.port)).collect()
    }

    /// Waits until something holds of the switch.
    pub(super) fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        let holds = wait_until(PATIENCE, condition);
        if !holds {
            let ports = self.handle().ports().unwrap();
            let lines = ports.iter().map(|port| {
                let Counters { rx, tx, drops } = port.counters;
                let drops: Vec<_> = drops.iter().collect();
                format!("{} {:?}: {rx:?} {tx:?} {drops:?}\n", port.name, port.link)
            });
            panic!("{what}? {}", lines.collect::<String>());
        }
    }

    /// Stops the switch, whose thread must have come to a good end.
    pub(super) fn stop(self) {
        self.running.stop().unwrap();
    }
}

/// Tells other threads that something is over when it is dropped, so also by a panic: threads
/// that go on until then would otherwise be waited for without end.
pub(super) struct OverOnDrop<'a>(pub(super) &'a AtomicBool);

impl Drop for OverOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something on one processor, and so does all that is spawned inside.
///
/// A frame crosses a veth pair through the queue of the processor on which it was sent. If its
/// sender moves to another one under load, the kernel may deliver two frames in the wrong order:
/// whoever wants to know what the switch makes of their order has to send from one place, and
/// the switch too, so it is to be made inside.
pub(super) fn on_one_processor<T>(work: impl FnOnce() -> T) -> T {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread).unwrap();
    let mut one = CpuSet::new();
    one.set(sched_getcpu().unwrap()).unwrap();
    sched_setaffinity(this_thread, &one).unwrap();
    let result = work();
    sched_setaffinity(this_thread, &before).unwrap();
    result
}
