//! The kinds.

use vswitch_switch::bridge::DropReason;

/// What shall become of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It reaches every other port.
    Pass,
    /// It is dropped and counted.
    Drop(DropReason),
}

/// A frame of some kind.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) fate: Fate,
}

/// A station of which nobody has heard.
const NOBODY: [u8; 6] = [2, 0, 0, 0xaa, 0xbb, 0xcc];
const RESERVED: Fate = Fate::Drop(DropReason::ReservedDestination);
/// The least length of a frame on a wire, without its check sequence.
const LEAST: usize = 60;
/// The greatest, untagged and tagged.
const GREATEST: usize = 1514;
const GREATEST_TAGGED: usize = 1518;

/// 01-80-C2-00-00-xx.
const fn reserved(last: u8) -> [u8; 6] {
    [0x01, 0x80, 0xc2, 0, 0, last]
}

struct Table {
    src: [u8; 6],
    kinds: Vec<Kind>,
}

impl Table {
    /// Adds a frame of `length` bytes, of which `rest` follows the addresses. No two bytes behind
    /// that are alike for long, so that one in a wrong place is noticed.
    fn add(
        &mut self,
        name: &str,
        [dst, src]: [[u8; 6]; 2],
        rest: &[u8],
        length: usize,
        fate: Fate,
    ) {
        let mut bytes = [&dst[..], &src, rest].concat();
        bytes.extend((bytes.len()..length).map(|n| (n % 251) as u8));
        bytes.truncate(length);
        let name = name.to_owned();
        self.kinds.push(Kind { name, bytes, fate });
    }

    /// One to nobody, so to everybody.
    fn passes(&mut self, name: &str, rest: &[u8], length: usize) {
        self.add(name, [NOBODY, self.src], rest, length, Fate::Pass);
    }

    /// One to some address.
    fn to(&mut self, name: &str, dst: [u8; 6], rest: &[u8], fate: Fate) {
        self.add(name, [dst, self.src], rest, LEAST, fate);
    }

    /// One from some address.
    fn from(&mut self, name: &str, src: [u8; 6], rest: &[u8], reason: DropReason) {
        self.add(name, [NOBODY, src], rest, LEAST, Fate::Drop(reason));
    }
}

/// All kinds, from the station `src`. The station `other` is not there but at another port.
pub(super) fn all(src: [u8; 6], other: [u8; 6]) -> Vec<Kind> {
    let mut table = Table {
        src,
        kinds: Vec::new(),
    };
    lengths(&mut table);
    tags(&mut table);
    protocols(&mut table);
    groups(&mut table);
    beside_the_reserved(&mut table);
    reserved_addresses(&mut table);
    sources(&mut table, other);
    table.kinds
}

fn lengths(table: &mut Table) {
    for length in [
        14, 15, 16, 17, 18, 21, 22, 33, 46, 59, 60, 61, 1513, GREATEST,
    ] {
        let name = format!("{length} bytes");
        table.passes(&name, &[0x88, 0xb6], length);
    }
}

