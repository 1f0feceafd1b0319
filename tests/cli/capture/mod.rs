//! `vswitch capture`: what is written is what has passed, whoever reads it and however slowly.

mod file;
mod limits;
mod lines;

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use pcap_parser::pcapng::{Block, parse_block_be, parse_block_le};
use vswitch_netns::Namespace;

use super::{Switch, ok, words};
use crate::harness::packet::Endpoint;
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    [file::tests(), limits::tests(), lines::tests()]
        .into_iter()
        .flatten()
        .collect()
}

/// That of local experiments, which no host sends by itself.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// A filter for it.
pub(super) const ONLY_OURS: &str = "--proto 0x88b5";

const IN: u32 = 1;
const OUT: u32 = 2;

/// A switch with the hosts mario and luigi, and a hand on the interface of each.
pub(super) fn lab() -> (Switch, Endpoint, Endpoint) {
    let switch = Switch::start("s");
    let [mario, luigi] = ["mario", "luigi"].map(host);
    (switch, mario, luigi)
}

fn host(name: &str) -> Endpoint {
    ok(&format!("attach {name}"));
    let namespace = Namespace::open(name).unwrap();
    let _inside = namespace.enter().unwrap();
    Endpoint::open(&format!("{name}-netns")).unwrap()
}

/// A frame between two stations, given by the last octets of their addresses.
pub(super) fn frame(src: u8, dst: u8, payload: &[u8]) -> Vec<u8> {
    let mac = |last| [2, 0, 0, 0, 0, last];
    [&mac(dst)[..], &mac(src), &ETHERTYPE, payload].concat()
}

/// `vswitch LINE` in the background.
pub(super) fn start(line: &str) -> Background {
    Background::start(vswitch(words(line))).unwrap()
}

/// A capture into a file, which has begun.
pub(super) fn capture_to(file: &str, line: &str) -> Background {
    let running = start(&format!("capture -w {file} {line}"));
    let begun = wait_until(PATIENCE, || {
        fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0)
    });
    assert!(begun, "{line}");
    running
}

/// Ends a capture as Ctrl-C does; gives what it has said.
pub(super) fn end(running: Background) -> String {
    running.signal(Signal::SIGINT).unwrap();
    let output = running.finish().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    /// The name of its interface.
    port: String,
    direction: u32,
    bytes: Vec<u8>,
    len: u32,
    nanoseconds: u64,
    comments: Vec<String>,
}

/// All that a file tells.
#[derive(Debug, Default)]
struct Told {
    /// Names and descriptions.
    interfaces: Vec<(String, String)>,
    packets: Vec<Packet>,
    /// Received and lost, by interface.
    totals: Vec<(u64, u64)>,
}

/// Reads pcapng. What is not whole, or nothing but pcapng, fails.
fn parse(mut bytes: &[u8]) -> Told {
    let parse_block = if cfg!(target_endian = "big") {
        parse_block_be
    } else {
        parse_block_le
    };
    let mut told = Told::default();
    while !bytes.is_empty() {
        let (rest, block) = parse_block(bytes).expect("a whole block");
        bytes = rest;
        match block {
            Block::SectionHeader(_) => {}
            Block::InterfaceDescription(block) => {
                assert_eq!(block.if_tsresol, 9, "nanoseconds");
                let text = |code| option(&block.options, code).map(|value| as_text(&value));
                let described = text(3).unwrap_or_default();
                told.interfaces.push((text(2).unwrap(), described));
            }
            Block::EnhancedPacket(block) => {
                let flags = option(&block.options, 2).unwrap();
                let flags = u32::from_ne_bytes(flags[..4].try_into().unwrap());
                let comments = block.options.iter().filter(|option| option.code.0 == 1);
                let (port, _) = &told.interfaces[block.if_id as usize];
                told.packets.push(Packet {
                    port: port.clone(),
                    direction: flags & 3,
                    bytes: block.data[..block.caplen as usize].to_vec(),
                    len: block.origlen,
                    nanoseconds: u64::from(block.ts_high) << 32 | u64::from(block.ts_low),
                    comments: comments.map(|option| as_text(&option.value)).collect(),
                });
            }
            Block::InterfaceStatistics(block) => {
                let count = |code| {
                    let value = option(&block.options, code).unwrap();
                    u64::from_ne_bytes(value[..8].try_into().unwrap())
                };
                told.totals.push((count(4), count(5)));
            }
            other => panic!("{other:?}"),
        }
    }
    told
}

fn option(options: &[pcap_parser::PcapNGOption<'_>], code: u16) -> Option<Vec<u8>> {
    let found = options.iter().find(|option| option.code.0 == code);
    found.map(|option| option.value.to_vec())
}

fn as_text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.trim_end_matches('\0').to_owned()
}

fn read(file: impl AsRef<Path>) -> Told {
    parse(&fs::read(file).unwrap())
}

/// Waits until the file has so many packets. It may be read while it is written: blocks are
/// written whole, but for the moment of writing.
pub(super) fn await_packets(file: &str, count: usize) {
    let has_come = wait_until(PATIENCE, || {
        let bytes = fs::read(file).unwrap();
        let parsed = std::panic::catch_unwind(|| parse(&bytes).packets.len());
        parsed.is_ok_and(|packets| packets >= count)
    });
    assert!(has_come, "{file} has no {count} packets");
}
