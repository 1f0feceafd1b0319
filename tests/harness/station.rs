//! A host that sends numbered frames at a steady rate and keeps books of those that it gets.
//!
//! One thread does both, so that what is measured is not who of many threads gets the processor.
//!
//! For a measurement it goes by the clock. For a test, which is to hold on any machine, it goes by
//! what has arrived as well: [`Stream::in_flight`].

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use vswitch_cli::trial::{Next, Schedule};
use vswitch_netns::Namespace;
use vswitch_switch::port::{
    Arena, BATCH, Batch, Counters, Frame, PacketOptions, PacketPort, Port, RxStatus, Selection,
    TxReport, TxStatus,
};

use super::tally::{Tally, WINDOW};

/// An EtherType that nobody handles (IEEE 802, local experimental 1).
const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];
const MAGIC: [u8; 4] = *b"seq!";
/// Where things stand behind the header: magic, sender, number.
const SENDER_AT: usize = 18;
const NUMBER_AT: usize = 20;
const LEAST_LEN: usize = 60;
/// So many frames may wait for a station that does not get the processor.
const RING_SLOTS: usize = 8192;
/// The longest that a station does not look around.
const TICK: Duration = Duration::from_millis(10);
/// A station that was held up for longer does not make good for it: what it sent then would be a
/// burst, and no rate.
const HELD_UP: Duration = Duration::from_millis(5);
/// The shortest that a station sleeps.
const SHORTEST: Duration = Duration::from_micros(250);
/// A station whose window is full sends a frame so often all the same: what was in flight may be lost.
/// It takes a ring that nobody empties ten seconds to overflow by them.
const PROBE: Duration = Duration::from_millis(20);
/// Batches that are taken in one go before it is time to send again.
const MOST_BATCHES: usize = 4;

/// What a station is to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// To whom.
    pub(crate) to: [u8; 6],
    /// Frames in a second.
    pub(crate) rate: f64,
    /// The length of each, without check sequence.
    pub(crate) len: usize,
    /// So many may be in flight to the partner of this station; any number, if there is none.
    pub(crate) in_flight: Option<u64>,
}

/// A running station.
pub(crate) struct Station {
    sent: Arc<AtomicU64>,
    /// The number behind the last one that was sent; meaningful while it is silent.
    next: Arc<AtomicU64>,
    is_silent: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// What a station has got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// By sender.
    pub(crate) streams: BTreeMap<u16, Tally>,
    /// Numbered frames that were for others.
    pub(crate) strangers: u64,
    /// What its own socket had no room for.
    pub(crate) overrun: u64,
}

enum Order {
    Send(Option<Stream>),
    Use(Option<Box<PacketPort>>),
    Pause(Duration),
    /// Whose books tell what has arrived.
    Partner(Arc<Mutex<Heard>>),
}

/// Opens the interface of a host for a station.
pub(crate) fn open(host: &Namespace, interface: &str) -> Result<PacketPort, String> {
    let options = PacketOptions {
        ring_slots: RING_SLOTS,
        ..PacketOptions::default()
    };
    let port = host
        .run(|| PacketPort::open_with(interface, &options))
        .map_err(|error| error.to_string())?;
    port.map_err(|error| error.to_string())
}

impl Station {
    /// A station of this number and address behind an interface; it begins to listen.
    pub(crate) fn start(number: u16, mac: [u8; 6], port: PacketPort) -> Self {
        let (orders, inbox) = mpsc::channel();
        let [sent, next] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let is_silent = Arc::new(AtomicBool::new(true));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let work = Work {
            number,
            mac,
            port: Some(Plugged::new(port)),
            inbox,
            sent: Arc::clone(&sent),
            last: Arc::clone(&next),
            is_silent: Arc::clone(&is_silent),
            heard: Arc::clone(&heard),
            partner: None,
            stream: None,
            next: 0,
        };
        Self {
            sent,
            next,
            is_silent,
            heard,
            orders,
            thread: Some(std::thread::spawn(move || work.run())),
        }
    }

    /// Makes another station its partner, to which the frames go of which not too many may be in
    /// flight.
    pub(crate) fn set_partner(&self, partner: &Self) {
        let _ = self.orders.send(Order::Partner(Arc::clone(&partner.heard)));
    }

    /// Sends this from now on; nothing if there is none.
    pub(crate) fn send(&self, stream: Option<Stream>) {
        self.is_silent.store(false, Ordering::Release);
        let _ = self.orders.send(Order::Send(stream));
    }

    /// Goes on with another interface; without any, it is deaf and mute.
    pub(crate) fn use_port(&self, port: Option<PacketPort>) {
        let _ = self.orders.send(Order::Use(port.map(Box::new)));
    }