/// IEEE 802.1Q-2022, clause 9.
fn tags(table: &mut Table) {
    for (name, tci) in [
        ("VID 0", 0x0000_u16),
        ("VID 0 with priority 5", 0xa000),
        ("VID 1", 0x0001),
        ("VID 100", 0x0064),
        ("VID 4094", 0x0ffe),
        ("VID 4095", 0x0fff),
        ("drop eligible", 0x1064),
        ("priority 7, drop eligible, VID 4095", 0xffff),
    ] {
        let [high, low] = tci.to_be_bytes();
        let c_tag = [0x81, 0x00, high, low, 0x08, 0x00, 0x45];
        table.passes(&format!("C-tag, {name}"), &c_tag, 64);
        let s_tag = [0x88, 0xa8, high, low, 0x86, 0xdd, 0x60];
        table.passes(&format!("S-tag, {name}"), &s_tag, 64);
        // The kernel loses tagged frames of less than 20 bytes before any socket sees them
        // (`skb_vlan_untag`).
        table.passes(&format!("short C-tag, {name}"), &c_tag, 20);
    }
    let c_tag = [0x81, 0x00, 0, 5, 0x88, 0xb6];
    table.passes("greatest with a C-tag", &c_tag, GREATEST_TAGGED);
    let q_in_q = [0x88, 0xa8, 0x60, 100, 0x81, 0x00, 0x30, 200, 0x08, 0x00];
    table.passes("QinQ", &q_in_q, 68);
    table.passes("QinQ, greatest without extra room", &q_in_q, GREATEST);
    table.passes("QinQ, nothing behind", &q_in_q, 22);
    let two = [0x81, 0x00, 0, 100, 0x81, 0x00, 0x20, 100, 0x08, 0x06];
    table.passes("two C-tags", &two, 68);
    let greatest = "two C-tags, greatest";
    table.passes(greatest, &two, GREATEST_TAGGED);
    let three = [
        0x88, 0xa8, 0, 1, 0x88, 0xa8, 0, 2, 0x81, 0x00, 0, 3, 0x08, 0x00,
    ];
    table.passes("three tags", &three, 72);
    let odd = [0x91, 0x00, 0, 1, 0x81, 0x00, 0, 2, 0x08, 0x00];
    table.passes("a tag of type 0x9100", &odd, 68);
}

fn protocols(table: &mut Table) {
    for (name, rest) in [
        ("LLC", &[0x00, 0x26, 0x42, 0x42, 0x03][..]),
        ("SNAP", &[0x00, 0x26, 0xaa, 0xaa, 0x03, 0, 0, 0x0c, 0x20, 0]),
        ("Novell raw 802.3", &[0x00, 0x26, 0xff, 0xff]),
        (
            "length that is not that of the frame",
            &[0x05, 0xdc, 0x42, 0x42],
        ),
        ("neither length nor type", &[0x05, 0xdd]),
        ("lowest type", &[0x06, 0x00]),
        ("unknown type", &[0xff, 0xff]),
        ("MPLS", &[0x88, 0x47, 0, 0x01, 0x01, 0x40]),
        ("MPLS multicast", &[0x88, 0x48, 0, 0x01, 0x01, 0x40]),
        ("PPPoE discovery", &[0x88, 0x63, 0x11, 0x09]),
        ("PPPoE session", &[0x88, 0x64, 0x11, 0]),
        ("MACsec", &[0x88, 0xe5]),
        ("Fibre Channel", &[0x89, 0x06]),
        ("EtherCAT", &[0x88, 0xa4]),
        ("PROFINET", &[0x88, 0x92]),
        ("configuration test", &[0x90, 0x00]),
        ("pause to a station", &[0x88, 0x08, 0, 1]),
        ("ARP reply", &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]),
        ("IPv4 with a wrong checksum", &[0x08, 0x00, 0x45, 0, 0, 46]),
        ("IPv6 with a wrong length", &[0x86, 0xdd, 0x60]),
    ] {
        table.passes(name, rest, LEAST);
    }
}

fn groups(table: &mut Table) {
    let broadcast = [0xff; 6];
    for (name, dst, rest) in [
        (
            "ARP request",
            broadcast,
            &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1][..],
        ),
        ("wake-on-LAN", broadcast, &[0x08, 0x42, 0xff, 0xff, 0xff]),
        ("tagged broadcast", broadcast, &[0x81, 0, 0, 7, 8, 6]),
        ("IPv4 multicast", [1, 0, 0x5e, 1, 2, 3], &[8, 0, 0x45]),
        ("IPv6 multicast", [0x33, 0x33, 0, 0, 0, 1], &[0x86, 0xdd]),
        ("a destination of zeroes", [0; 6], &[0x88, 0xb6]),
        ("PTP", [0x01, 0x1b, 0x19, 0, 0, 0], &[0x88, 0xf7]),
        (
            "HSR supervision",
            [0x01, 0x15, 0x4e, 0, 1, 0],
            &[0x88, 0xfb],
        ),
        (
            "CDP",
            [1, 0, 0x0c, 0xcc, 0xcc, 0xcc],
            &[0, 38, 0xaa, 0xaa, 3],
        ),
        (
            "PVST",
            [1, 0, 0x0c, 0xcc, 0xcc, 0xcd],
            &[0, 38, 0xaa, 0xaa, 3],
        ),
    ] {
        table.to(name, dst, rest, Fate::Pass);
    }
}

