//! The live view: its numbers, and its behaviour on a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;
use vswitch_netns::{Namespace, Netlink};

use super::terminal::Terminal;
use super::{Switch, fails, json, ok, words};
use crate::harness::packet::Endpoint;
use crate::harness::program::vswitch;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("top_tells_rates_to_scripts", rates),
        isolated("top_off_a_terminal_is_refused", no_terminal),
        isolated("top_draws_and_gives_the_terminal_back", draws),
        isolated("top_ends_at_signals", signals),
        isolated("top_goes_on_after_a_stop", goes_on),
        isolated("top_ends_with_its_switch", switch_ends),
        isolated("top_obeys_no_color", no_colour),
    ]
}

/// What hides the picture and brings back what was there before.
const LEAVE: &str = "\u{1b}[?1049l";
const ENTER: &str = "\u{1b}[?1049h";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

fn top(line: &str, columns: u16, rows: u16) -> Terminal {
    let mut command = vswitch(words(line));
    command.env_remove("NO_COLOR");
    Terminal::start(command, columns, rows)
}

fn rates() {
    let _switch = Switch::start("s");
    ok("attach mario");
    ok("attach luigi");
    let inside = Namespace::open("mario").unwrap();
    let wire = inside.run(|| Endpoint::open("mario-netns").unwrap());
    let wire = wire.unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5], &[0; 86]].concat();
            while !stop.load(Ordering::Relaxed) {
                wire.send_patiently(&frame).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let outcome = std::panic::catch_unwind(told_rates);
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    assert!(fails("top --json --interval 0", 2).contains("seconds"));
    let text = ok("top --once --interval 0.1");
    for word in ["in bit/s", "mario-vsw", "luigi-vsw", "drops/s"] {
        assert!(text.contains(word), "{text}");
    }
}

fn told_rates() {
    let mut told = Value::Null;
    // On a busy machine the sender may rest for longer than a look takes.
    let moved = wait_until(PATIENCE, || {
        told = json("top --interval 0.3");
        told["ports"][0]["rx"]["frames_per_s"].as_f64().unwrap() > 0.0
    });
    assert!(moved, "{told}");
    assert_eq!(told["switch"], "s");
    assert!(told["interval_s"].as_f64().unwrap() >= 0.3);
    let port = &told["ports"][0];
    assert_eq!(port["name"], "mario-vsw");
    assert_eq!(port["namespace"], "mario");
    assert_eq!(port["state"], "up");
    let rx = &port["rx"];
    let rate = |value: &Value, key: &str| value[key].as_f64().unwrap();
    // Of 100 bytes each, but for what the hosts say by themselves.
    assert!(rate(rx, "bits_per_s") >= rate(rx, "frames_per_s") * 8.0 * 60.0);
    assert!(rx["frames"].as_u64().unwrap() > 0 && rx["bytes"].as_u64().unwrap() > 0);
    assert!(rate(&told["rx"], "frames_per_s") >= rate(rx, "frames_per_s"));
    assert!(port["drops"].is_object() && port["drops_per_s"].is_number());
}

fn no_terminal() {
    let _switch = Switch::start("s");
    let told = fails("top", 2);
    assert!(told.contains("--once") && told.contains("--json"), "{told}");
    fails("top --switch nobody --once", 1);
    let mut command = vswitch(["top"]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command, 80, 24);
    assert_eq!(terminal.wait().code(), Some(2));
    terminal.waits_for("TERM");
    assert!(!terminal.drawn().contains('\u{1b}'));
}

/// The highest row and column that anything was drawn at, from the moves of the cursor.
fn extent(drawn: &str) -> (u16, u16) {
    let mut extent = (0, 0);
    for part in drawn.split("\u{1b}[").skip(1) {
        let Some((numbers, _)) = part.split_once('H') else {
            continue;
        };
        let Some((row, column)) = numbers.split_once(';') else {
            continue;
        };
        if let (Ok(row), Ok(column)) = (row.parse(), column.parse()) {
            extent = (extent.0.max(row), extent.1.max(column));
        }
    }
    extent
}

