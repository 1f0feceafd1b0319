//! Records the frames that were sent, and checks the copies that arrive.

use std::collections::{BTreeSet, HashMap};

use super::frames::{self, Kind};

/// A frame that a host sent in this round.
struct Sent {
    bytes: Vec<u8>,
    sender: usize,
    kind: Kind,
    received_by: BTreeSet<usize>,
}

/// The frames of one round.
#[derive(Default)]
pub(crate) struct Ledger {
    next_number: u64,
    sent: HashMap<u64, Sent>,
    /// The number of the last frame from each sender at each receiver.
    last: HashMap<(usize, usize), u64>,
}

impl Ledger {
    /// The number of the next frame.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Notes that host `sender` sent a frame.
    pub(crate) fn sent(&mut self, sender: usize, kind: Kind, bytes: Vec<u8>) {
        let number = frames::number(&bytes).unwrap_or_default();
        let frame = Sent {
            bytes,
            sender,
            kind,
            received_by: BTreeSet::new(),
        };
        self.sent.insert(number, frame);
    }

    /// Records that a frame arrived at host `receiver`.
    pub(crate) fn received(&mut self, receiver: usize, bytes: &[u8]) -> Result<(), String> {
        let number = frames::number(bytes).ok_or("a frame too short for its number came out")?;
        let sent = self.sent.get_mut(&number);
        let sent = sent.ok_or_else(|| format!("frame {number} came out and never went in"))?;
        if sent.bytes != bytes {
            return Err(format!("frame {number} was altered"));
        }
        if sent.sender == receiver {
            return Err(format!("frame {number} came back to its sender {receiver}"));
        }
        if matches!(sent.kind, Kind::Reserved | Kind::BadSource) {
            return Err(format!("frame {number} ({:?}) was forwarded", sent.kind));
        }
        if !sent.received_by.insert(receiver) {
            return Err(format!("frame {number} came out twice at {receiver}"));
        }
        let last = self.last.entry((sent.sender, receiver)).or_default();
        if number < *last {
            return Err(format!(
                "frame {number} came out at {receiver} after {last}"
            ));
        }
        *last = number;
        Ok(())
    }

    /// Ends the round. Each of its frames must have arrived at every host of `present` where it
    /// should. Each of the `losses` that ports have counted excuses one copy per host behind that
    /// port. Returns how many copies arrived.
    pub(crate) fn balance(
        &mut self,
        present: &BTreeSet<usize>,
        losses: u64,
    ) -> Result<u64, String> {
        let mut copies = 0;
        let mut excused = losses * present.len() as u64;
        for (number, sent) in self.sent.drain() {
            copies += sent.received_by.len() as u64;
            let is_missing =
                |host: &&usize| **host != sent.sender && !sent.received_by.contains(host);
            let missing = match sent.kind {
                Kind::Unicast(host) => present.get(&host).iter().filter(|h| is_missing(h)).count(),
                Kind::Group => present.iter().filter(is_missing).count(),
                _ => 0,
            };
            excused = excused.checked_sub(missing as u64).ok_or_else(|| {
                format!(
                    "frame {number} ({:?} from {}) came out at {:?} only, and the ports counted \
                     {losses} losses",
                    sent.kind, sent.sender, sent.received_by
                )
            })?;
        }
        Ok(copies)
    }
}