/// Of the block of 01-80-C2, those that are not reserved (IEEE 802.1Q-2022, 8.6.3).
fn beside_the_reserved(table: &mut Table) {
    for (name, dst, rest) in [
        (
            "IS-IS level 1",
            reserved(0x14),
            &[0, 38, 0xfe, 0xfe, 3, 0x83][..],
        ),
        (
            "IS-IS level 2",
            reserved(0x15),
            &[0, 38, 0xfe, 0xfe, 3, 0x83],
        ),
        (
            "the first behind the reserved",
            reserved(0x10),
            &[0x88, 0xb6],
        ),
        ("GMRP", reserved(0x20), &[0, 38, 0x42, 0x42, 3]),
        ("MVRP", reserved(0x21), &[0x88, 0xf5]),
        ("connectivity check", reserved(0x30), &[0x89, 0x02]),
    ] {
        table.to(name, dst, rest, Fate::Pass);
    }
}

/// IEEE 802.1Q-2022, table 8-1.
fn reserved_addresses(table: &mut Table) {
    for (name, last, rest) in [
        ("BPDU", 0x00, &[0, 38, 0x42, 0x42, 3, 0, 0, 0][..]),
        ("pause", 0x01, &[0x88, 0x08, 0, 1]),
        ("LACP", 0x02, &[0x88, 0x09, 1, 1]),
        ("802.1X", 0x03, &[0x88, 0x8e, 2, 1]),
        ("provider bridge group", 0x08, &[0, 38, 0x42, 0x42, 3]),
        ("provider MVRP", 0x0d, &[0x88, 0xf5]),
        ("LLDP", 0x0e, &[0x88, 0xcc, 2, 7]),
        ("PTP peer delay", 0x0e, &[0x88, 0xf7, 0x12]),
        ("the last one", 0x0f, &[0x88, 0xb6]),
        ("tagged LLDP", 0x0e, &[0x81, 0, 0, 9, 0x88, 0xcc]),
        ("S-tagged BPDU", 0x00, &[0x88, 0xa8, 0, 9, 0, 38, 0x42]),
    ] {
        table.to(name, reserved(last), rest, RESERVED);
    }
    let dst_src = [reserved(0x02), table.src];
    table.add("short LACP", dst_src, &[0x88, 0x09], 14, RESERVED);
}

fn sources(table: &mut Table, other: [u8; 6]) {
    let group = DropReason::SourceMulticast;
    for (name, src, rest, reason) in [
        ("multicast", [3, 0, 0, 0, 0, 1], &[0x88, 0xb6][..], group),
        ("IPv4 group", [1, 0, 0x5e, 0, 0, 1], &[8, 0, 0x45], group),
        ("broadcast", [0xff; 6], &[8, 6], group),
        ("tagged broadcast", [0xff; 6], &[0x81, 0, 0, 5, 8, 6], group),
        ("all zero", [0; 6], &[8, 0], DropReason::SourceZero),
    ] {
        table.from(&format!("{name} source"), src, rest, reason);
    }
    // Where the destination is as wrong as the source, it is the source that is looked at first.
    let both = [reserved(0), [0; 6]];
    let zero = Fate::Drop(DropReason::SourceZero);
    table.add("BPDU from nowhere", both, &[0, 38], LEAST, zero);
    let same_port = Fate::Drop(DropReason::SamePort);
    table.to("to itself", table.src, &[0x88, 0xb6], same_port);
    // From another's address: a station that has moved, until it is heard elsewhere.
    let moved = [NOBODY, other];
    table.add("from another's address", moved, &[8, 0], LEAST, Fate::Pass);
}
