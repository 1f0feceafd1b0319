//! One connection of a scraper: a head comes, an answer goes, and nothing blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::http::{self, Head, MAX_HEAD_BYTES, Status};

/// How long the whole head may take, byte by byte or not.
const TO_ASK: Duration = Duration::from_secs(5);
/// How long the daemon may take to tell.
const TO_TELL: Duration = Duration::from_secs(4);
/// How long the peer may read nothing of its answer, ...
const TO_READ: Duration = Duration::from_secs(5);
/// ... and how long it may read altogether.
const TO_READ_ALL: Duration = Duration::from_secs(60);
/// How long the peer may take to close after its answer.
const TO_LEAVE: Duration = Duration::from_secs(5);
/// A peer that has had its answer for this long and reads less than [`PACE`] may have to give way.
const GRACE: Duration = Duration::from_secs(1);
/// In bytes per second; scrapers on loopback read a thousand times as fast.
const PACE: u64 = 256 * 1024;
/// How much is read at once.
const CHUNK_BYTES: usize = 4096;
/// How much of what nobody asked for is read, so that its sender comes to read the answer.
const DISCARD_BYTES: usize = 256 * 1024;
/// How much of an answer leaves before the others have their turn.
const STEP_BYTES: usize = 1024 * 1024;

/// An answer that many may share: what of these bytes, up to where.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) bytes: Arc<[u8]>,
    pub(super) end: usize,
}

impl Answer {
    /// One without metrics.
    pub(super) fn refusal(status: Status) -> Self {
        let bytes: Arc<[u8]> = http::refusal(status).into();
        let end = bytes.len();
        Self { bytes, end }
    }
}

/// How far a scraper has come.
#[derive(Debug)]
enum Stage {
    /// It has not sent its whole head.
    Asking,
    /// It waits for the metrics.
    Waiting { head_only: bool },
    /// So much of its answer has left.
    Reading { answer: Answer, sent: usize },
    /// All has; so much more of what it sends is thrown away.
    Leaving { room: usize },
}

/// What a scraper comes to next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing until the stream is ready again.
    Wait,
    /// It is the others' turn.
    Later,
    /// It has just asked for the metrics.
    Asked,
    /// The connection is over.
    Close,
}

/// A scraper's connection.
#[derive(Debug)]
pub(super) struct Scraper {
    stream: Socket,
    is_tcp: bool,
    input: Vec<u8>,
    stage: Stage,
    /// When it came to this stage.
    since: Instant,
    /// When it last read any of its answer.
    moved: Instant,
}

impl Scraper {
    /// On a stream that does not block.
    pub(super) const fn new(stream: Socket, is_tcp: bool, now: Instant) -> Self {
        Self {
            stream,
            is_tcp,
            input: Vec::new(),
            stage: Stage::Asking,
            since: now,
            moved: now,
        }
    }

    /// The stream, for the poller.
    pub(super) const fn stream(&self) -> &Socket {
        &self.stream
    }

