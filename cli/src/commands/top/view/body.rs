//! What is shown large.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::columns::{Cell, Column, arrange, first_row, gap, line, table};
use super::theme::Theme;
use crate::commands::top::model::{HISTORY, Model, state_word};
use crate::commands::top::rates::{Moving, short};
use crate::render::drops::meaning;
use crate::render::events::{Words, time_of_day, words};
use vswitch_control::protocol::EventView;
use vswitch_control::units::{count, span};

/// The narrowest graph that tells anything.
const LEAST_GRAPH: u16 = 8;
/// The least room for what a reason means.
const LEAST_MEANING: u16 = 20;
/// The longest interface name.
const LONGEST_NAME: u16 = 15;
/// The longest name of a namespace that is shown whole.
const LONGEST_NAMESPACE: u16 = 20;

const fn left(title: &'static str, width: u16, rank: u8) -> Column {
    Column {
        title,
        width,
        right: false,
        rank,
    }
}

const fn right(title: &'static str, width: u16, rank: u8) -> Column {
    Column {
        title,
        width,
        right: true,
        rank,
    }
}

/// As wide as the longest of `texts` and the title need, and no wider than `most`.
fn width_of<'a>(texts: impl Iterator<Item = &'a str>, title: &str, most: u16) -> u16 {
    let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let longest = longest.max(title.len());
    u16::try_from(longest).unwrap_or(most).min(most)
}

/// A sentence in the place of rows.
fn nothing(buf: &mut Buffer, area: Rect, sentence: &str) {
    line(buf, area, 0, &[Cell::new(sentence, Theme::faint())]);
}

const GRAPH: usize = 9;

/// The ports with their rates.
pub(super) fn ports(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let shown = model.visible_ports();
    if shown.is_empty() {
        let sentence = match &model.view {
            None => "",
            Some(view) if view.ports.is_empty() => "no ports: connect one by 'vswitch attach NS'",
            Some(_) => "no port contains that: Esc shows all",
        };
        return nothing(buf, area, sentence);
    }
    let names = shown.iter().map(|moving| moving.port.name.as_str());
    // On the narrowest screens a part of the name makes room for a rate.
    let most = LONGEST_NAME.min(area.width.saturating_sub(9).max(6));
    let spaces = shown.iter().filter_map(|m| m.port.namespace.as_deref());
    let mut columns = vec![
        right("#", 4, 8),
        left("port", width_of(names, "port", most), 0),
        left("state", 6, 4),
        left(
            "namespace",
            width_of(spaces, "namespace", LONGEST_NAMESPACE),
            7,
        ),
        right("in f/s", 7, 5),
        right("in bit/s", 8, 1),
        right("out f/s", 7, 6),
        right("out bit/s", 9, 2),
        right("drops/s", 7, 3),
    ];
    let (_, rest) = arrange(&columns, area.width);
    let room = rest.saturating_sub(gap(area.width));
    if room >= LEAST_GRAPH {
        let width = room.min(u16::try_from(HISTORY).unwrap_or(room));
        columns.push(right("in and out", width, 9));
    }
    let most = model
        .history
        .values()
        .flatten()
        .fold(0.0_f64, |a, b| a.max(*b));
    table(
        buf,
        area,
        &columns,
        (shown.len(), model.selected),
        |row, column| {
            let moving = shown[row];
            if column == GRAPH {
                return graph(model, moving, theme, most, columns[GRAPH].width);
            }
            port_cell(moving, column, theme)
        },
    );
}

fn port_cell(moving: &Moving, column: usize, theme: &Theme) -> Cell {
    let port = &moving.port;
    let rate = |rate: f64| {
        let style = if rate > 0.0 {
            Theme::plain()
        } else {
            Theme::faint()
        };
        Cell::new(short(rate), style)
    };
    match column {
        0 => Cell::new(port.id.to_string(), Theme::faint()),
        1 => Cell::new(port.name.clone(), Theme::plain()),
        2 => Cell::new(state_word(moving), theme.state(port.state)),
        3 => match &port.namespace {
            Some(name) => Cell::new(name.clone(), Theme::plain()),
            None => Cell::new("-", Theme::faint()),
        },
        4 => rate(moving.rx.frames),
        5 => rate(moving.rx.bits),
        6 => rate(moving.tx.frames),
        7 => rate(moving.tx.bits),
        _ => Cell::new(short(moving.dropped()), theme.losses(moving.dropped())),
    }
}

/// The newest at the right, all ports on one scale.
fn graph(model: &Model, moving: &Moving, theme: &Theme, most: f64, width: u16) -> Cell {
    let key = (moving.port.id, moving.port.name.clone());
    let rates = model.history.get(&key);
    let width = usize::from(width);
    let known = rates.map_or(0, |rates| rates.len().min(width));
    let mut text = " ".repeat(width - known);
    for rate in rates
        .iter()
        .flat_map(|rates| rates.range(rates.len() - known..))
    {
        text.push(theme.level(*rate, most));
    }
    Cell::new(text, theme.graph())
}

