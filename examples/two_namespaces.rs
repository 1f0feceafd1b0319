//! Two network namespaces on a switch inside this very program, and a message between them.
//!
//! ```text
//! namespace "mario"                this namespace                  namespace "luigi"
//!   10.0.0.1  eth0 ──veth── mario-port ─ switch ─ luigi-port ──veth── eth0  10.0.0.2
//! ```
//!
//! Run it as root: `cargo build --example two_namespaces && sudo target/debug/examples/two_namespaces`,
//! or as an ordinary user inside namespaces of your own:
//! `unshare --user --map-root-user --net target/debug/examples/two_namespaces`.
//! The namespaces have no names and end with the program.

use std::error::Error;
use std::net::UdpSocket;
use std::time::Duration;

use vswitch_netns::{DuplicateDetection, InterfaceName, LinkChange, Namespace, Netlink, VethEnd};
use vswitch_switch::port::PacketPort;
use vswitch_switch::{BridgeConfig, Switch};

fn main() -> Result<(), Box<dyn Error>> {
    let mut switch = Switch::new(BridgeConfig::default())?;
    let mario = plug_in(&mut switch, "mario-port", "10.0.0.1/24")?;
    let luigi = plug_in(&mut switch, "luigi-port", "10.0.0.2/24")?;
    let running = switch.spawn()?;

    // A socket stays in the namespace where it was opened, whatever its thread does later.
    let listener = luigi.run(|| UdpSocket::bind("10.0.0.2:7000"))??;
    let sender = mario.run(|| UdpSocket::bind("10.0.0.1:0"))??;
    listener.set_read_timeout(Some(Duration::from_secs(60)))?;
    sender.send_to(b"it's-a me", "10.0.0.2:7000")?;
    let mut buffer = [0; 64];
    let (length, from) = listener.recv_from(&mut buffer)?;
    println!(
        "luigi heard '{}' from {from}",
        String::from_utf8_lossy(&buffer[..length])
    );

    for station in running.handle().stations()? {
        println!("{} is behind port {}", station.mac, station.port);
    }
    running.stop()?;
    Ok(())
}

/// Makes a namespace, a cable from it to the switch, and gives it an address.
fn plug_in(switch: &mut Switch, port: &str, address: &str) -> Result<Namespace, Box<dyn Error>> {
    let namespace = Namespace::create_unnamed()?;
    let here = VethEnd::new(InterfaceName::new(port)?);
    let there = VethEnd::new(InterfaceName::new("eth0")?);
    let mut netlink = Netlink::open()?;
    let link = netlink.create_veth(&here, &there, Some(&namespace))?;
    netlink.set_up(&link)?;
    // Plugged in before the other end comes up, it misses none of its frames.
    switch.add_port(PacketPort::open(port)?)?;

    let mut inside = Netlink::open_in(&namespace)?;
    let link = inside.link("eth0")?;
    inside.change_link(&link, &LinkChange::new().up(true))?;
    inside.add_address(&link, address.parse()?, DuplicateDetection::Skip)?;
    Ok(namespace)
}
