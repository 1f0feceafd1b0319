//! What is drawn, from what is known: nothing here waits, asks or remembers.

mod body;
mod columns;
mod header;
mod overlay;
pub(super) mod theme;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::model::{Model, Overlay, Tab};
use theme::Theme;

/// The height from which the newest events are shown below the ports.
const ROOMY: u16 = 22;

/// Where things are.
#[derive(Clone, Copy, Debug)]
struct Layout {
    header: Rect,
    tabs: Rect,
    body: Rect,
    /// The newest events.
    news: Rect,
    footer: Rect,
}

impl Layout {
    /// The lower the screen, the fewer lines are spent on other things than the rows.
    fn new(area: Rect, model: &Model) -> Self {
        let header = u16::from(area.height >= 3);
        let tabs = u16::from(area.height >= 8);
        // What is being typed must be seen.
        let footer = u16::from(area.height >= 10 || (model.typing && area.height >= 2));
        let is_roomy = area.height >= ROOMY && model.tab == Tab::Ports;
        let news = if is_roomy { area.height / 4 } else { 0 };
        let body = area.height - header - tabs - footer - news;
        let mut y = area.y;
        let mut take = |height: u16| {
            let part = Rect::new(area.x, y, area.width, height);
            y += height;
            part
        };
        Self {
            header: take(header),
            tabs: take(tabs),
            body: take(body),
            news: take(news),
            footer: take(footer),
        }
    }
}

/// How many rows a page has.
pub(super) fn page(area: Rect, model: &Model) -> usize {
    usize::from(Layout::new(area, model).body.height.saturating_sub(1))
}

/// Draws everything.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let layout = Layout::new(area, model);
    header::header(buf, layout.header, model, theme);
    header::tabs(buf, layout.tabs, model, theme);
    match model.tab {
        Tab::Ports => body::ports(buf, layout.body, model, theme),
        Tab::Stations => body::stations(buf, layout.body, model),
        Tab::Drops => body::drops(buf, layout.body, model, theme),
        Tab::Events => body::events(buf, layout.body, model, theme, model.selected),
    }
    if !layout.news.is_empty() {
        let title = columns::Cell::new("recent events", Theme::heading());
        columns::line(buf, layout.news, 0, &[title]);
        let below = Rect {
            y: layout.news.y + 1,
            height: layout.news.height - 1,
            ..layout.news
        };
        body::events(buf, below, model, theme, 0);
    }
    header::footer(buf, layout.footer, model);
    match model.overlay {
        Overlay::None => {}
        Overlay::Help => overlay::help(buf, area, theme),
        Overlay::Port(id) => overlay::port(buf, area, model, theme, id),
    }
}

#[cfg(test)]
mod tests;
