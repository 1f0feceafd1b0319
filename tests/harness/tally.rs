//! What became of a stream of numbered frames.

use std::time::{Duration, Instant};

/// A number that is so much lower than the highest is of a stream before this one, whose frames
/// nobody counts any more.
pub(crate) const WINDOW: u64 = 1 << 18;
/// Shorter gaps are not remembered one by one.
const NOTED: Duration = Duration::from_millis(1);
/// The most gaps that are.
const MOST_NOTED: usize = 100_000;

/// The books of one stream, as its receiver keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    seen: Vec<u64>,
    highest: Option<u64>,
    last: Option<Instant>,
    /// Frames that came, each counted once.
    pub(crate) received: u64,
    /// Further copies of frames that had come.
    pub(crate) duplicates: u64,
    /// Frames that came after one with a higher number.
    pub(crate) reordered: u64,
    /// The longest time between two arrivals.
    pub(crate) longest_gap: Duration,
    /// When nothing came for a while: from and until when.
    pub(crate) gaps: Vec<(Instant, Instant)>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            seen: vec![0; (WINDOW / 64) as usize],
            highest: None,
            last: None,
            received: 0,
            duplicates: 0,
            reordered: 0,
            longest_gap: Duration::ZERO,
            gaps: Vec::new(),
        }
    }

    /// A frame came.
    pub(crate) fn take(&mut self, number: u64, at: Instant) {
        if let Some(last) = self.last.replace(at) {
            let gap = at.saturating_duration_since(last);
            self.longest_gap = self.longest_gap.max(gap);
            if gap >= NOTED && self.gaps.len() < MOST_NOTED {
                self.gaps.push((last, at));
            }
        }
        let next = self.highest.map_or(0, |highest| highest + 1);
        if number >= next {
            // What lies between has not come.
            for between in next.max(number.saturating_sub(WINDOW))..number {
                self.set(between, false);
            }
            self.set(number, true);
            self.highest = Some(number);
            self.received += 1;
        } else if next - number > WINDOW {
            // It was under way when the stream before was ended.
        } else if self.is_set(number) {
            self.duplicates += 1;
        } else {
            self.set(number, true);
            self.received += 1;
            self.reordered += 1;
        }
    }

    /// How long it took from `moment` until frames came again; zero if there was no gap.
    pub(crate) fn recovery(&self, moment: Instant) -> Duration {
        let around = self.gaps.iter().filter(|(_, until)| *until >= moment);
        let found = around
            .filter(|(from, _)| *from <= moment + Duration::from_millis(1))
            .map(|(_, until)| *until - moment)
            .next();
        found.unwrap_or_default()
    }

    /// The number behind the highest that came; none if none did.
    pub(crate) fn next(&self) -> Option<u64> {
        self.highest.map(|highest| highest + 1)
    }

    /// Whether anything has come after `moment`.
    pub(crate) fn came_after(&self, moment: Instant) -> bool {
        self.last.is_some_and(|last| last > moment)
    }

    fn set(&mut self, number: u64, came: bool) {
        let (word, bit) = place(number);
        if came {
            self.seen[word] |= bit;
        } else {
            self.seen[word] &= !bit;
        }
    }

    fn is_set(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.seen[word] & bit != 0
    }
}

const fn place(number: u64) -> (usize, u64) {
    let at = number % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

/// A tally that counts wrongly would hide what it is for.
pub(crate) fn check_itself() {
    let start = Instant::now();
    let mut tally = Tally::new();
    let ms = Duration::from_millis;
    for (number, at) in [
        (0, 0),
        (1, 1),
        (4, 2),
        (3, 3),
        (3, 4),
        (4, 5),
        (5, 50),
        (6, 51),
    ] {
        tally.take(number, start + ms(at));
    }
    let counted = (tally.received, tally.duplicates, tally.reordered);
    assert_eq!(counted, (6, 2, 1), "2 is lost, 3 late, 3 and 4 twice");
    assert_eq!(tally.next(), Some(7));
    assert_eq!(tally.longest_gap, ms(45));
    assert_eq!(tally.recovery(start + ms(20)), ms(30));
    assert!(tally.came_after(start + ms(50)) && !tally.came_after(start + ms(51)));
    // Far ahead, and the window is that of the new number.
    tally.take(10 * WINDOW + 7, start + ms(52));
    tally.take(10 * WINDOW + 3, start + ms(53));
    tally.take(3, start + ms(54));
    let counted = (tally.received, tally.duplicates, tally.reordered);
    assert_eq!(counted, (8, 2, 2));
}
