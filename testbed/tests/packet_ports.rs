//! Opens and closes packet ports of a host, as the switch does with its own ports.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps an error fails with it, which is what is wanted"
)]

use vswitch_netns::{InterfaceName, Namespace, Netlink, VethEnd};
use vswitch_switch::port::{PacketError, PacketOptions, PacketPort, Port};
use vswitch_testbed::run;

/// Creates veth pairs in a namespace of their own and returns the names of the near ends.
fn pairs(names: &[&str]) -> Namespace {
    let namespace = Namespace::create_unnamed().unwrap();
    let mut netlink = Netlink::open_in(&namespace).unwrap();
    for (number, name) in names.iter().enumerate() {
        let near = VethEnd::new(InterfaceName::new(name).unwrap());
        let far = VethEnd::new(InterfaceName::new(&format!("far{number}")).unwrap());
        netlink.create_veth(&near, &far, None).unwrap();
    }
    namespace
}

#[test]
fn several_ports_are_opened_in_the_order_of_their_names() {
    run(|[_unused]| {
        let mut names = vec!["c", "a", "b"];
        let namespace = pairs(&names);
        let _inside = namespace.enter().unwrap();
        let options = PacketOptions::default();
        let ports = PacketPort::open_all(&names, &options).unwrap();
        let opened: Vec<_> = ports.iter().map(Port::name).collect();
        assert_eq!(opened, names);
        let kinds: Vec<_> = ports.iter().map(Port::driver).collect();
        assert_eq!(kinds, ["packet socket, mapped ring"; 3]);

        // One interface is in use: none of the others stays open.
        let (first, rest) = names.split_at(1);
        drop(ports);
        let held = PacketPort::open(first[0]).unwrap();
        let refused = PacketPort::open_all(&["b", "c"], &options).unwrap_err();
        assert!(matches!(&refused, PacketError::InUse { interface, .. } if interface == "c"));
        drop(PacketPort::open_all(rest, &options).unwrap());
        drop(held);

        names.push("d");
        let refused = PacketPort::open_all(&names, &options).unwrap_err();
        assert!(matches!(refused, PacketError::NoSuchInterface { interface } if interface == "d"));
        assert!(PacketPort::open_all(&[], &options).unwrap().is_empty());
    });
}

#[test]
fn a_port_can_be_opened_as_soon_as_it_was_dropped() {
    run(|[_unused]| {
        let namespace = pairs(&["a"]);
        let _inside = namespace.enter().unwrap();
        // Opens more ports than there are threads that close ports in parallel.
        for _ in 0..100 {
            drop(PacketPort::open("a").unwrap());
        }
    });
}
