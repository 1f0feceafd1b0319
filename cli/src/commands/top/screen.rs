//! The terminal: taken over for a while, and given back whatever happens.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Stdout, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal, raise};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Position, Rect};

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal of this process. Given back with this value at the latest; a panic gives it back
/// before it says what it is.
///
/// What is shown is kept here rather than by `ratatui::Terminal`, which asks the terminal for its
/// cursor when all is drawn anew: one that does not answer in time would end the view.
pub(super) struct Screen {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    /// What the terminal shows, as far as is known.
    shown: Buffer,
}

impl Screen {
    /// Takes it over.
    ///
    /// # Errors
    /// What the terminal says.
    pub(super) fn open() -> io::Result<Self> {
        give_back_at_panic();
        take()?;
        Ok(Self {
            backend: CrosstermBackend::new(BufWriter::new(stdout())),
            shown: Buffer::empty(Rect::ZERO),
        })
    }

    /// Draws. The size is looked at each time.
    ///
    /// # Errors
    /// What the terminal says.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer, Rect)) -> io::Result<()> {
        let area = Rect::from((Position::ORIGIN, self.backend.size()?));
        if area != self.shown.area {
            execute!(self.backend, Clear(ClearType::All))?;
            self.shown = Buffer::empty(area);
        }
        let mut next = Buffer::empty(area);
        draw(&mut next, area);
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        Backend::flush(&mut self.backend)?;
        self.shown = next;
        Ok(())
    }

    /// The next time everything is drawn, not only what has changed.
    pub(super) fn forget(&mut self) {
        self.shown = Buffer::empty(Rect::ZERO);
    }

    /// Gives the terminal back and stops the process until it is continued, as SIGTSTP does.
    ///
    /// # Errors
    /// What the terminal says.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // The signal itself rather than SIGSTOP: the kernel ignores it where nobody could ever
        // continue the process. All other threads have it blocked.
        let stop = SigSet::from(Signal::SIGTSTP);
        stop.thread_unblock()?;
        raise(Signal::SIGTSTP)?;
        stop.thread_block()?;
        self.resume()
    }

    /// After the process was stopped: whoever had the terminal meanwhile has left it otherwise.
    ///
    /// # Errors
    /// What the terminal says.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        give_back();
        take()?;
        self.forget();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// The descriptor that becomes readable with a key.
///
/// # Errors
/// Where there is no terminal to read from.
pub(super) fn keyboard() -> io::Result<OwnedFd> {
    if stdin().is_terminal() {
        stdin().as_fd().try_clone_to_owned()
    } else {
        Ok(File::open("/dev/tty")?.into())
    }
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode().and_then(|()| execute!(stdout(), EnterAlternateScreen, Hide));
    taken.inspect_err(|_| give_back())
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

fn give_back_at_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
}
