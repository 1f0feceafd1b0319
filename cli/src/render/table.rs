//! Aligned columns without lines.

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, Table, presets};

/// Headings.
pub(crate) const HEADING: Style = Style::new().bold();
/// What works.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What deserves a look.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
/// What does not work.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// `text` in `style`.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// How a column is aligned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

/// Rows under headings, each line ended and indented by two spaces.
pub(crate) fn table(columns: &[Column], rows: Vec<Vec<String>>) -> String {
    let cell = |column: &Column, text: String| {
        Cell::new(text).set_alignment(match column {
            Column::Left(_) => CellAlignment::Left,
            Column::Right(_) => CellAlignment::Right,
        })
    };
    let heading = |column: &Column| {
        let (Column::Left(text) | Column::Right(text)) = column;
        let painted = match *text {
            "" => String::new(),
            text => paint(HEADING, text),
        };
        cell(column, painted)
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(heading));
    for row in rows {
        table.add_row(
            columns
                .iter()
                .zip(row)
                .map(|(column, text)| cell(column, text)),
        );
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| format!("  {}\n", line.trim_end()));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colourless;

    #[test]
    fn columns_are_aligned_whatever_the_colours() {
        let text = table(
            &[Column::Left("name"), Column::Right("frames")],
            vec![
                vec![paint(GOOD, "a"), "1".into()],
                vec!["longer".into(), paint(BAD, "1,000,000")],
            ],
        );
        assert_eq!(
            colourless(&text),
            "  name       frames\n  a               1\n  longer  1,000,000\n"
        );
    }
}
