//! From the batch into the socket.

use std::os::fd::AsFd;

use arrayvec::ArrayVec;
use socket2::Socket;

use super::sys::{self, Outgoing};
use crate::bridge::DropReason;
use crate::port::offload::outgoing_header;
use crate::port::{BATCH, Counters, Selection};
use crate::wire::Offload;

/// How often one call may ask the kernel again when a queue behind the interface is full. A
/// peer whose MTU is too small says "full" to every frame for ever, so this is a bound for the
/// whole batch.
const RETRIES: usize = 8;

/// What became of the link while sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Works,
    Down,
    Gone,
}

/// What an error of the kernel's means for the first frame that is left to send.
enum Judgement {
    AskAgain,
    Drop(DropReason),
    End(Link),
}

/// Sends all of `frames` in order; counts each exactly once. `is_stuck` is kept from call to
/// call: an interface that was full to the end of a call's patience is not waited for again
/// until it has taken a frame, so that it holds up nobody.
pub(super) fn transmit(
    socket: &Socket,
    frames: Selection<'_, '_>,
    counters: &mut Counters,
    is_stuck: &mut bool,
) -> Link {
    let outgoing: ArrayVec<Outgoing<'_>, BATCH> = frames
        .iter()
        .take(BATCH)
        .map(|frame| Outgoing {
            header: outgoing_header(frame),
            frame: frame.bytes,
        })
        .collect();
    let mut rest = &outgoing[..];
    let mut patience = Patience {
        retries: if *is_stuck { 0 } else { RETRIES },
    };
    while let Some((first, behind)) = rest.split_first() {
        match sys::send(socket.as_fd(), rest) {
            Ok(sent) => {
                let (done, left) = rest.split_at(sent.min(rest.len()));
                let bytes: usize = done.iter().map(|message| message.frame.len()).sum();
                counters.tx.add(done.len() as u64, bytes as u64);
                *is_stuck = false;
                rest = left;
            }
            Err(error) => match patience.judge(error.raw_os_error().unwrap_or(0), first) {
                Judgement::AskAgain => {}
                Judgement::Drop(reason) => {
                    counters.drops.add(reason, 1);
                    *is_stuck |= reason == DropReason::EgressFull;
                    rest = behind;
                }
                Judgement::End(link) => {
                    counters
                        .drops
                        .add(DropReason::EgressDown, rest.len() as u64);
                    return link;
                }
            },
        }
    }
    Link::Works
}

/// How long to go on asking, within one call.
struct Patience {
    retries: usize,
}

impl Patience {
    fn judge(&mut self, errno: i32, first: &Outgoing<'_>) -> Judgement {
        match errno {
            libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM | libc::EINTR if self.retries > 0 => {
                self.retries -= 1;
                std::thread::yield_now();
                Judgement::AskAgain
            }
            libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM | libc::EINTR => {
                Judgement::Drop(DropReason::EgressFull)
            }
            libc::EMSGSIZE => Judgement::Drop(DropReason::EgressTooBig),
            libc::EINVAL if !Offload::from_bytes(first.header).is_finished() => {
                Judgement::Drop(DropReason::EgressOffload)
            }
            libc::ENETDOWN => Judgement::End(Link::Down),
            libc::ENXIO | libc::ENODEV => Judgement::End(Link::Gone),
            _ => Judgement::Drop(DropReason::EgressError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Outgoing<'_> = Outgoing {
        header: [0; Offload::LEN],
        frame: &[0; 60],
    };

    /// How often a full queue is asked again before the frame is dropped.
    fn asked_again(mut patience: Patience) -> usize {
        let mut asked = 0;
        loop {
            match patience.judge(libc::ENOBUFS, &FRAME) {
                Judgement::AskAgain => asked += 1,
                Judgement::Drop(reason) => {
                    assert_eq!(reason, DropReason::EgressFull);
                    return asked;
                }
                Judgement::End(_) => panic!("a full queue is no end of the link"),
            }
        }
    }

    #[test]
    fn patience_with_a_full_queue_is_bounded_and_a_stuck_one_gets_none() {
        assert_eq!(asked_again(Patience { retries: RETRIES }), RETRIES);
        assert_eq!(asked_again(Patience { retries: 0 }), 0);
    }
}