/// The MAC table.
pub(super) fn stations(buf: &mut Buffer, area: Rect, model: &Model) {
    let shown = model.visible_stations();
    if shown.is_empty() {
        let sentence = match &model.stations {
            None => "the MAC table has not come yet",
            Some(all) if all.is_empty() => "no station has been heard yet",
            Some(_) => "no station contains that: Esc shows all",
        };
        return nothing(buf, area, sentence);
    }
    let ports = shown.iter().map(|entry| entry.port.as_str());
    let columns = [
        left("station", 17, 0),
        right("vlan", 4, 3),
        left("port", width_of(ports, "port", LONGEST_NAME), 1),
        left("last heard", 11, 2),
    ];
    table(
        buf,
        area,
        &columns,
        (shown.len(), model.selected),
        |row, column| {
            let entry = shown[row];
            let text = match column {
                0 => entry.mac.clone(),
                1 if entry.vlan == 0 => "-".to_owned(),
                1 => entry.vlan.to_string(),
                2 => entry.port.clone(),
                _ => match entry.age_s {
                    Some(age) => format!("{} ago", span(age)),
                    None => "static".to_owned(),
                },
            };
            Cell::new(text, Theme::plain())
        },
    );
}

/// Losses by reason.
pub(super) fn drops(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let shown = model.visible_drops();
    if shown.is_empty() {
        let sentence = if model.filter.is_empty() {
            "nothing was lost"
        } else {
            "nothing of that was lost: Esc shows all"
        };
        return nothing(buf, area, sentence);
    }
    let ports = shown.iter().map(|(moving, ..)| moving.port.name.as_str());
    let reasons = shown.iter().map(|(_, reason, ..)| *reason);
    let mut columns = vec![
        left("port", width_of(ports, "port", LONGEST_NAME), 0),
        right("drops/s", 7, 1),
        right("in all", 13, 3),
        left("reason", width_of(reasons, "reason", 22), 2),
    ];
    let (_, rest) = arrange(&columns, area.width);
    let room = rest.saturating_sub(gap(area.width));
    if room >= LEAST_MEANING {
        columns.push(left("meaning", room, 4));
    }
    table(
        buf,
        area,
        &columns,
        (shown.len(), model.selected),
        |row, column| {
            let (moving, reason, rate, total) = shown[row];
            match column {
                0 => Cell::new(moving.port.name.clone(), Theme::plain()),
                1 => Cell::new(short(rate), theme.losses(rate)),
                2 => Cell::new(count(total), Theme::plain()),
                3 => Cell::new(reason, Theme::plain()),
                _ => Cell::new(meaning(reason), Theme::faint()),
            }
        },
    );
}

/// What happened, the newest at the bottom; `back` events before it.
pub(super) fn events(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme, back: usize) {
    let told: Vec<_> = model
        .events
        .iter()
        .map(|event| (event, words(&event.what)))
        .filter(|(_, words)| model.passes(&[words.what, &words.whom]))
        .collect();
    if told.is_empty() {
        let sentence = match (&model.deaf, model.filter.is_empty()) {
            (Some(why), _) => why,
            (None, true) => "nothing has happened since the view began",
            (None, false) => "nothing of that has happened: Esc shows all",
        };
        return nothing(buf, area, sentence);
    }
    let room = usize::from(area.height);
    let end = told.len() - back.min(told.len() - 1);
    let first = first_row(end, end, room);
    for (row, (event, words)) in (0..area.height).zip(&told[first..end]) {
        line(
            buf,
            area,
            row,
            &event_cells(event, words, theme, area.width),
        );
    }
}

/// The narrower, the less of the time, and of the alignment.
fn event_cells(event: &EventView, words: &Words, theme: &Theme, width: u16) -> Vec<Cell> {
    let mut time = time_of_day(&event.time, &theme.zone);
    let (mut what, mut whom) = (words.what.to_owned(), words.whom.clone());
    if width < 60 {
        // Hours to seconds.
        let end = if width < 36 { 0 } else { 8 };
        time = time.chars().take(end).collect();
        whom = whom.split_whitespace().collect::<Vec<_>>().join(" ");
    } else {
        what = format!("{what:<12}");
    }
    let gap = " ".repeat(usize::from(gap(width)));
    let mut cells = Vec::new();
    if !time.is_empty() {
        cells.push(Cell::new(time + &gap, Theme::faint()));
    }
    cells.push(Cell::new(what + &gap, theme.event(&event.what)));
    cells.push(Cell::new(whom, Theme::plain()));
    cells
}
