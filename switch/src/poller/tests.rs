use super::*;
use nix::sys::eventfd::{EfdFlags, EventFd};

const PORT: PortId = PortId(3);
/// Long enough for anything that must happen, on any machine.
const LONG: Option<Duration> = Some(Duration::from_secs(30));
/// A look without a wait.
const NOW: Option<Duration> = Some(Duration::ZERO);

fn watching() -> (Poller, EventFd) {
    let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.watch(PORT, event.as_fd().as_raw_fd()).unwrap();
    (poller, event)
}

/// The ports that a wait finds.
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
fn an_ordinary_port_is_told_by_its_descriptor_alone() {
    let (mut poller, event) = watching();
    for _ in 0..100 {
        for _ in 1..BATCHES_OF_MANY {
            poller.note(PORT, BATCH);
        }
        poller.note(PORT, MANY - 1); // all it takes to be an ordinary one
        assert_eq!(ready(&mut poller, NOW), []);
        event.write(1).unwrap();
        assert_eq!(ready(&mut poller, LONG), [PORT]);
    }
}

#[test]
fn a_busy_port_is_asked_by_the_clock_until_little_comes() {
    let (mut poller, event) = watching();
    make_busy(&mut poller);
    event.write(1).unwrap();
    assert_eq!(ready(&mut poller, NOW), [], "nobody is woken for it");
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
        "what came meanwhile is told"
    );
    event.write(1).unwrap();
    assert_eq!(ready(&mut poller, NOW), [PORT], "and so is what comes now");
}

/// Waits like this until the busy port is asked, while another is ready all the time.
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
fn a_busy_port_is_asked_however_much_the_others_have_to_say() {
    asked_beside_another(LONG);
}

#[test]
fn a_busy_port_is_asked_although_there_is_other_work() {
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
