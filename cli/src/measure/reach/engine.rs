//! Asking them all.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::errno::Errno;

use super::pairs::pairs;
use super::station::{Station, is_passing, until};
use super::{Finding, Outcome};
use crate::measure::{Stop, ping};

/// The most requests that are under way at once.
const UNDER_WAY: usize = 512;
/// The most of those that may soon be answered: so many that the switch always has work, and so
/// few that they do not stand in a queue there, and tell a response time that is that of the queue.
const FRESH: usize = 48;
/// After so long a request is taken for one that will not be answered soon.
const FRESH_FOR: Duration = Duration::from_millis(150);
/// How often who was silent is asked again, when all others have been asked: an address may have
/// been just new, or the kernel's table of neighbours full of those of somebody else's lab. The
/// last time only if they are few.
const PASSES: usize = 3;
/// With more neighbours than this in all namespaces together, stations forget each other: half of
/// what the kernel holds without looking for what it could give up (`gc_thresh2`).
const NEIGHBOURS: usize = 256;
/// With more stations than this each asks its neighbours in the list who they are, and is told of
/// the others: half a million broadcasts to all of them would take minutes.
const ASKING: usize = 64;
/// How far apart in the list they ask all the same.
const NEAR: usize = 2;
/// How often it is seen whether to stop, and the progress told.
const TICK: Duration = Duration::from_millis(100);
/// The longest reply that can be one to a request of ours: IPv4's header with all options, then
/// ICMP's header and the payload.
const BUFFER_BYTES: usize = 60 + 8 + 65_535;

/// How to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Over which families: IPv6, IPv4.
    pub(crate) families: [bool; 2],
    /// How long an answer may take.
    pub(crate) patience: Duration,
    /// The payload in bytes.
    pub(crate) size: usize,
}

/// Who asks whom, at which address.
type Question = (usize, usize, IpAddr);
/// A pair, and what it has to ask each other; none for everything.
type Work = ((usize, usize), Option<Vec<Question>>);

/// A request that waits for its answer.
struct Request {
    finding: Finding,
    pair: usize,
    sent: Instant,
    fresh: bool,
}

struct Engine<'a> {
    stations: &'a mut [Station],
    plan: Plan,
    forgetful: bool,
    identifier: u16,
    next: u64,
    waiting: HashMap<u64, Request>,
    /// By when each request has to be answered, the earliest first.
    deadlines: VecDeque<(Instant, u64)>,
    /// When each request was sent that is still fresh, or was answered while it was.
    young: VecDeque<(Instant, u64)>,
    /// How many are fresh.
    fresh: usize,
    /// What is still open of each pair that was taken up.
    open: HashMap<usize, (usize, (usize, usize))>,
    findings: Vec<Finding>,
}

/// Has every station ask every other one at all its addresses, and calls `progress` now and then
/// with the number of answers found so far. Ends early, with what was found, when it is time to.
///
/// # Errors
/// Where the system gives no poll.
pub(crate) fn run(
    stations: &mut [Station],
    plan: Plan,
    stop: &Stop,
    mut progress: impl FnMut(usize),
) -> anyhow::Result<Vec<Finding>> {
    let mut poll = Poll::new().context("cannot wait for answers")?;
    for (index, station) in stations.iter().enumerate() {
        for v4 in [false, true] {
            if let Some(socket) = station.socket(v4) {
                let token = Token(2 * index + usize::from(v4));
                let fd = socket.as_raw_fd();
                poll.registry()
                    .register(&mut SourceFd(&fd), token, Interest::READABLE)
                    .context("cannot wait for answers")?;
            }
        }
    }
    let count = stations.len();
    let mut engine = Engine {
        stations,
        plan,
        forgetful: count * count > NEIGHBOURS,
        identifier: ping::identifier(),
        next: 0,
        waiting: HashMap::new(),
        deadlines: VecDeque::new(),
        young: VecDeque::new(),
        fresh: 0,
        open: HashMap::new(),
        findings: Vec::new(),
    };
    let all: Vec<(usize, usize)> = pairs(count).collect();
    let first = all.into_iter().map(|pair| (pair, None));
    engine.ask(&mut poll, first, stop, &mut progress)?;
    for pass in 1..PASSES {
        let silent = engine.take_silent();
        let answered = engine.findings.len();
        let few = silent.values().map(Vec::len).sum::<usize>() * 20 < answered;
        if silent.is_empty() || stop.is_set() {
            engine.give_up(silent);
            break;
        }
        if pass + 1 == PASSES && !few {
            engine.give_up(silent);
            break;
        }
        let again = silent.into_iter().map(|(pair, asked)| (pair, Some(asked)));
        engine.ask(&mut poll, again, stop, &mut progress)?;
    }
    Ok(engine.findings)
}

