//! What ports lose outside the switch, and what that tells of losses inside.
//!
//! # Theory of operation
//!
//! The kernel counts a frame that one end of a cable sent and that never reached the other one at
//! the receiving interface (`rx_dropped`), and says neither which it was nor why: it may have been
//! too long for that interface, or the backlog of the processor was full. Full backlogs are
//! counted once more, for the whole machine (`/proc/net/softnet_stat`), and whether a frame can be
//! too long at all follows from the MTUs of the two ends. Where that leaves one reason it is given;
//! where it leaves two, neither.
//!
//! The other way, the kernel says "no buffers" alike for a frame that the driver refused and for one
//! that a queueing discipline or filter in front of the driver dropped. But only the former raises
//! the driver's count (`tx_dropped`). An attempt that it has refused raises it, too, so that it may
//! be far more than the frames that were dropped in the end; what it is less, filters have dropped.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};
use vswitch_netns::{Link, Losses};
use vswitch_switch::bridge::DropReason;

/// Frames that never got through, whole machine.
const SOFTNET: &str = "/proc/net/softnet_stat";

/// What one port's interface has lost since it became a port, as far as was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ledger {
    /// What `rx_dropped` and `tx_dropped` stood at when they were last read.
    received: u64,
    sent: u64,
    /// What `tx_dropped` stood at the time before.
    sent_before: u64,
    /// What the switch had counted as "full" when that was last read.
    full: u64,
    /// By reason.
    backlog: u64,
    too_long: u64,
    unknown: u64,
    filtered: u64,
}

/// What is known when the counters of an interface are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The interface's counters; read after the switch's.
    pub(super) losses: Losses,
    /// What the switch has counted as "full".
    pub(super) full: u64,
    /// Whether the peer may send frames that are too long for the interface; `None` if its MTU is
    /// not known.
    pub(super) peer_is_wider: Option<bool>,
    /// Whether some processor's backlog was full since the last reading; `None` if that is not
    /// known.
    pub(super) backlog_was_full: Option<bool>,
}

impl Ledger {
    /// Begins with an interface whose counters are these.
    pub(super) fn begin(losses: Losses) -> Self {
        let mut ledger = Self::default();
        ledger.go_on(losses);
        // A new port, whose own counters begin at zero too.
        ledger.full = 0;
        ledger
    }

    /// Goes on where another version of this program has ended, which had lost frames in the backlog
    /// alone.
    pub(super) fn of_backlog(lost_before: u64, lost: u64) -> Self {
        Self {
            received: lost_before + lost,
            backlog: lost,
            ..Self::default()
        }
    }

    /// What such a version makes of it: what was lost before the interface was a port, and since.
    pub(super) const fn as_backlog(&self) -> (u64, u64) {
        let lost = self.backlog + self.too_long + self.unknown;
        (self.received.saturating_sub(lost), lost)
    }

    /// Goes on with another interface in the same place. What the switch has counted between the last
    /// reading and now is compared with neither interface's counters.
    pub(super) fn go_on(&mut self, losses: Losses) {
        self.full = u64::MAX;
        self.received = losses.received;
        self.sent = losses.sent;
        self.sent_before = losses.sent;
    }

    /// Takes in what has been lost since the last reading.
    pub(super) fn read(&mut self, reading: &Reading) {
        let lost = reading.losses.received.saturating_sub(self.received);
        *self.account(reading) += lost;

        let dropped = reading.full.saturating_sub(self.full);
        // From before the switch's own count was read last, so that no refusal is missing.
        let refused = reading.losses.sent.saturating_sub(self.sent_before);
        self.filtered += dropped.saturating_sub(refused);

        self.full = reading.full;
        self.sent_before = self.sent;
        self.sent = reading.losses.sent;
        self.received = reading.losses.received;
    }

    /// The reason of what came in and was lost.
    const fn account(&mut self, reading: &Reading) -> &mut u64 {
        match (reading.peer_is_wider, reading.backlog_was_full) {
            (Some(false), Some(true) | None) => &mut self.backlog,
            (Some(true) | None, Some(false)) => &mut self.too_long,
            _ => &mut self.unknown,
        }
    }

    /// Adds it to a port's drops, and takes out of those what they counted under another name.
    pub(super) fn apply(&self, drops: &mut BTreeMap<String, u64>) {
        for (reason, frames) in [
            (DropReason::RxBacklog, self.backlog),
            (DropReason::RxTooLong, self.too_long),
            (DropReason::RxLost, self.unknown),
            (DropReason::EgressFiltered, self.filtered),
        ] {
            if frames > 0 {
                drops.insert(reason.as_str().to_owned(), frames);
            }
        }
        if self.filtered > 0 {
            let full = DropReason::EgressFull.as_str();
            let left = drops
                .remove(full)
                .unwrap_or(0)
                .saturating_sub(self.filtered);
            if left > 0 {
                drops.insert(full.to_owned(), left);
            }
        }
    }
}

/// The machine's count of frames that found a backlog full.
#[derive(Debug, Default)]
pub(super) struct Backlogs(Option<u64>);

impl Backlogs {
    /// Whether there were any since the last call; `None` if that is not known.
    pub(super) fn read(&mut self) -> Option<bool> {
        let now = fs::read_to_string(SOFTNET)
            .ok()
            .and_then(|text| dropped(&text));
        let before = std::mem::replace(&mut self.0, now);
        Some(now? > before?)
    }
}

