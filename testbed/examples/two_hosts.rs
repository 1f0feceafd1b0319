//! Two hosts on a switch, and a line of text over TCP between them.
//!
//! ```text
//! host 1, 10.0.0.1  eth0 ──veth── host1 ─ switch ─ host2 ──veth── eth0  10.0.0.2, host 2
//! ```
//!
//! Run it with `cargo run -p vswitch-testbed --example two_hosts`, as root or not.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() {
    vswitch_testbed::run(|[mario, luigi]| -> Result<(), Box<dyn Error>> {
        let listener = luigi.run(|| TcpListener::bind((luigi.ipv4(), 7000)))?;
        let mut client = mario.run(|| TcpStream::connect((luigi.ipv4(), 7000)))?;
        client.write_all(b"it's-a me")?;
        drop(client);
        let (mut server, from) = listener.accept()?;
        let mut heard = String::new();
        server.read_to_string(&mut heard)?;
        println!("luigi heard '{heard}' from {from}");
        for port in mario.switch().ports()? {
            println!("{}: {:?}", port.name, port.counters);
        }
        Ok(())
    });
}