impl Engine<'_> {
    /// Asks all that is to be asked, and waits for the answers. Ends early, without those that
    /// wait, when it is time to.
    fn ask(
        &mut self,
        poll: &mut Poll,
        work: impl Iterator<Item = Work>,
        stop: &Stop,
        progress: &mut impl FnMut(usize),
    ) -> anyhow::Result<()> {
        let mut work = work.enumerate().peekable();
        let mut events = Events::with_capacity(1024);
        loop {
            while self.fresh < FRESH && self.waiting.len() < UNDER_WAY {
                let Some((number, (pair, asked))) = work.next() else {
                    break;
                };
                let asked = asked.unwrap_or_else(|| self.between(pair));
                self.take_up(number, pair, &asked);
            }
            if stop.is_set() || (self.waiting.is_empty() && work.peek().is_none()) {
                return Ok(());
            }
            match poll.poll(&mut events, Some(until(self.next_deadline(), TICK))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error).context("cannot wait for answers");
                }
                _ => {}
            }
            for event in &events {
                self.receive(event.token().0 / 2, event.token().0 % 2 == 1);
            }
            self.expire();
            progress(self.findings.len());
        }
    }

    /// All that a pair has to ask each other.
    fn between(&self, pair: (usize, usize)) -> Vec<Question> {
        let mut questions = Vec::new();
        for (from, to) in [pair, (pair.1, pair.0)] {
            for address in self.stations[to].addresses() {
                let v4 = address.is_ipv4();
                if self.plan.families[usize::from(v4)] && self.stations[from].has(v4) {
                    questions.push((from, to, address));
                }
            }
        }
        questions
    }

    /// Takes out what was found of those that did not answer, by pairs.
    fn take_silent(&mut self) -> BTreeMap<(usize, usize), Vec<Question>> {
        let mut silent: BTreeMap<_, Vec<Question>> = BTreeMap::new();
        self.findings.retain(|finding| {
            let Finding { from, to, .. } = *finding;
            let is_silent = finding.outcome == Outcome::Silent;
            if is_silent {
                let pair = (from.min(to), from.max(to));
                let question = (from, to, finding.address);
                silent.entry(pair).or_default().push(question);
            }
            !is_silent
        });
        silent
    }

    /// Keeps them as silent.
    fn give_up(&mut self, silent: BTreeMap<(usize, usize), Vec<Question>>) {
        for (from, to, address) in silent.into_values().flatten() {
            self.findings.push(Finding {
                from,
                to,
                address,
                outcome: Outcome::Silent,
            });
        }
    }

    /// Sends the requests of a pair.
    fn take_up(&mut self, number: usize, pair: (usize, usize), asked: &[Question]) {
        if asked.is_empty() {
            return;
        }
        self.open.insert(number, (asked.len(), pair));
        let count = self.stations.len();
        let apart = pair.0.abs_diff(pair.1);
        if count > ASKING && apart.min(count - apart) > NEAR {
            self.introduce(pair);
        }
        for (from, to, address) in asked.iter().copied() {
            let finding = Finding {
                from,
                to,
                address,
                outcome: Outcome::Silent,
            };
            self.send(Request {
                finding,
                pair: number,
                sent: Instant::now(),
                fresh: true,
            });
        }
    }

    /// Tells both stations of a pair where the other one is.
    fn introduce(&mut self, (one, other): (usize, usize)) {
        if let Ok([one, other]) = self.stations.get_disjoint_mut([one, other]) {
            one.learn(other);
            other.learn(one);
        }
    }

    fn send(&mut self, mut request: Request) {
        let id = self.next;
        self.next += 1;
        let Finding { from, address, .. } = request.finding;
        request.sent = Instant::now();
        match self.transmit(id, from, address) {
            Ok(()) => {}
            // It waits for its deadline, and is asked again at the end.
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(libc::EIO);
                request.finding.outcome = Outcome::NotSent(Errno::from_raw(number));
                self.close(&request);
                return;
            }
        }
        self.deadlines
            .push_back((request.sent + self.plan.patience, id));
        self.young.push_back((request.sent + FRESH_FOR, id));
        self.fresh += 1;
        self.waiting.insert(id, request);
    }

    fn transmit(&self, id: u64, from: usize, address: IpAddr) -> io::Result<()> {
        let v4 = address.is_ipv4();
        let mut payload = id.to_be_bytes().to_vec();
        payload.resize(self.plan.size.max(payload.len()), 0);
        let [.., high, low] = id.to_be_bytes();
        let sequence = u16::from_be_bytes([high, low]);
        let message = ping::request(v4, self.identifier, sequence, &payload);
        let socket = self.stations[from]
            .socket(v4)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))?;
        let target = SocketAddr::new(address, 0).into();
        socket.send_to(&message, &target).map(drop)
    }

    /// Takes all that has come in at one socket.
    fn receive(&mut self, station: usize, v4: bool) {
        let mut buffer = vec![0; BUFFER_BYTES.min(self.plan.size + 256)];
        loop {
            let Some(socket) = self.stations[station].socket(v4) else {
                return;
            };
            let length = match io::Read::read(&mut &*socket, &mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nothing is left, or the interface has just gone.
                Err(_) => return,
            };
            let now = Instant::now();
            let Some(id) = ping::reply(v4, &buffer[..length]).and_then(|r| self.id_of(r)) else {
                continue;
            };
            // Its own answer: one to another station's request cannot come here.
            let is_own = |request: &Request| request.finding.from == station;
            if self.waiting.get(&id).is_some_and(is_own)
                && let Some(mut request) = self.take(id)
            {
                let round_trip = now.duration_since(request.sent);
                request.finding.outcome = Outcome::Reached(round_trip);
                self.close(&request);
            }
        }
    }

    /// The number of the request that a reply answers.
    fn id_of(&self, reply: &[u8]) -> Option<u64> {
        let (identifier, rest) = reply.split_first_chunk()?;
        let payload = rest.get(2..)?;
        let id = u64::from_be_bytes(*payload.first_chunk()?);
        (*identifier == self.identifier.to_be_bytes()).then_some(id)
    }

    /// Takes out a request that waits no more.
    fn take(&mut self, id: u64) -> Option<Request> {
        let request = self.waiting.remove(&id)?;
        self.fresh -= usize::from(request.fresh);
        Some(request)
    }

    /// By when something has to be done, if nothing comes in before.
    fn next_deadline(&self) -> Option<Instant> {
        let first = |queue: &VecDeque<(Instant, u64)>| queue.front().map(|(time, _)| *time);
        [first(&self.young), first(&self.deadlines)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Gives up where time is over.
    fn expire(&mut self) {
        let now = Instant::now();
        while self.young.front().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, id)) = self.young.pop_front()
                && let Some(request) = self.waiting.get_mut(&id)
                && request.fresh
            {
                request.fresh = false;
                self.fresh -= 1;
            }
        }
        while let Some((deadline, id)) = self.deadlines.front().copied() {
            if deadline > now && self.waiting.contains_key(&id) {
                return;
            }
            self.deadlines.pop_front();
            let Some(request) = self.take(id) else {
                continue; // answered
            };
            self.close(&request);
        }
    }

    /// Keeps what was found, and ends the pair with its last request.
    fn close(&mut self, request: &Request) {
        self.findings.push(request.finding);
        let Some((left, pair)) = self.open.get_mut(&request.pair) else {
            return;
        };
        *left -= 1;
        if *left > 0 {
            return;
        }
        let (one, other) = *pair;
        self.open.remove(&request.pair);
        if self.forgetful {
            for (from, to) in [(one, other), (other, one)] {
                let addresses: Vec<IpAddr> = self.stations[to].addresses().collect();
                for address in addresses {
                    self.stations[from].forget(address);
                }
            }
        }
    }
}
