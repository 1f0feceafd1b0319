use std::os::fd::AsFd;
use std::thread;

use rustix::net::RecvFlags;

use super::message::Refusal;
use super::*;

/// Helpers in the place of processes, of which there are none.
fn helpers<const N: usize>() -> (Broker, [OwnedFd; N]) {
    let mut broker = Broker::of(Vec::new());
    let theirs = std::array::from_fn(|_| {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, its) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        broker
            .helpers
            .push(Helper::on(ours, Pid::from_raw(i32::MAX)));
        its
    });
    (broker, theirs)
}

fn heard(socket: &OwnedFd) -> Request {
    let (bytes, _) = sys::receive(socket.as_fd(), RecvFlags::empty()).unwrap();
    Request::decode(&bytes).unwrap()
}

fn say(socket: &OwnedFd, answer: &Answer) {
    sys::send(socket.as_fd(), &answer.encode(), &[]).unwrap();
}

fn name(text: &str) -> NamespaceName {
    NamespaceName::new(text).unwrap()
}

fn refusal(name: &str) -> Answer {
    Answer::Refused(Refusal::NotFound(name.to_owned()))
}

#[test]
fn an_answer_that_is_late_is_not_taken_for_another() {
    let (mut broker, [its]) = helpers();
    broker.patience = Duration::from_millis(5);
    let error = broker.open(&name("late"), true).unwrap_err().to_string();
    assert!(error.contains("does not answer in time"), "{error}");
    // Nothing else is asked meanwhile.
    broker.open(&name("next"), true).unwrap_err();
    assert!(matches!(heard(&its), Request::Open { name, .. } if name == "late"));
    assert!(broker.warnings()[0].contains("does not answer"));

    broker.patience = Duration::from_secs(600);
    say(&its, &refusal("late"));
    let helper = thread::spawn(move || {
        assert!(matches!(heard(&its), Request::Open { name, .. } if name == "next"));
        say(&its, &refusal("next"));
    });
    let error = broker.open(&name("next"), false).unwrap_err().to_string();
    assert!(error.contains("no network namespace next"), "{error}");
    helper.join().unwrap();
    let error = broker.open(&name("next"), false).unwrap_err().to_string();
    assert!(error.contains("has ended"), "{error}");
}

#[test]
fn another_is_asked_while_one_is_late_or_has_ended() {
    let (mut broker, [first, second]) = helpers();
    broker.patience = Duration::from_millis(5);
    broker.open(&name("late"), true).unwrap_err();
    broker.patience = Duration::from_secs(600);
    let helper = thread::spawn(move || {
        assert!(matches!(heard(&second), Request::Open { name, .. } if name == "next"));
        say(&second, &refusal("next"));
        // And it ends.
    });
    let error = broker.open(&name("next"), false).unwrap_err().to_string();
    assert!(error.contains("no network namespace next"), "{error}");
    // What the first one has made too late is taken back.
    assert!(matches!(heard(&first), Request::Open { name, .. } if name == "late"));
    say(&first, &Answer::Opened { created: true });
    broker.notice(0);
    assert!(matches!(heard(&first), Request::Delete { name } if name == "late"));
    let first = thread::spawn(move || {
        say(&first, &Answer::Deleted);
        assert!(matches!(heard(&first), Request::Open { name, .. } if name == "last"));
        say(&first, &refusal("last"));
    });
    while broker.helpers[0].health() != Health::Well {
        broker.notice(0);
        thread::yield_now();
    }
    let error = broker.open(&name("last"), false).unwrap_err().to_string();
    assert!(error.contains("no network namespace last"), "{error}");
    first.join().unwrap();
    broker.notice(0);
    drop(broker);
    helper.join().unwrap();
}

#[test]
fn only_what_was_made_last_can_be_deleted() {
    let (broker, [its]) = helpers();
    let error = broker.delete(&name("mario")).unwrap_err().to_string();
    assert!(error.contains("not ours"), "{error}");
    drop(its);
}

#[test]
fn what_takes_long_is_there_when_it_is_asked_for_again() {
    let (broker, [its]) = helpers();
    broker.let_put_off(true);
    broker.open(&name("slow"), true).unwrap_err();
    assert!(broker.take_put_off() && !broker.take_due());
    // One after the other, and none of them is a fault.
    broker.open(&name("next"), true).unwrap_err();
    assert!(broker.take_put_off());
    assert_eq!(broker.warnings(), Vec::<String>::new());
    assert!(matches!(heard(&its), Request::Open { name, .. } if name == "slow"));
    say(&its, &refusal("slow"));
    broker.notice(0);
    assert!(broker.take_due());
    let error = broker.open(&name("slow"), true).unwrap_err().to_string();
    assert!(error.contains("no network namespace slow"), "{error}");
    assert!(!broker.take_put_off());

    // What nobody comes for is taken back, and those that have waited for it are tried again.
    broker.open(&name("gone"), true).unwrap_err();
    assert!(matches!(heard(&its), Request::Open { name, .. } if name == "gone"));
    say(&its, &Answer::Opened { created: true });
    broker.notice(0);
    assert!(broker.take_due());
    broker.open(&name("next"), true).unwrap_err();
    broker.tidy_up();
    assert!(matches!(heard(&its), Request::Delete { name } if name == "gone"));
    assert!(broker.take_due());
    // Its end is noticed.
    say(&its, &Answer::Deleted);
    while broker.helpers[0].health() != Health::Well {
        broker.notice(0);
    }
    broker.open(&name("next"), true).unwrap_err();
    assert!(broker.take_put_off());
    drop(its);
    while !broker.take_due() {
        broker.notice(0);
    }
    let error = broker.open(&name("next"), true).unwrap_err().to_string();
    assert!(error.contains("has ended"), "{error}");
}
