//! Two ports and a loop: what comes in by the one goes out by the other.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use vswitch_switch::port::{Arena, Batch, Counters, Port, RxStatus, Selection, TxReport};

/// What the relay did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// Counters of the two ports.
    pub(super) ports: [Counters; 2],
    /// Super-frames among what came in by either.
    pub(super) super_frames: u64,
}

/// A relay on a thread of its own.
pub(super) struct Relay {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

impl Relay {
    /// Begins to pass frames between two ports.
    pub(super) fn between(first: impl Port + 'static, second: impl Port + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || run([Box::new(first), Box::new(second)], &stopped));
        Self { stop, thread }
    }

    /// Ends it.
    pub(super) fn end(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn run(mut ports: [Box<dyn Port>; 2], stop: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    let mut poll = Poll::new().unwrap();
    for (index, port) in ports.iter().enumerate() {
        let fd = port.fd().unwrap().as_raw_fd();
        let registry = poll.registry();
        registry
            .register(&mut SourceFd(&fd), Token(index), Interest::READABLE)
            .unwrap();
    }
    let mut arena = Arena::new();
    let mut events = Events::with_capacity(2);
    let mut ready = [true; 2];
    while !stop.load(Ordering::Relaxed) {
        if ready == [false; 2] {
            poll.poll(&mut events, Some(Duration::from_millis(20)))
                .unwrap();
            events
                .iter()
                .for_each(|event| ready[event.token().0] = true);
        }
        for (index, ready) in ready.iter_mut().enumerate() {
            if *ready {
                *ready = step(&mut ports, index, &mut arena, &mut outcome);
            }
        }
    }
    for (port, counters) in ports.iter_mut().zip(&mut outcome.ports) {
        port.collect_losses(counters);
    }
    outcome
}

/// Passes one batch on; says whether there may be more.
fn step(
    ports: &mut [Box<dyn Port>; 2],
    from: usize,
    arena: &mut Arena,
    outcome: &mut Outcome,
) -> bool {
    let [first, second] = ports;
    let (input, output) = if from == 0 {
        (first, second)
    } else {
        (second, first)
    };
    let mut batch = Batch::new();
    let status = input.receive(arena, &mut batch, &mut outcome.ports[from]);
    outcome.super_frames += batch
        .iter()
        .filter(|frame| frame.offload.segmentation().is_some())
        .count() as u64;
    let indices: Vec<u8> = (0..batch.len() as u8).collect();
    output.transmit(
        Selection::new(&batch, &indices),
        &mut TxReport::new(&mut outcome.ports[1 - from]),
    );
    status == RxStatus::More
}