/// The second column of each line, in hexadecimal: a line for each processor.
fn dropped(text: &str) -> Option<u64> {
    let numbers = text.lines().map(|line| {
        let number = line.split_whitespace().nth(1)?;
        u64::from_str_radix(number, 16).ok()
    });
    numbers.sum()
}

/// What to say of a cable whose ends differ in what they take, `mtu` being the port's.
pub(super) fn mtu_warning(interface: &str, mtu: u64, peer: &Link) -> Option<String> {
    let peer_mtu = u64::from(peer.mtu_bytes);
    let direction = match peer_mtu.cmp(&mtu) {
        Ordering::Equal => return None,
        Ordering::Greater => "from there",
        Ordering::Less => "for it",
    };
    // Both names are as long as an interface's may be, of whatever bytes.
    let (interface, name) = (interface.escape_debug(), peer.name.escape_debug());
    Some(format!(
        "its MTU is {mtu}, that of {name} at the other end of the cable {peer_mtu}: longer frames \
         {direction} are lost; give both the same, here with 'vswitch link set {interface} mtu \
         {peer_mtu}'"
    ))
}

/// What to say of super-frames that no packet socket is told of.
pub(super) fn offload_warning(peer: Option<&Link>) -> String {
    let interface = peer
        .map_or("IFACE", |peer| peer.name.as_str())
        .escape_debug();
    format!(
        "frames were lost that their sender left to be cut in a way that the kernel cannot describe, \
         such as segments of SCTP; inside, 'ethtool -K {interface} tx-sctp-segmentation off \
         tx-esp-segmentation off' has the sender cut them"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: Losses = Losses::of(10, 10);

    fn reading(received: u64, sent: u64, full: u64) -> Reading {
        Reading {
            losses: Losses::of(received, sent),
            full,
            peer_is_wider: Some(false),
            backlog_was_full: Some(true),
        }
    }

    fn drops(ledger: &Ledger, full: u64) -> Vec<(String, u64)> {
        let mut drops = BTreeMap::from([("egress_full".to_owned(), full)]);
        drops.retain(|_, frames| *frames > 0);
        ledger.apply(&mut drops);
        drops.into_iter().collect()
    }

    #[test]
    fn a_reason_is_given_where_there_is_just_one() {
        for (peer_is_wider, backlog_was_full, reason) in [
            (Some(false), Some(true), "rx_backlog"),
            (Some(false), None, "rx_backlog"),
            (Some(true), Some(false), "rx_too_long"),
            (None, Some(false), "rx_too_long"),
            (Some(true), Some(true), "rx_lost"),
            (None, Some(true), "rx_lost"),
            (None, None, "rx_lost"),
            (Some(false), Some(false), "rx_lost"),
        ] {
            let mut ledger = Ledger::begin(LOSSES);
            ledger.read(&Reading {
                peer_is_wider,
                backlog_was_full,
                ..reading(13, 10, 0)
            });
            assert_eq!(drops(&ledger, 0), [(reason.to_owned(), 3)]);
        }
    }

    #[test]
    fn what_the_driver_did_not_refuse_was_filtered() {
        let mut ledger = Ledger::begin(LOSSES);
        ledger.read(&reading(10, 10, 7));
        assert_eq!(drops(&ledger, 7), [("egress_filtered".to_owned(), 7)]);
        // Five were full, each of which was tried nine times.
        ledger.read(&reading(10, 55, 12));
        let expected = [
            ("egress_filtered".to_owned(), 7),
            ("egress_full".to_owned(), 5),
        ];
        assert_eq!(
            drops(&ledger, 12).as_slice(),
            &[expected[0].clone(), expected[1].clone()]
        );
    }

    #[test]
    fn a_refusal_between_two_readings_is_not_taken_for_a_filter() {
        let mut ledger = Ledger::begin(LOSSES);
        // The driver has refused a frame after the switch's count was read.
        ledger.read(&reading(10, 11, 0));
        ledger.read(&reading(10, 11, 1));
        assert_eq!(drops(&ledger, 1), [("egress_full".to_owned(), 1)]);
        ledger.read(&reading(10, 11, 2));
        let both = drops(&ledger, 2);
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn what_was_full_before_another_interface_came_was_not_filtered() {
        let mut ledger = Ledger::begin(LOSSES);
        ledger.read(&reading(10, 10, 0));
        // The interface is gone after the switch has counted nine; the next one begins at zero.
        ledger.go_on(Losses::of(0, 0));
        ledger.read(&reading(0, 0, 9));
        assert_eq!(drops(&ledger, 9), [("egress_full".to_owned(), 9)]);
        ledger.read(&reading(0, 0, 11));
        let filtered = ("egress_filtered".to_owned(), 2);
        assert_eq!(drops(&ledger, 11)[0], filtered);
    }

    #[test]
    fn the_column_of_full_backlogs_is_summed() {
        let text = "00001a2b 0000000f 00000000 0\n00000001 00000010 00000000 0\n";
        assert_eq!(dropped(text), Some(31));
        assert_eq!(dropped("nonsense\n"), None);
    }
}
