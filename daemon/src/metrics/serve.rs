//! Answering those who scrape: one thread, which waits for all of them at once.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::Socket;

use super::collect::collect;
use super::crowd::Crowd;
use super::desk::{Asker, Desk, desk};
use super::exposition::CONTENT_TYPE;
use super::http;
use vswitch_control::metrics::{Address, Listener};
use vswitch_control::protocol::SwitchView;

/// What the thread needs is little.
const STACK_BYTES: usize = 256 * 1024;
/// So many are let in before those who are in have their turn, and time to send their heads.
const ACCEPTED_PER_TURN: usize = 32;
/// How often it is looked after who is too slow.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// The pause after the system gave no connection, or where there was no place for one.
const PAUSE: Duration = Duration::from_millis(50);
/// The daemon is not asked more often than that: who scrapes meanwhile is told the same.
const ASK_INTERVAL: Duration = Duration::from_millis(10);

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST_SCRAPER: Token = Token(2);

/// Metrics are served as long as this lives; the file of a Unix socket goes with it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    listener: Listener,
    desk: Desk,
    door: Arc<Mutex<Door>>,
    is_ending: Arc<AtomicBool>,
    waker: Arc<Waker>,
    /// What is to be served, before it is.
    service: Option<Service>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Has all that it takes to serve what it is told ([`Endpoint::tell`]).
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub(crate) fn prepare(listener: Listener) -> io::Result<Self> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (asker, desk) = desk(Arc::clone(&waker))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let door = Arc::new(Mutex::new(Door::Open));
        let service = Service {
            socket: listener.to_socket()?,
            is_tcp: listener.is_tcp(),
            crowd: Crowd::new(FIRST_SCRAPER),
            has_backlog: true,
            asker,
            asked: None,
            next_ask: Instant::now(),
            started: since.map_or(0.0, |since| since.as_secs_f64()),
            door: Arc::clone(&door),
            is_ending: Arc::clone(&is_ending),
            poll,
        };
        Ok(Self {
            listener,
            desk,
            door,
            is_ending,
            waker,
            service: Some(service),
            thread: None,
        })
    }

    /// Serves from now on; the file of a Unix socket is its own.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        if let Some(service) = self.service.take() {
            self.listener.settle();
            let thread = thread::Builder::new()
                .name("metrics".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || service.run())?;
            self.thread = Some(thread);
        }
        Ok(())
    }

    /// Readable when somebody wants metrics: then it is to be told.
    pub(crate) fn fd(&self) -> RawFd {
        self.desk.fd()
    }

    /// Whether somebody wants metrics.
    pub(crate) fn is_asked(&self) -> bool {
        self.desk.is_asked()
    }

    /// Tells what there is to tell, or that there is nothing now.
    pub(crate) fn tell(&self, view: Option<SwitchView>) {
        self.desk.tell(view);
    }

    /// Accepts no connection from here on: they wait in the socket's backlog, for another process or
    /// for [`Endpoint::reopen`]. Those that are accepted are told `last` when they ask, as the control
    /// loop answers no more.
    pub(crate) fn shut(&self, last: Option<SwitchView>) {
        *lock(&self.door) = Door::Shut(last.map(Box::new));
        self.wake();
    }

    /// Accepts connections again.
    pub(crate) fn reopen(&self) {
        *lock(&self.door) = Door::Open;
        self.wake();
    }

    /// The socket, for another process.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub(crate) fn to_descriptor(&self) -> io::Result<OwnedFd> {
        self.listener.to_descriptor()
    }

    /// Leaves the socket and its file to another process.
    pub(crate) fn pass_on(mut self) {
        self.end();
        self.listener.let_go();
    }

    /// The same, as `run --metrics` takes it, with the port that it got.
    pub(crate) fn bound(&self) -> Address {
        self.listener.address().clone()
    }

    /// Where it is served, as people write it.
    pub(crate) fn address(&self) -> String {
        self.listener.address().to_string()
    }

    /// Whoever comes now finds nobody, or another process. Waits for nobody who was served.
    fn end(&mut self) {
        self.is_ending.store(true, Ordering::Release);
        // Where it cannot be woken it ends with the process.
        if self.wake() {
            // A panic there has ended the process.
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }

    /// Has the thread look at what is wanted of it. Returns whether that was possible.
    fn wake(&self) -> bool {
        let woken = self.waker.wake();
        if let Err(error) = &woken {
            log::debug!("cannot wake the thread that serves metrics: {error}");
        }
        woken.is_ok()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether connections are accepted. Who holds the lock accepts, or decides that it is over.
#[derive(Debug)]
enum Door {
    /// They are, and the control loop is asked on their behalf.
    Open,
    /// They are not; this is what the control loop said last.
    Shut(Option<Box<SwitchView>>),
}

fn lock(door: &Mutex<Door>) -> MutexGuard<'_, Door> {
    door.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's own.
#[derive(Debug)]
struct Service {
    poll: Poll,
    socket: Socket,
    is_tcp: bool,
    crowd: Crowd,
    /// Whether somebody may wait to be accepted.
    has_backlog: bool,
    asker: Asker,
    /// Those for whom the daemon was asked last, until it has told.
    asked: Option<Vec<Token>>,
    /// When it may be asked next.
    next_ask: Instant,
    /// In seconds since 1970.
    started: f64,
    door: Arc<Mutex<Door>>,
    is_ending: Arc<AtomicBool>,
}

impl Service {
    fn run(mut self) {
        if let Err(error) = self.serve() {
            log::error!("metrics are not served any more: {error}");
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let fd = self.socket.as_fd().as_raw_fd();
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&fd), LISTENER, Interest::READABLE)?;
        let mut events = Events::with_capacity(256);
        let mut looked = Instant::now();
        while !self.is_ending.load(Ordering::Acquire) {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    LISTENER => self.has_backlog = true,
                    WAKER => {}
                    scraper => self.crowd.serve(scraper, self.poll.registry(), now),
                }
            }
            self.crowd.serve_queue(self.poll.registry(), now);
            let door = Arc::clone(&self.door);
            match &*lock(&door) {
                Door::Open => {
                    if self.has_backlog {
                        self.accept(now);
                    }
                    self.pass_answer(now);
                    self.ask(now);
                }
                Door::Shut(last) => self.answer_all(last.as_deref(), now),
            }
            if now.saturating_duration_since(looked) >= LOOK_AFTER {
                looked = now;
                self.crowd.look_after(self.poll.registry(), now);
            }
        }
        self.crowd.send_away(self.poll.registry(), Instant::now());
        Ok(())
    }

    /// How long to wait for the next event.
    fn patience(&self) -> Option<Duration> {
        if self.crowd.is_busy() {
            return Some(Duration::ZERO);
        }
        let mut patience = (!self.crowd.is_empty()).then_some(LOOK_AFTER);
        let mut at_most = |limit: Duration| {
            patience = Some(patience.map_or(limit, |patience| patience.min(limit)));
        };
        if self.has_backlog && matches!(*lock(&self.door), Door::Open) {
            at_most(PAUSE);
        }
        if self.crowd.is_asking() && self.asked.is_none() {
            at_most(self.next_ask.saturating_duration_since(Instant::now()));
        }
        patience
    }

    /// Accepts those that wait, as far as it is their turn and there is room.
    fn accept(&mut self, now: Instant) {
        use rustix::io::Errno;
        let flags = rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC;
        for _ in 0..ACCEPTED_PER_TURN {
            if !self.crowd.make_room(self.poll.registry(), now) {
                return;
            }
            match rustix::net::accept_with(&self.socket, flags) {
                Ok(stream) => self.admit(stream.into(), now),
                Err(Errno::WOULDBLOCK) => {
                    self.has_backlog = false;
                    return;
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // Too many descriptors, or no memory: make room, and try again later.
                Err(errno) => {
                    log::debug!("cannot accept a scraper of metrics: {errno}");
                    self.crowd.evict(self.poll.registry(), now);
                    return;
                }
            }
        }
        // Those who are in have their turn.
        self.has_backlog = true;
    }

    fn admit(&mut self, stream: Socket, now: Instant) {
        let registry = self.poll.registry();
        if let Err(error) = self.crowd.admit(stream, self.is_tcp, registry, now) {
            log::debug!("cannot watch a scraper of metrics: {error}");
        }
    }

    /// Asks the daemon on behalf of all who wait, unless it has to answer others first.
    fn ask(&mut self, now: Instant) {
        if self.asked.is_none() && self.crowd.is_asking() && now >= self.next_ask {
            self.asked = Some(self.crowd.take_waiting());
            self.next_ask = now + ASK_INTERVAL;
            self.asker.ask();
        }
    }

    /// Gives what the daemon has told to those for whom it was asked.
    fn pass_answer(&mut self, now: Instant) {
        if let Some(told) = self.asker.told()
            && let Some(tokens) = self.asked.take()
        {
            self.answer(tokens, told.ok().as_deref(), now);
        }
    }

    /// Gives all who have asked the same.
    fn answer_all(&mut self, view: Option<&SwitchView>, now: Instant) {
        let mut tokens = self.asked.take().unwrap_or_default();
        tokens.extend(self.crowd.take_waiting());
        if !tokens.is_empty() {
            self.answer(tokens, view, now);
        }
    }

    fn answer(&mut self, tokens: Vec<Token>, view: Option<&SwitchView>, now: Instant) {
        let metrics = view.map(|view| {
            let text = collect(view, self.started);
            http::answer(CONTENT_TYPE, &text)
        });
        self.crowd
            .answer(tokens, metrics, self.poll.registry(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use vswitch_control::protocol::{PortState, PortView, TrafficView};

    const HEAD: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    /// No assertion is about time; a hang ends with this.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// An endpoint, and a thread that plays the control loop until the returned flag is set.
    fn start(view: SwitchView) -> (SocketAddr, Arc<AtomicBool>, JoinHandle<usize>) {
        let address: Address = "127.0.0.1:0".parse().unwrap();
        let mut endpoint = Endpoint::prepare(Listener::bind(&address).unwrap()).unwrap();
        endpoint.open().unwrap();
        let Address::Tcp(address) = *endpoint.listener.address() else {
            panic!("{endpoint:?}");
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut asked = 0;
            while !over.load(Ordering::Acquire) {
                if endpoint.is_asked() {
                    asked += 1;
                    endpoint.tell(Some(view.clone()));
                }
                thread::sleep(Duration::from_millis(1));
            }
            asked
        });
        (address, is_over, thread)
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn scrape(address: SocketAddr) -> usize {
        let mut stream = connect(address);
        stream.write_all(HEAD).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        answer.len()
    }

    /// A switch whose metrics are more than sockets hold.
    fn large() -> SwitchView {
        let port = |id: u16| PortView {
            id,
            name: format!("port-{id}"),
            namespace: Some("x".repeat(200)),
            peer: None,
            state: PortState::Up,
            mtu: 1500,
            peer_mtu: None,
            driver: "packet".into(),
            rx: TrafficView::default(),
            tx: TrafficView::default(),
            drops: std::collections::BTreeMap::default(),
            addresses: Vec::new(),
            settings: vswitch_control::settings::View::default(),
            limits: None,
            blocked: None,
            warnings: Vec::new(),
        };
        SwitchView::sample((1..200).map(port).collect())
    }

    #[test]
    fn whoever_asks_and_does_not_read_costs_little_and_holds_up_nobody() {
        let (address, is_over, thread) = start(large());
        let expected = scrape(address);
        assert!(expected > 1_000_000, "{expected}");
        let mut deaf = Vec::new();
        for _ in 0..100 {
            let mut client = connect(address);
            client.write_all(HEAD).unwrap();
            deaf.push(client);
            assert!(scrape(address) > 1_000_000);
        }
        is_over.store(true, Ordering::Release);
        assert!(thread.join().unwrap() >= 100);
    }

    #[test]
    fn many_who_ask_at_once_are_told_the_same() {
        let (address, is_over, thread) = start(SwitchView::sample(Vec::new()));
        let mut clients: Vec<_> = (0..200).map(|_| connect(address)).collect();
        for client in &mut clients {
            client.write_all(HEAD).unwrap();
        }
        for mut client in clients {
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        is_over.store(true, Ordering::Release);
        assert!(thread.join().unwrap() < 200);
        assert!(
            TcpStream::connect(address).is_err(),
            "nobody serves any more"
        );
    }

    #[test]
    fn connections_wait_while_nobody_accepts_and_those_accepted_are_told_the_last() {
        let address: Address = "127.0.0.1:0".parse().unwrap();
        let mut endpoint = Endpoint::prepare(Listener::bind(&address).unwrap()).unwrap();
        endpoint.open().unwrap();
        let Address::Tcp(address) = *endpoint.listener.address() else {
            panic!("{endpoint:?}");
        };
        let answer = |mut client: TcpStream| {
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        };
        let ask = |client: &mut TcpStream| client.write_all(HEAD).unwrap();
        let mut accepted = connect(address);
        ask(&mut accepted);
        // Its question has arrived: so it is accepted.
        while !endpoint.is_asked() {
            thread::sleep(Duration::from_millis(1));
        }
        endpoint.shut(Some(SwitchView::sample(Vec::new())));
        assert!(answer(accepted).starts_with("HTTP/1.1 200 OK\r\n"));
        let mut waiting = connect(address);
        ask(&mut waiting);
        let other = endpoint.listener.to_socket().unwrap();
        let (theirs, _) = other.accept().unwrap();
        drop(theirs);
        // Another one waits, until this one accepts again.
        let mut waiting = connect(address);
        ask(&mut waiting);
        endpoint.reopen();
        while !endpoint.is_asked() {
            thread::sleep(Duration::from_millis(1));
        }
        endpoint.tell(Some(SwitchView::sample(Vec::new())));
        assert!(answer(waiting).starts_with("HTTP/1.1 200 OK\r\n"));
    }
}
