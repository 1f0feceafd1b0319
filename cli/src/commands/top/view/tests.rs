//! Pictures of several sizes.

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::style::Color;

use super::*;
use crate::commands::top::model::{Overlay, Tab};
use crate::commands::top::rates::tests::port;
use vswitch_control::protocol::{EventView, FdbEntry, Happening, PortState, SwitchView};

const THEME: Theme = Theme {
    colour: true,
    unicode: true,
    zone: TimeZone::UTC,
};

/// Three ports, one of them busy, one down and losing.
fn model() -> Model {
    let mut model = Model::new("my_switch", Duration::from_secs(1));
    for second in 0..6 {
        let mut ports = vec![
            port(1, "mario", second * second * 100_000),
            port(2, "luigi", second * 1_000),
            port(3, "a-long-name", 7),
        ];
        ports[2].state = PortState::Down;
        ports[2].drops.insert("egress_down".to_owned(), second * 40);
        ports[2].namespace = None;
        model.look(Duration::from_secs(second), SwitchView::sample(ports));
    }
    let station = |last: u8, vlan, age_s: Option<u64>| FdbEntry {
        mac: format!("02:00:00:00:00:{last:02x}"),
        vlan,
        port: "mario-vsw".to_owned(),
        age_s,
        is_static: age_s.is_none(),
    };
    model.look_at_stations(vec![station(1, 0, Some(72)), station(2, 100, None)]);
    for what in [
        Happening::PortDown {
            port: "a-long-name-vsw".to_owned(),
        },
        Happening::Learnt {
            mac: "02:00:00:00:00:01".to_owned(),
            vlan: 0,
            port: "mario-vsw".to_owned(),
        },
    ] {
        let time = "2026-01-02T03:04:05.678901234Z".to_owned();
        model.happened(EventView { time, what });
    }
    model
}

fn picture(width: u16, height: u16, model: &Model, theme: &Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(&mut buf, area, model, theme);
    buf
}

/// The picture as text, without what is empty at the ends of lines.
fn text(width: u16, height: u16, model: &Model) -> String {
    let buf = picture(width, height, model, &THEME);
    let row = |y: u16| -> String {
        let row: String = (0..width).map(|x| buf[(x, y)].symbol()).collect();
        row.trim_end().to_owned() + "\n"
    };
    (0..height).map(row).collect()
}

#[test]
fn the_smallest_screen_has_names_and_rates() {
    assert_eq!(
        text(20, 5, &model()),
        "\
my_switch
port        in bit/s
mario-vsw       720M
luigi-vsw       800k
a-long-name        0
"
    );
}