fn draws() {
    let switch = Switch::start("s");
    ok("attach mario");
    let mut terminal = top("top --interval 0.1", 80, 24);
    for text in [ENTER, "mario-vsw", "Stations", "recent", "quit"] {
        terminal.waits_for(text);
    }
    assert!(terminal.is_raw());
    let (rows, columns) = extent(&terminal.drawn());
    assert!(
        (20..=24).contains(&rows) && columns <= 80,
        "{rows}, {columns}"
    );

    // What happens is told, and what is looked at is drawn.
    terminal.forget();
    ok("attach luigi");
    terminal.waits_for("added");
    terminal.waits_for("luigi-vsw");
    terminal.press("2");
    terminal.waits_for("heard");
    terminal.press("?");
    terminal.waits_for("pause,");
    terminal.press("x1/luigi");
    terminal.waits_for("/luigi");
    terminal.press("\u{1b}");

    terminal.forget();
    terminal.resize(20, 5);
    terminal.waits_for("mario-vsw");
    // What was drawn for the old size has gone out by then.
    terminal.forget();
    for _ in 0..20 {
        terminal.press("\u{c}"); // Ctrl-L: everything anew
        terminal.waits_for("mario-vsw");
    }
    let (rows, columns) = extent(&terminal.drawn());
    assert!(rows <= 5 && columns <= 20, "{rows}, {columns}");
    for (columns, rows) in [(1, 1), (500, 200), (2, 60), (80, 24)] {
        terminal.resize(columns, rows);
        terminal.press("1234?x1\u{c}");
    }
    terminal.forget();
    terminal.press("\u{c}");
    terminal.waits_for("quit");
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(terminal.is_as_before());
    let drawn = terminal.drawn();
    let rest = drawn.split(LEAVE).nth(1).unwrap();
    assert!(
        drawn.contains(SHOW_CURSOR) && !rest.contains("mario"),
        "{rest:?}"
    );
    switch.stop();
}

fn signals() {
    let _switch = Switch::start("s");
    ok("attach mario");
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let mut terminal = top("top", 80, 24);
        terminal.waits_for("mario-vsw");
        terminal.signal(signal);
        assert_eq!(terminal.wait().code(), Some(0), "{signal}");
        assert!(terminal.is_as_before(), "{signal}");
        assert!(terminal.drawn().contains(LEAVE), "{signal}");
    }
    let mut terminal = top("top", 80, 24);
    terminal.waits_for("mario-vsw");
    terminal.press("\u{3}"); // Ctrl-C
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(terminal.is_as_before());
}

fn goes_on() {
    let _switch = Switch::start("s");
    ok("attach mario");
    let mut terminal = top("top", 80, 24);
    terminal.waits_for("mario-vsw");
    terminal.signal(Signal::SIGSTOP);
    assert!(wait_until(PATIENCE, || terminal.state() == 'T'));
    terminal.take_back();
    terminal.forget();
    terminal.signal(Signal::SIGCONT);
    terminal.waits_for(ENTER);
    terminal.waits_for("mario-vsw");
    assert!(terminal.is_raw());
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(0));
    assert!(terminal.is_as_before());
}

fn switch_ends() {
    let switch = Switch::start("s");
    ok("attach mario");
    let mut terminal = top("top", 80, 24);
    terminal.waits_for("mario-vsw");
    switch.stop();
    assert_eq!(terminal.wait().code(), Some(0));
    terminal.waits_for("the switch 's' was stopped");
    let drawn = terminal.drawn();
    assert!(
        drawn.find(LEAVE) < drawn.find("was stopped"),
        "after the picture"
    );
    assert!(terminal.is_as_before());

    let switch = Switch::start("s");
    ok("attach peach");
    let mut terminal = top("top --interval 0.1", 80, 24);
    terminal.waits_for("peach-vsw");
    switch.kill();
    assert_eq!(terminal.wait().code(), Some(1));
    terminal.waits_for("vswitch: ");
    assert!(terminal.is_as_before());
}

fn no_colour() {
    let _switch = Switch::start("s");
    ok("attach mario");
    let outside = super::link("mario-vsw").unwrap();
    Netlink::open().unwrap().set_down(&outside).unwrap();
    let has_colour = |drawn: &str| {
        let colours = drawn.split("\u{1b}[").skip(1);
        colours
            .filter_map(|part| part.split_once('m'))
            .any(|(codes, _)| {
                codes
                    .split(';')
                    .any(|code| matches!(code, "31" | "33" | "38"))
            })
    };
    let mut terminal = top("top", 80, 24);
    terminal.waits_for("down");
    terminal.press("q");
    terminal.wait();
    terminal.waits_for(LEAVE);
    assert!(has_colour(&terminal.drawn()), "{:?}", terminal.drawn());
    // As the tests have it by default.
    let mut terminal = Terminal::start(vswitch(["top"]), 80, 24);
    terminal.waits_for("down");
    terminal.press("q");
    terminal.wait();
    terminal.waits_for(LEAVE);
    assert!(!has_colour(&terminal.drawn()), "{:?}", terminal.drawn());
}
