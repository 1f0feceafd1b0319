//! The lines above and below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::columns::{Cell, line};
use super::theme::Theme;
use crate::commands::top::model::{Model, Tab};
use crate::commands::top::rates::{short, total};
use vswitch_control::units::{count, span, things};

/// The switch: its name, and of the rest what there is room for.
pub(super) fn header(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let mut parts = vec![(0, Cell::new(model.name.clone(), Theme::heading()))];
    match &model.view {
        None => parts.push((1, Cell::new("has not answered yet", Theme::faint()))),
        Some(view) => {
            let (rx, tx, dropped) = total(&model.ports);
            let plain = |text: String| Cell::new(text, Theme::plain());
            let ports = things(view.ports.len() as u64, "port");
            parts.extend([
                (4, plain(format!("up {}", span(view.uptime_s)))),
                (6, plain(ports)),
                (5, plain(things(view.macs, "station"))),
                (2, plain(format!("in {} bit/s", short(rx.bits)))),
                (7, plain(format!("{} f/s", short(rx.frames)))),
                (3, plain(format!("out {} bit/s", short(tx.bits)))),
                (8, plain(format!("{} f/s", short(tx.frames)))),
                (
                    if dropped > 0.0 { 1 } else { 9 },
                    Cell::new(format!("drops {}/s", short(dropped)), theme.losses(dropped)),
                ),
            ]);
        }
    }
    line(buf, area, 0, &fitting(parts, area.width));
}

/// Of parts with their ranks those that fit, in their order, with room between them.
fn fitting(parts: Vec<(u8, Cell)>, width: u16) -> Vec<Cell> {
    let mut by_rank: Vec<(u8, usize)> = parts
        .iter()
        .map(|(rank, cell)| (*rank, cell.text.chars().count()))
        .collect();
    by_rank.sort_unstable();
    let mut used = 0;
    let last = by_rank.into_iter().take_while(|(_, length)| {
        used += length + if used == 0 { 0 } else { 2 };
        used <= usize::from(width)
    });
    // The name is there in any case.
    let last = last.last().map_or(0, |(rank, _)| rank);
    let mut cells = Vec::new();
    for (rank, cell) in parts {
        if rank <= last {
            if !cells.is_empty() {
                cells.push(Cell::new("  ", Theme::plain()));
            }
            cells.push(cell);
        }
    }
    cells
}

/// The tabs, and what is unusual about what is shown.
pub(super) fn tabs(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let mut cells = Vec::new();
    for (number, tab) in (1..).zip(Tab::ALL) {
        let style = if tab == model.tab {
            Theme::marked()
        } else {
            Theme::plain()
        };
        // On a narrow screen only the tab that is shown has its name.
        let text = if area.width >= 48 || tab == model.tab {
            format!(" {number} {} ", tab.title())
        } else {
            format!(" {number} ")
        };
        cells.push(Cell::new(text, style));
    }
    if model.paused {
        cells.push(Cell::new("  paused", theme.warning()));
    }
    if !model.filter.is_empty() {
        let text = format!("  only '{}'", model.filter);
        cells.push(Cell::new(text, theme.warning()));
    }
    let rows = model.rows();
    if model.tab != Tab::Events && rows > 1 {
        let marked = model.selected.min(rows - 1) + 1;
        let text = format!("  {} of {}", count(marked as u64), count(rows as u64));
        cells.push(Cell::new(text, Theme::faint()));
    }
    line(buf, area, 0, &cells);
}

/// What is being typed, or the most important keys.
pub(super) fn footer(buf: &mut Buffer, area: Rect, model: &Model) {
    if model.typing {
        let typed = Cell::new(format!("/{}", model.filter), Theme::heading());
        let cursor = Cell::new(" ", Theme::marked());
        line(buf, area, 0, &[typed, cursor]);
        return;
    }
    let order = match (model.sort.title(), model.reverse) {
        (sort, false) => sort.to_owned(),
        (sort, true) => format!("{sort}, reversed"),
    };
    let every = format!("{}s", model.interval.as_secs_f64());
    let mut cells = Vec::new();
    for (key, does) in [
        ("q", "quit".to_owned()),
        ("?", "help".to_owned()),
        ("/", "filter".to_owned()),
        ("p", "pause".to_owned()),
        ("s", format!("sort ({order})")),
        ("+-", format!("every {every}")),
    ] {
        cells.push(Cell::new(key, Theme::heading()));
        cells.push(Cell::new(format!(" {does}  "), Theme::faint()));
    }
    line(buf, area, 0, &cells);
}