#[test]
fn a_small_screen_has_tabs_and_keys() {
    assert_eq!(
        text(44, 10, &model()),
        "\
my_switch  in 721M bit/s  drops 40/s
 1 Ports  2  3  4   1 of 3
port            in bit/s out bit/s drops/s
mario-vsw           720M      360M       0
luigi-vsw           800k      400k       0
a-long-name-vsw        0         0      40



q quit  ? help  / filter  p pause  s sort (n
"
    );
}

#[test]
fn a_common_screen_has_the_events_below() {
    assert_eq!(
        text(80, 24, &model()),
        "\
my_switch  up 3m 20s  2 stations  in 721M bit/s  out 360M bit/s  drops 40/s
 1 Ports  2 Stations  3 Drops  4 Events   1 of 3
port             state    in f/s  in bit/s  out f/s  out bit/s  drops/s
mario-vsw        up         900k      720M     450k       360M        0
luigi-vsw        up        1.00k      800k      500       400k        0
a-long-name-vsw  down          0         0        0          0       40











recent events
03:04:05.678  port down     a-long-name-vsw
03:04:05.678  learnt        02:00:00:00:00:01             mario-vsw



q quit  ? help  / filter  p pause  s sort (number)  +- every 1s
"
    );
}

#[test]
fn a_wide_screen_has_graphs() {
    let text = text(200, 60, &model());
    let mario = text
        .lines()
        .find(|line| line.contains("mario-vsw"))
        .unwrap();
    assert!(mario.ends_with("▁▃▅▇█"), "{mario}");
    assert!(text.contains("my_switch  up 3m 20s  3 ports  2 stations  in 721M bit/s  901k f/s"));
}

#[test]
fn tabs_show_stations_drops_and_events() {
    let mut model = model();
    model.show(Tab::Stations);
    assert_eq!(
        text(60, 4, &model),
        "\
my_switch  in 721M bit/s  out 360M bit/s  drops 40/s
station            vlan  port       last heard
02:00:00:00:00:01     -  mario-vsw  1m 12s ago
02:00:00:00:00:02   100  mario-vsw  static
"
    );
    model.show(Tab::Drops);
    assert!(text(80, 4, &model).contains(
        "\na-long-name-vsw       40            200  egress_down  the port was down or gone\n"
    ));
    model.show(Tab::Events);
    assert!(text(40, 3, &model).contains("\n03:04:05 learnt 02:00:00:00:00:01 mario-\n"));
    model.selected = 1;
    let back = text(40, 3, &model);
    assert!(!back.contains("learnt"), "one back: {back}");
}

#[test]
fn filter_and_pause_are_seen() {
    let mut model = model();
    model.filter = "luigi".to_owned();
    model.pause();
    let shown = text(80, 24, &model);
    assert!(shown.contains("paused  only 'luigi'"), "{shown}");
    assert!(!shown.contains("mario-vsw  "), "{shown}");
    model.typing = true;
    assert!(text(20, 5, &model).ends_with("\n/luigi\n"));
    model.filter = "nobody".to_owned();
    assert!(text(80, 24, &model).contains("no port contains that"));
}

#[test]
fn a_switch_without_anything_says_so() {
    let mut model = Model::new("my_switch", Duration::from_secs(1));
    assert!(text(80, 24, &model).contains("has not answered yet"));
    model.look(Duration::ZERO, SwitchView::sample(Vec::new()));
    assert!(text(80, 24, &model).contains("vswitch attach"));
    model.deaf = Some("too many listen".to_owned());
    assert!(text(80, 24, &model).contains("too many listen"));
    model.show(Tab::Drops);
    assert!(text(80, 24, &model).contains("nothing was lost"));
}

#[test]
fn overlays_have_a_frame_where_there_is_room() {
    let mut model = model();
    model.overlay = Overlay::Port(1);
    let large = text(80, 24, &model);
    assert!(large.contains("┌ mario-vsw ─"), "{large}");
    assert!(large.contains("│ peer       mario-netns"), "{large}");
    assert!(text(20, 5, &model).starts_with("state      up\n"));
    model.overlay = Overlay::Help;
    assert!(text(20, 5, &model).starts_with("q  Ctrl-C     quit\n"));
    model.overlay = Overlay::Port(99);
    assert!(text(80, 24, &model).contains("it was unplugged"));
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let mut model = model();
    let mut kinds = Tab::ALL.map(|tab| (tab, Overlay::None, false)).to_vec();
    kinds.extend([
        (Tab::Ports, Overlay::Help, false),
        (Tab::Ports, Overlay::Port(3), false),
        (Tab::Ports, Overlay::None, true),
    ]);
    let widths = (0..=22).chain([30, 40, 48, 60, 80, 200, 500]);
    let heights = || (0..=12).chain([22, 60]);
    for (width, height) in widths.flat_map(|width| heights().map(move |height| (width, height))) {
        for (tab, overlay, typing) in &kinds {
            model.show(*tab);
            (model.overlay, model.typing, model.selected) = (*overlay, *typing, 2);
            picture(width, height, &model, &THEME);
        }
        let _ = page(Rect::new(0, 0, width, height), &model);
    }
}

#[test]
fn without_colour_there_is_emphasis_alone() {
    let mut theme = THEME;
    theme.colour = false;
    theme.unicode = false;
    let mut model = model();
    for overlay in [Overlay::None, Overlay::Help, Overlay::Port(3)] {
        model.overlay = overlay;
        let buf = picture(200, 60, &model, &theme);
        for cell in buf.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
            assert!(cell.symbol().is_ascii(), "{}", cell.symbol());
        }
    }
    let colours = picture(200, 60, &model, &THEME);
    assert!(colours.content().iter().any(|cell| cell.fg == Color::Red));
}

#[test]
fn names_that_would_steer_a_terminal_are_harmless() {
    let mut model = model();
    model.ports[0].port.name = "\u{1b}[2Jx\n\u{7}".to_owned();
    model.ports[1].port.name = "名前名前名前名前".to_owned();
    for width in [20, 30, 80, 200] {
        let buf = picture(width, 24, &model, &THEME);
        let control = |cell: &ratatui::buffer::Cell| cell.symbol().contains(char::is_control);
        assert!(!buf.content().iter().any(control));
    }
}

#[test]
fn names_of_others_are_harmless() {
    for name in vswitch_control::plain::hostile::NAMES {
        let mut model = Model::new("my_switch", Duration::from_secs(1));
        for second in 0..2 {
            let mut hostile = port(1, "x", second);
            hostile.name = name.to_owned();
            hostile.namespace = Some(name.to_owned());
            hostile.peer = Some(name.to_owned());
            hostile.drops.insert(name.to_owned(), second * 40);
            model.look(
                Duration::from_secs(second),
                SwitchView::sample(vec![hostile]),
            );
        }
        model.look_at_stations(vec![FdbEntry {
            mac: name.to_owned(),
            vlan: 0,
            port: name.to_owned(),
            age_s: None,
            is_static: true,
        }]);
        model.happened(EventView {
            time: name.to_owned(),
            what: Happening::PortDown {
                port: name.to_owned(),
            },
        });
        for tab in Tab::ALL {
            model.show(tab);
            for overlay in [Overlay::None, Overlay::Port(1)] {
                model.overlay = overlay;
                let buf = picture(120, 30, &model, &THEME);
                for cell in buf.content() {
                    let symbol = cell.symbol();
                    assert_eq!(
                        vswitch_control::plain::text(symbol),
                        symbol,
                        "{name:?} in {tab:?}"
                    );
                }
            }
        }
    }
}
