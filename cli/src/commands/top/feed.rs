//! The thread that asks the switch, so that the screen never waits for an answer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use vswitch_control::client::{Client, ClientError};
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{FdbEntry, SwitchView};
use vswitch_control::runtime_dir::RuntimeDir;

/// The second look follows the first so soon, so that there are rates to see.
const FIRST_SPAN: Duration = Duration::from_millis(300);
/// A large MAC table takes its time: so many times as long nothing is asked for it again.
const TABLE_REST: u32 = 10;

/// What the screen wants to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wants {
    /// Look so often.
    pub(super) interval: Duration,
    /// The MAC table as well.
    pub(super) stations: bool,
    /// Nothing for now.
    pub(super) paused: bool,
}

/// What the switch said.
pub(super) enum Said {
    /// What `show` tells, and when, since the thread began.
    Look(Duration, Box<SwitchView>),
    /// The MAC table.
    Stations(Vec<FdbEntry>),
    /// It answers no more.
    Gone(ClientError),
}

/// The thread, as the screen sees it.
pub(super) struct Feed {
    orders: Sender<Wants>,
    said: Receiver<Said>,
    wake: Arc<EventFd>,
}

impl Feed {
    /// Asks from now on.
    ///
    /// # Errors
    /// Where the system gives no thread or descriptor.
    pub(super) fn start(runtime: RuntimeDir, client: Client, wants: Wants) -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        let wake = Arc::new(EventFd::from_flags(flags)?);
        let (orders, received) = mpsc::channel();
        let (tell, said) = mpsc::channel();
        let teller = Teller {
            tell,
            wake: Arc::clone(&wake),
        };
        let asker = Asker {
            name: client.switch().clone(),
            runtime,
            client,
        };
        thread::Builder::new()
            .name("asker".to_owned())
            .spawn(move || ask(asker, wants, &received, &teller))?;
        Ok(Self { orders, said, wake })
    }

    /// From now on other things are wanted, at once.
    pub(super) fn order(&self, wants: Wants) {
        // A thread that has ended has said why.
        let _ = self.orders.send(wants);
    }

    /// What was said since the last call.
    pub(super) fn take(&self) -> Vec<Said> {
        // It holds a number that nobody needs.
        let _ = self.wake.read();
        self.said.try_iter().collect()
    }
}

impl AsFd for Feed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// The screen, as the thread sees it.
struct Teller {
    tell: Sender<Said>,
    wake: Arc<EventFd>,
}

impl Teller {
    /// Whether anybody listens.
    fn tell(&self, said: Said) -> bool {
        let told = self.tell.send(said).is_ok();
        told && self.wake.write(1).is_ok()
    }
}

struct Asker {
    runtime: RuntimeDir,
    name: SwitchName,
    client: Client,
}

impl Asker {
    /// Asks, a second time on a new connection: the switch closes connections where there are
    /// too many.
    fn ask<T>(
        &mut self,
        question: impl Fn(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        match question(&mut self.client) {
            Err(ClientError::Broken { .. }) => {
                self.client = Client::connect(&self.runtime, &self.name)?;
                question(&mut self.client)
            }
            other => other,
        }
    }
}

fn ask(mut asker: Asker, mut wants: Wants, orders: &Receiver<Wants>, teller: &Teller) {
    let origin = Instant::now();
    let mut last_look: Option<Instant> = None;
    let mut table_rests_until = origin;
    let mut looks = 0_u32;
    loop {
        let span = if looks == 1 {
            wants.interval.min(FIRST_SPAN)
        } else {
            wants.interval
        };
        let due = last_look.map_or(origin, |last| last + span);
        let order = if wants.paused {
            orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            orders.recv_timeout(due.saturating_duration_since(Instant::now()))
        };
        match order {
            Ok(order) => {
                // Whoever goes on, or turns to the table, wants to see something at once.
                if (wants.paused && !order.paused) || (order.stations && !wants.stations) {
                    (last_look, looks) = (None, 0);
                    table_rests_until = Instant::now();
                }
                wants = order;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let look = asker.ask(Client::show);
        let now = Instant::now();
        (last_look, looks) = (Some(now), looks.saturating_add(1));
        let mut goes_on = match look {
            Ok(view) => teller.tell(Said::Look(now - origin, Box::new(view))),
            Err(error) => {
                teller.tell(Said::Gone(error));
                return;
            }
        };
        if wants.stations && now >= table_rests_until {
            // That it is gone, the next look tells as well.
            if let Ok(stations) = asker.ask(Client::stations) {
                let took = now.elapsed();
                table_rests_until = Instant::now() + took * TABLE_REST;
                goes_on &= teller.tell(Said::Stations(stations));
            }
        }
        if !goes_on {
            return;
        }
    }
}