    /// Neither sends nor reads for so long.
    pub(crate) fn pause(&self, time: Duration) {
        let _ = self.orders.send(Order::Pause(time));
    }

    /// Frames that its kernel took so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether it has come to its last order, by which it sends nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Acquire)
    }

    /// Whether the last frame that a silent station of this number has sent is here.
    pub(crate) fn has_all_of(&self, number: u16, sender: &Self) -> bool {
        let next = sender.next.load(Ordering::Acquire);
        self.with_heard(|heard| heard.next_of(number)) == Some(next)
    }

    /// What it has got so far.
    pub(crate) fn heard(&self) -> Heard {
        self.with_heard(Clone::clone)
    }

    /// The same, without a copy.
    pub(crate) fn with_heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Frames of one sender that came so far.
    pub(crate) fn received_from(&self, sender: u16) -> u64 {
        self.with_heard(|heard| heard.streams.get(&sender).map_or(0, |tally| tally.received))
    }

    /// Forgets what it has got.
    pub(crate) fn forget(&self) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Heard::default();
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let (nobody, _) = mpsc::channel();
        drop(std::mem::replace(&mut self.orders, nobody));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    number: u16,
    mac: [u8; 6],
    port: Option<Plugged>,
    inbox: Receiver<Order>,
    sent: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
    is_silent: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
    partner: Option<Arc<Mutex<Heard>>>,
    stream: Option<Sending>,
    /// Where the numbers of the next stream begin: none of its frames is taken for one of before.
    next: u64,
}

/// The interface of a station.
struct Plugged {
    port: PacketPort,
    /// Rings when something comes. The socket itself is readable all the time where it has a mapped
    /// ring: whoever is not edge-triggered never sleeps.
    bell: Epoll,
}

/// A stream under way.
struct Sending {
    rate: f64,
    in_flight: Option<u64>,
    /// Where its numbers began.
    first: u64,
    /// When the last frame was sent.
    sent_at: Instant,
    schedule: Schedule,
    start: Instant,
    looked: Instant,
    frames: Vec<Vec<u8>>,
    next: u64,
}

