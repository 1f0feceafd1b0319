//! Tables that leave out what there is no room for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::Theme;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) width: u16,
    /// Whether it holds numbers, which end at its right side.
    pub(super) right: bool,
    /// The one with the lowest stays for longest when there is too little room.
    pub(super) rank: u8,
}

/// What stands at one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        let text = text.into();
        Self { text, style }
    }
}

/// Where a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which one.
    pub(super) index: usize,
    x: u16,
    width: u16,
}

/// The columns that `width` has room for, and where each is; and what is left of the room.
pub(super) fn arrange(columns: &[Column], width: u16) -> (Vec<Place>, u16) {
    let gap = gap(width);
    let mut by_rank: Vec<usize> = (0..columns.len()).collect();
    by_rank.sort_by_key(|index| columns[*index].rank);
    let mut chosen = Vec::new();
    let mut used = 0;
    for index in by_rank {
        let first = chosen.is_empty();
        let needed = columns[index].width + if first { 0 } else { gap };
        if first || used + needed <= width {
            chosen.push(index);
            used += needed;
        } else {
            // A less important one that is narrower would only puzzle.
            break;
        }
    }
    chosen.sort_unstable();
    let mut x = 0;
    let mut places = Vec::new();
    for index in chosen {
        let wanted = columns[index].width;
        let width = wanted.min(width.saturating_sub(x));
        places.push(Place { index, x, width });
        x += wanted + gap;
    }
    (places, width.saturating_sub(used))
}

/// The room between two columns.
pub(super) const fn gap(width: u16) -> u16 {
    if width >= 60 { 2 } else { 1 }
}

/// The first of `count` rows that is shown where there is room for `room`, so that the marked one
/// is among them, in the middle as far as can be.
pub(super) fn first_row(count: usize, marked: usize, room: usize) -> usize {
    let marked = marked.min(count.saturating_sub(1));
    marked
        .saturating_sub(room / 2)
        .min(count.saturating_sub(room))
}

/// Draws headings, and the rows that there is room for.
pub(super) fn table(
    buf: &mut Buffer,
    area: Rect,
    columns: &[Column],
    rows: (usize, usize),
    cell: impl Fn(usize, usize) -> Cell,
) {
    if area.is_empty() {
        return;
    }
    let (places, _) = arrange(columns, area.width);
    let (count, marked) = rows;
    // One row is worth more than its heading.
    let heading = u16::from(area.height > 1);
    if heading == 1 {
        for place in &places {
            let column = &columns[place.index];
            let heading = Cell::new(column.title, Theme::heading());
            put(buf, area, 0, (*place, column), &heading);
        }
    }
    let room = usize::from(area.height - heading);
    let first = first_row(count, marked, room);
    for (line, row) in (heading..area.height).zip(first..count) {
        for place in &places {
            let column = &columns[place.index];
            put(buf, area, line, (*place, column), &cell(row, place.index));
        }
        if row == marked.min(count - 1) && count > 1 {
            let line = Rect::new(area.x, area.y + line, area.width, 1);
            buf.set_style(line, Theme::marked());
        }
    }
}

fn put(buf: &mut Buffer, area: Rect, line: u16, at: (Place, &Column), cell: &Cell) {
    let (place, column) = at;
    let length = u16::try_from(cell.text.chars().count()).unwrap_or(u16::MAX);
    let indent = if column.right {
        place.width.saturating_sub(length)
    } else {
        0
    };
    let (x, y) = (area.x + place.x + indent, area.y + line);
    let room = usize::from(place.width - indent);
    buf.set_stringn(x, y, &cell.text, room, cell.style);
}

/// Writes one line, cut at the side of `area`.
pub(super) fn line(buf: &mut Buffer, area: Rect, line: u16, cells: &[Cell]) {
    if line >= area.height {
        return;
    }
    let mut x = area.x;
    for cell in cells {
        let room = usize::from(area.right().saturating_sub(x));
        if room == 0 {
            return;
        }
        (x, _) = buf.set_stringn(x, area.y + line, &cell.text, room, cell.style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(title: &'static str, width: u16, rank: u8) -> Column {
        Column {
            title,
            width,
            right: false,
            rank,
        }
    }

    const COLUMNS: [Column; 3] = [
        column("#", 2, 2),
        column("name", 10, 0),
        column("rate", 6, 1),
    ];

    fn titles(width: u16) -> Vec<&'static str> {
        let (places, _) = arrange(&COLUMNS, width);
        places
            .iter()
            .map(|place| COLUMNS[place.index].title)
            .collect()
    }

    #[test]
    fn what_matters_least_goes_first() {
        assert_eq!(titles(80), ["#", "name", "rate"]);
        assert_eq!(titles(20), ["#", "name", "rate"]);
        assert_eq!(titles(19), ["name", "rate"]);
        assert_eq!(titles(16), ["name"]);
        assert_eq!(titles(3), ["name"]);
        let (places, left) = arrange(&COLUMNS, 3);
        assert_eq!((places[0].width, left), (3, 0));
        assert_eq!(arrange(&COLUMNS, 0).0[0].width, 0);
    }

    #[test]
    fn the_marked_row_is_seen() {
        for (count, marked, room, first) in [
            (0, 0, 5, 0),
            (3, 2, 5, 0),
            (100, 0, 10, 0),
            (100, 50, 10, 45),
            (100, 99, 10, 90),
            (100, 5_000, 10, 90),
            (100, 7, 1, 7),
            (100, 7, 0, 7),
        ] {
            assert_eq!(first_row(count, marked, room), first);
        }
    }
}