    /// Whether it waits for the metrics.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. })
    }

    /// Whether it still holds an answer.
    pub(super) const fn is_reading(&self) -> bool {
        matches!(self.stage, Stage::Reading { .. })
    }

    /// When it came to where it is.
    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    /// Goes as far as it gets without waiting.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        let stepped = match self.stage {
            Stage::Asking => self.read_head(now),
            // What it sends meanwhile, or that it has gone, is seen once it is answered.
            Stage::Waiting { .. } => Ok(Step::Wait),
            Stage::Reading { .. } => self.send(now),
            Stage::Leaving { .. } => self.discard(),
        };
        match stepped {
            Ok(step) => step,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Step::Wait,
            Err(error) => {
                log::debug!("a scraper of metrics went away: {error}");
                Step::Close
            }
        }
    }

    /// Gives it its answer: `metrics`, or that there are none now.
    pub(super) fn answer(&mut self, metrics: Option<(&Arc<[u8]>, usize)>, now: Instant) {
        let Stage::Waiting { head_only } = self.stage else {
            return;
        };
        let answer = match metrics {
            Some((bytes, head)) => Answer {
                bytes: Arc::clone(bytes),
                end: if head_only { head } else { bytes.len() },
            },
            None => Answer::refusal(Status::Unavailable),
        };
        self.begin_answer(answer, now);
    }

    /// Why its time is up, if it is, or the answer that says so.
    pub(super) fn look_after(&mut self, now: Instant) -> Step {
        let spent = now.saturating_duration_since(self.since);
        match self.stage {
            Stage::Asking if spent >= TO_ASK => {
                self.begin_answer(Answer::refusal(Status::Timeout), now);
                self.step(now)
            }
            Stage::Waiting { .. } if spent >= TO_TELL => {
                self.answer(None, now);
                self.step(now)
            }
            Stage::Reading { .. }
                if spent >= TO_READ_ALL || now.saturating_duration_since(self.moved) >= TO_READ =>
            {
                Step::Close
            }
            Stage::Leaving { .. } if spent >= TO_LEAVE => Step::Close,
            _ => Step::Wait,
        }
    }

    /// Since when it could do without its place: not at all while its answer is made, or as long as
    /// it reads like somebody who wants it.
    pub(super) fn idle_since(&self, now: Instant) -> Option<Instant> {
        match &self.stage {
            Stage::Asking | Stage::Leaving { .. } => Some(self.since),
            Stage::Waiting { .. } => None,
            Stage::Reading { sent, .. } => {
                let sent = u64::try_from(*sent).unwrap_or(u64::MAX);
                let due = GRACE + Duration::from_millis(sent / (PACE / 1000));
                let is_late = now.saturating_duration_since(self.since) >= due;
                is_late.then_some(self.moved)
            }
        }
    }

    fn begin(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        (self.since, self.moved) = (now, now);
        self.input = Vec::new();
    }

    fn begin_answer(&mut self, answer: Answer, now: Instant) {
        self.begin(Stage::Reading { answer, sent: 0 }, now);
    }

    fn read_head(&mut self, now: Instant) -> io::Result<Step> {
        loop {
            match http::read_head(&self.input, self.is_tcp) {
                Head::Incomplete => {}
                Head::Metrics { head_only } => {
                    self.begin(Stage::Waiting { head_only }, now);
                    return Ok(Step::Asked);
                }
                Head::Refused(status) => {
                    self.begin_answer(Answer::refusal(status), now);
                    return self.send(now);
                }
            }
            let mut chunk = [0; CHUNK_BYTES];
            let room = CHUNK_BYTES.min(MAX_HEAD_BYTES - self.input.len());
            match retry(|| self.stream.read(&mut chunk[..room]))? {
                0 => return Ok(Step::Close),
                read => self.input.extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn send(&mut self, now: Instant) -> io::Result<Step> {
        let mut budget = STEP_BYTES;
        while let Stage::Reading { answer, sent } = &mut self.stage
            && *sent < answer.end
        {
            if budget == 0 {
                return Ok(Step::Later);
            }
            let piece = &answer.bytes[*sent..answer.end.min(*sent + budget)];
            match retry(|| self.stream.write(piece))? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => {
                    *sent += written;
                    budget -= written;
                    self.moved = now;
                }
            }
        }
        self.stream.shutdown(Shutdown::Write)?;
        let room = DISCARD_BYTES;
        self.begin(Stage::Leaving { room }, now);
        self.discard()
    }

    /// Reads on until the peer closes, for a while: closed with something unread, the connection
    /// would be reset and the answer perhaps lost.
    fn discard(&mut self) -> io::Result<Step> {
        let mut waste = [0; CHUNK_BYTES];
        while let Stage::Leaving { room } = &mut self.stage
            && *room > 0
        {
            match retry(|| self.stream.read(&mut waste))? {
                0 => break,
                read => *room = room.saturating_sub(read),
            }
        }
        Ok(Step::Close)
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};

    const HEAD: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

    fn pair(now: Instant) -> (Scraper, Socket) {
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Scraper::new(ours, true, now), theirs)
    }

    /// An answer that no socket takes at once.
    fn long() -> Arc<[u8]> {
        vec![b'x'; 8 << 20].into()
    }

    fn read_some(theirs: &mut Socket) -> usize {
        let mut bytes = vec![0; 1 << 20];
        theirs.read(&mut bytes).unwrap_or(0)
    }

    #[test]
    fn a_head_in_pieces_is_answered_and_the_end_is_waited_for() {
        let now = Instant::now();
        let (mut scraper, mut theirs) = pair(now);
        assert_eq!(scraper.step(now), Step::Wait);
        for byte in &HEAD[..HEAD.len() - 1] {
            theirs.write_all(&[*byte]).unwrap();
            assert_eq!(scraper.step(now), Step::Wait);
        }
        theirs.write_all(b"\nand more").unwrap();
        assert_eq!(scraper.step(now), Step::Asked);
        assert!(scraper.idle_since(now).is_none(), "it is owed an answer");
        scraper.answer(Some((&b"head body"[..].into(), 4)), now);
        assert_eq!(scraper.step(now), Step::Wait);
        let mut told = [0; 32];
        assert_eq!(theirs.read(&mut told).unwrap(), 9);
        drop(theirs);
        assert_eq!(scraper.step(now), Step::Close);
    }

    #[test]
    fn whoever_trickles_has_no_more_time_than_whoever_is_silent() {
        let now = Instant::now();
        let (mut scraper, mut theirs) = pair(now);
        let mut later = now;
        for byte in HEAD.iter().take(10) {
            theirs.write_all(&[*byte]).unwrap();
            later += TO_ASK / 11;
            assert_eq!(scraper.step(later), Step::Wait);
            assert_eq!(scraper.look_after(later), Step::Wait);
            assert_eq!(scraper.idle_since(later), Some(now));
        }
        scraper.look_after(now + TO_ASK);
        let mut told = vec![0; 1000];
        let length = theirs.read(&mut told).unwrap();
        assert!(told[..length].starts_with(b"HTTP/1.1 408 "));
        assert_eq!(scraper.look_after(now + TO_ASK + TO_LEAVE), Step::Close);
    }

    #[test]
    fn whoever_reads_at_a_pace_keeps_its_place() {
        let now = Instant::now();
        let (mut scraper, mut theirs) = pair(now);
        theirs.write_all(HEAD).unwrap();
        assert_eq!(scraper.step(now), Step::Asked);
        scraper.answer(Some((&long(), 0)), now);
        let mut later = now;
        assert_eq!(scraper.step(later), Step::Wait);
        while scraper.is_reading() {
            assert_eq!(scraper.idle_since(later), None);
            assert_eq!(scraper.look_after(later), Step::Wait);
            assert!(read_some(&mut theirs) > 0);
            later += Duration::from_millis(50);
            scraper.step(later);
        }
    }

    #[test]
    fn whoever_does_not_read_gives_way_soon_and_goes_later() {
        let now = Instant::now();
        let (mut scraper, mut theirs) = pair(now);
        theirs.write_all(&HEAD.repeat(20)).unwrap();
        assert_eq!(scraper.step(now), Step::Asked);
        scraper.answer(Some((&long(), 0)), now);
        assert_eq!(scraper.step(now), Step::Wait);
        assert_eq!(scraper.idle_since(now), None);
        let soon = now + GRACE + Duration::from_secs(2);
        assert_eq!(scraper.idle_since(soon), Some(now));
        assert_eq!(scraper.look_after(soon), Step::Wait);
        assert_eq!(scraper.look_after(now + TO_READ), Step::Close);
    }

    #[test]
    fn whoever_reads_a_little_now_and_then_does_not_read_for_ever() {
        let now = Instant::now();
        let (mut scraper, mut theirs) = pair(now);
        theirs.write_all(HEAD).unwrap();
        assert_eq!(scraper.step(now), Step::Asked);
        let longer: Arc<[u8]> = vec![b'x'; 32 << 20].into();
        scraper.answer(Some((&longer, 0)), now);
        let mut later = now;
        // To the end: it has read a little just before.
        while later + TO_READ / 2 < now + TO_READ_ALL {
            later += TO_READ / 2;
            read_some(&mut theirs);
            scraper.step(later);
            assert_eq!(scraper.look_after(later), Step::Wait);
        }
        assert!(scraper.is_reading() && scraper.idle_since(later).is_some());
        assert_eq!(scraper.look_after(now + TO_READ_ALL), Step::Close);
    }

    #[test]
    fn a_daemon_that_does_not_tell_is_no_reason_to_wait_for_ever() {
        let now = Instant::now();
        let (mut scraper, mut theirs) = pair(now);
        theirs.write_all(HEAD).unwrap();
        assert_eq!(scraper.step(now), Step::Asked);
        assert_eq!(scraper.look_after(now + TO_TELL), Step::Wait);
        let mut told = vec![0; 1000];
        let length = theirs.read(&mut told).unwrap();
        assert!(told[..length].starts_with(b"HTTP/1.1 503 "));
    }
}
