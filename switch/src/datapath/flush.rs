//! Flushes the egress ports at the end of a batch, and handles link changes that ports find.

use super::table::{PortTable, Slot};
use crate::bridge::{Bridge, OutputQueues, PortId};
use crate::capture::Recorders;
use crate::frame::Timestamp;
use crate::port::{Frame, LinkState, Outcomes, TxReport, TxStatus};

/// Sends each egress port its frames of `batch` and empties the queues. Returns how many ports had
/// frames. With `WATCHED`, `recorders` get the outcomes of the frames.
pub(super) fn flush<const WATCHED: bool>(
    now: Timestamp,
    batch: &[Frame<'_>],
    queues: &mut OutputQueues,
    table: &mut PortTable,
    bridge: &mut Bridge,
    recorders: &mut Recorders,
) -> usize {
    let mut flushed = 0;
    for (id, frames) in queues.selections(batch) {
        flushed += 1;
        let Some(egress) = table.get_mut(id) else {
            continue;
        };
        let Slot { port, state } = egress;
        let sent_before = state.counters.tx.frames;
        let mut outcomes = Outcomes::new();
        let mut report = if WATCHED {
            TxReport::watched(&mut state.counters, &mut outcomes)
        } else {
            TxReport::new(&mut state.counters)
        };
        let status = port.transmit(frames, &mut report);
        report.finish(frames.len());
        if WATCHED {
            recorders.went_out(now, id, frames, &outcomes);
        }
        match status {
            TxStatus::Done if state.link == LinkState::Up => {}
            TxStatus::Done if state.counters.tx.frames == sent_before => {}
            TxStatus::Done => {
                table.note_link(id, LinkState::Up);
            }
            TxStatus::LinkDown => note_link_lost(table, bridge, id, LinkState::Down),
            TxStatus::LinkGone => note_link_lost(table, bridge, id, LinkState::Absent),
        }
    }
    queues.clear();
    flushed
}

/// Handles a port that found its own link down or its device gone. Its stations are removed. A port
/// that is down is still tried, since there may be no link event when it comes up again; one whose
/// device is gone is not.
pub(super) fn note_link_lost(
    table: &mut PortTable,
    bridge: &mut Bridge,
    id: PortId,
    link: LinkState,
) {
    if !table.note_link(id, link) {
        return;
    }
    match link {
        LinkState::Absent => bridge.set_forwarding(id, false),
        _ => {
            bridge.flush(Some(id));
        }
    }
}
