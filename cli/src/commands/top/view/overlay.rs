//! What lies over all else until a key is pressed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::widgets::{Block, Clear, Widget};

use super::columns::{Cell, line};
use super::theme::Theme;
use crate::commands::top::keys::KEYS;
use crate::commands::top::model::{Model, state_word};
use crate::commands::top::rates::{Moving, Rate, short};
use crate::render::drops::meaning;
use vswitch_control::protocol::TrafficView;
use vswitch_control::units::{bytes, count};

/// Borders of plain ASCII.
const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// The keys.
pub(super) fn help(buf: &mut Buffer, area: Rect, theme: &Theme) {
    let lines = KEYS.map(|(key, does)| {
        vec![
            Cell::new(format!("{key:<14}"), Theme::heading()),
            Cell::new(does, Theme::plain()),
        ]
    });
    panel(buf, area, theme, "keys", &lines);
}

/// Everything about one port.
pub(super) fn port(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme, id: u16) {
    let Some(moving) = model.ports.iter().find(|moving| moving.port.id == id) else {
        let gone = Cell::new("it was unplugged", Theme::plain());
        return panel(buf, area, theme, "port", &[vec![gone]]);
    };
    let lines = port_lines(moving, theme);
    panel(buf, area, theme, &moving.port.name, &lines);
}

fn port_lines(moving: &Moving, theme: &Theme) -> Vec<Vec<Cell>> {
    let port = &moving.port;
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let addresses: Vec<_> = port.addresses.iter().map(ToString::to_string).collect();
    let traffic = |traffic: TrafficView, rate: Rate| {
        let (frames, size) = (count(traffic.frames), bytes(traffic.bytes));
        let (fast, bits) = (short(rate.frames), short(rate.bits));
        format!("{frames} frames, {size}; {fast} f/s, {bits} bit/s")
    };
    let mut lines = vec![vec![
        Cell::new(format!("{:<11}", "state"), Theme::faint()),
        Cell::new(state_word(moving), theme.state(port.state)),
    ]];
    for (name, text) in [
        ("number", port.id.to_string()),
        ("namespace", known(&port.namespace)),
        ("peer", known(&port.peer)),
        ("address", addresses.join(" ")),
        ("mtu", port.mtu.to_string()),
        ("driver", port.driver.clone()),
        ("received", traffic(port.rx, moving.rx)),
        ("sent", traffic(port.tx, moving.tx)),
    ] {
        lines.push(vec![
            Cell::new(format!("{name:<11}"), Theme::faint()),
            Cell::new(text, Theme::plain()),
        ]);
    }
    for (reason, total) in &port.drops {
        let rate = moving.drops.get(reason).copied().unwrap_or(0.0);
        let text = format!("{}, {}/s: {}", count(*total), short(rate), meaning(reason));
        lines.push(vec![
            Cell::new(format!("{reason:<11} "), theme.losses(rate)),
            Cell::new(text, Theme::plain()),
        ]);
    }
    lines
}

/// Lines in the middle, in a frame where there is room for one.
fn panel(buf: &mut Buffer, area: Rect, theme: &Theme, title: &str, lines: &[Vec<Cell>]) {
    let length =
        |line: &Vec<Cell>| -> usize { line.iter().map(|cell| cell.text.chars().count()).sum() };
    let longest = lines.iter().map(length).max().unwrap_or(0);
    let wanted = |size: usize| u16::try_from(size + 4).unwrap_or(u16::MAX);
    let width = wanted(longest).min(area.width);
    let height = wanted(lines.len()).saturating_sub(2).min(area.height);
    let outer = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let has_frame = area.width >= 30 && area.height >= 8;
    let (outer, inner) = if has_frame {
        let inner = Rect {
            x: outer.x + 2,
            y: outer.y + 1,
            width: outer.width.saturating_sub(4),
            height: outer.height.saturating_sub(2),
        };
        (outer, inner)
    } else {
        (area, area)
    };
    Clear.render(outer, buf);
    if has_frame {
        let set = if theme.unicode { border::PLAIN } else { ASCII };
        Block::bordered()
            .border_set(set)
            .title(format!(" {title} "))
            .render(outer, buf);
    }
    for (row, cells) in (0..inner.height).zip(lines) {
        line(buf, inner, row, cells);
    }
}