impl Work {
    fn run(mut self) {
        let mut arena = Arena::new();
        loop {
            match self.inbox.try_recv() {
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            let wait = self.send();
            let drained = self.receive(&mut arena);
            if drained {
                self.wait(wait);
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Send(stream) => {
                let before = self.stream.as_ref().map(|before| before.next);
                let next = before.unwrap_or(self.next);
                self.next = next + 2 * WINDOW;
                self.is_silent.store(stream.is_none(), Ordering::Release);
                self.stream =
                    stream.map(|stream| Sending::new(&stream, self.mac, self.number, next));
            }
            Order::Use(port) => self.port = port.map(|port| Plugged::new(*port)),
            Order::Pause(time) => std::thread::sleep(time),
            Order::Partner(heard) => self.partner = Some(heard),
        }
    }

    /// Sends what is due; how long until there is more.
    fn send(&mut self) -> Duration {
        let (Some(stream), Some(Plugged { port, .. })) = (&mut self.stream, &mut self.port) else {
            return TICK;
        };
        stream.let_go_if_held_up();
        let room = stream.room(self.number, self.partner.as_deref());
        if room == 0 {
            stream.begin_anew(Instant::now());
            return SHORTEST;
        }
        let count = match stream.schedule.next(stream.start.elapsed()) {
            Next::Send(count) => count.min(BATCH).min(room),
            // Four stations that spin would leave nothing for the switch: frames go in twos and
            // threes instead.
            Next::Spin => return SHORTEST,
            Next::Sleep(time) => return time.max(SHORTEST),
        };
        let frames = stream.frames(count);
        let indices: [u8; BATCH] = std::array::from_fn(|index| index as u8);
        let mut counters = Counters::default();
        let status = port.transmit(
            Selection::new(&frames, &indices[..count]),
            &mut TxReport::new(&mut counters),
        );
        drop(frames);
        stream.next += count as u64;
        stream.sent_at = Instant::now();
        self.last.store(stream.next, Ordering::Release);
        stream.schedule.note_sent(count as u64);
        self.sent.fetch_add(counters.tx.frames, Ordering::Relaxed);
        if status == TxStatus::LinkGone {
            self.port = None;
        }
        Duration::ZERO
    }

    /// Takes what has come; whether that was all.
    fn receive(&mut self, arena: &mut Arena) -> bool {
        let Some(Plugged { port, .. }) = &mut self.port else {
            return true;
        };
        for _ in 0..MOST_BATCHES {
            let mut counters = Counters::default();
            let mut batch = Batch::new();
            let status = port.receive(arena, &mut batch, &mut counters);
            let now = Instant::now();
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.overrun += counters.drops.total();
            for frame in &batch {
                heard.take(frame.bytes, self.mac, now);
            }
            drop(heard);
            drop(batch);
            port.release();
            match status {
                RxStatus::More => {}
                RxStatus::Drained | RxStatus::LinkDown => return true,
                RxStatus::LinkGone => {
                    self.port = None;
                    return true;
                }
            }
        }
        false
    }

    /// Until something comes or is due.
    fn wait(&self, time: Duration) {
        let time = time.min(TICK);
        if time.is_zero() {
            return;
        }
        match &self.port {
            Some(plugged) => plugged.wait(time),
            None => std::thread::sleep(time),
        }
    }
}

impl Plugged {
    fn new(port: PacketPort) -> Self {
        let bell = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        if let Some(fd) = port.fd() {
            let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
            bell.add(fd, event).expect("a packet socket can be polled");
        }
        Self { port, bell }
    }

    /// Until something comes, for so long at most: less than what epoll counts in.
    fn wait(&self, time: Duration) {
        let mut fds = [PollFd::new(self.bell.0.as_fd(), PollFlags::POLLIN)];
        let rings = ppoll(&mut fds, Some(TimeSpec::from_duration(time)), None);
        if rings.is_ok_and(|count| count > 0) {
            let mut events = [EpollEvent::empty()];
            let _ = self.bell.wait(&mut events, EpollTimeout::ZERO);
        }
    }
}

impl Heard {
    /// The number behind the highest that came from a sender.
    fn next_of(&self, sender: u16) -> Option<u64> {
        self.streams.get(&sender).and_then(Tally::next)
    }

    fn take(&mut self, bytes: &[u8], mac: [u8; 6], now: Instant) {
        let is_numbered =
            bytes.len() >= NUMBER_AT + 8 && bytes[12..14] == ETHER_TYPE && bytes[14..18] == MAGIC;
        if !is_numbered {
            return;
        }
        if bytes[..6] != mac && bytes[..6] != [0xff; 6] {
            self.strangers += 1;
            return;
        }
        let sender = u16::from_be_bytes([bytes[SENDER_AT], bytes[SENDER_AT + 1]]);
        let number = bytes[NUMBER_AT..]
            .first_chunk()
            .copied()
            .unwrap_or_default();
        let tally = self.streams.entry(sender).or_insert_with(Tally::new);
        tally.take(u64::from_be_bytes(number), now);
    }
}

impl Sending {
    fn new(stream: &Stream, mac: [u8; 6], number: u16, next: u64) -> Self {
        let mut frame = [
            &stream.to[..],
            &mac,
            &ETHER_TYPE,
            &MAGIC,
            &number.to_be_bytes(),
        ]
        .concat();
        frame.resize(stream.len.max(LEAST_LEN), 0);
        Self {
            rate: stream.rate,
            in_flight: stream.in_flight,
            first: next,
            sent_at: Instant::now(),
            schedule: Schedule::new(stream.rate),
            start: Instant::now(),
            looked: Instant::now(),
            frames: vec![frame; BATCH],
            next,
        }
    }

    /// Begins to count anew where nothing could be sent for a while.
    fn let_go_if_held_up(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.looked) > TICK + HELD_UP {
            self.begin_anew(now);
        }
        self.looked = now;
    }

    /// Has nothing to make up for.
    fn begin_anew(&mut self, now: Instant) {
        self.start = now;
        self.schedule = Schedule::new(self.rate);
    }

    /// How many more frames may be in flight to the partner.
    fn room(&self, number: u16, partner: Option<&Mutex<Heard>>) -> usize {
        let (Some(most), Some(partner)) = (self.in_flight, partner) else {
            return BATCH;
        };
        let heard = partner.lock().unwrap_or_else(PoisonError::into_inner);
        let arrived = heard.next_of(number).unwrap_or_default().max(self.first);
        drop(heard);
        let room = most.saturating_sub(self.next - arrived);
        if room == 0 && self.sent_at.elapsed() >= PROBE {
            return 1;
        }
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// The next frames, numbered.
    fn frames(&mut self, count: usize) -> Vec<Frame<'_>> {
        for (number, frame) in (self.next..).zip(self.frames.iter_mut().take(count)) {
            frame[NUMBER_AT..NUMBER_AT + 8].copy_from_slice(&number.to_be_bytes());
        }
        let frames = self.frames.iter().take(count);
        frames.map(|frame| Frame::finished(frame)).collect()
    }
}
