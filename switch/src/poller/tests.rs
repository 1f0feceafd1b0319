use super::*;
use nix::sys::eventfd::{EfdFlags, EventFd};

const PORT: PortId = PortId(3);
/// Long enough for anything that must happen, on any machine.
const LONG: Option<Duration> = Some(Duration::from_secs(30));
/// Checks without waiting.
const NOW: Option<Duration> = Some(Duration::ZERO);

fn watching() -> (Poller, EventFd) {
    let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.watch(PORT, event.as_fd().as_raw_fd()).unwrap();
    (poller, event)
}

/// Returns the ports that a wait finds.
fn ready(poller: &mut Poller, patience: Option<Duration>) -> Vec<PortId> {
    let mut ready = Vec::new();
    poller
        .wait(patience, |port, is_error| {
            assert!(!is_error);
            ready.push(port);
        })
        .unwrap();
    ready
}

fn make_busy(poller: &mut Poller) {
    for _ in 0..BATCHES_OF_MANY {
        assert!(poller.busy.is_empty());
        poller.note(PORT, MANY);
    }
    assert_eq!(poller.busy, [PORT]);
}

#[test]
fn an_ordinary_port_is_found_by_its_descriptor_only() {
    let (mut poller, event) = watching();
    for _ in 0..100 {
        for _ in 1..BATCHES_OF_MANY {
            poller.note(PORT, BATCH);
        }
        poller.note(PORT, MANY - 1); // just below a busy port's
        assert_eq!(ready(&mut poller, NOW), []);
        event.write(1).unwrap();
        assert_eq!(ready(&mut poller, LONG), [PORT]);
    }
}

#[test]
fn a_busy_port_is_polled_by_the_timer_until_its_load_is_low() {
    let (mut poller, event) = watching();
    make_busy(&mut poller);
    event.write(1).unwrap();
    assert_eq!(ready(&mut poller, NOW), [], "it wakes no thread");
    for _ in 0..3 {
        poller.note(PORT, FEW);
        for _ in 0..TICKS {
            assert_eq!(poller.busy, [PORT]);
            assert_eq!(ready(&mut poller, LONG), [PORT]);
        }
    }
    poller.note(PORT, FEW - 1);
    for _ in 0..TICKS {
        assert_eq!(poller.busy, [PORT]);
        assert_eq!(ready(&mut poller, LONG), [PORT]);
    }
    assert!(poller.busy.is_empty());
    assert_eq!(
        ready(&mut poller, NOW),
        [PORT],
        "frames that arrived meanwhile are reported"
    );
    event.write(1).unwrap();
    assert_eq!(ready(&mut poller, NOW), [PORT], "and so are new ones");
}

/// Waits with this patience until the busy port is polled, while another is always ready.
fn asked_beside_another(patience: Option<Duration>) {
    let (mut poller, _event) = watching();
    make_busy(&mut poller);
    let other = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    poller.watch(PortId(9), other.as_fd().as_raw_fd()).unwrap();
    for _ in 0..10 {
        let begun = std::time::Instant::now();
        loop {
            other.write(1).unwrap();
            if ready(&mut poller, patience).contains(&PORT) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "never asked");
        }
        poller.note(PORT, FEW);
    }
}

#[test]
fn a_busy_port_is_polled_however_often_others_are_ready() {
    asked_beside_another(LONG);
}

#[test]
fn a_busy_port_is_polled_although_there_is_other_work() {
    asked_beside_another(NOW);
}

#[test]
fn a_port_that_is_unplugged_while_busy_is_forgotten() {
    let (mut poller, event) = watching();
    make_busy(&mut poller);
    poller.unwatch(PORT);
    poller.unwatch(PORT);
    poller.note(PORT, BATCH);
    event.write(1).unwrap();
    let a_while = Some(50 * TICK);
    assert_eq!(ready(&mut poller, a_while), []);
    assert!(poller.busy.is_empty());
}
