//! A comparison as a picture: bars for each figure, in one self-contained SVG.
//!
//! Text stays text, and follows the reader's light or dark theme. Nothing is loaded from elsewhere.

use super::report::{FigureReport, Report, Summary};
use super::table::ratio;
use crate::measure::Unit;

// All in pixels.
const MARGIN: f64 = 20.0;
const PANEL: f64 = 440.0;
const GAP: f64 = 30.0;
const COLUMNS: usize = 2;
const BAR: f64 = 16.0;
const ROW: f64 = 22.0;
const TITLE: f64 = 24.0;
/// Left of a bar: the rival's name.
const NAMES: f64 = 62.0;
/// Right of the longest bar: its value and ratio.
const VALUES: f64 = 150.0;
const BARS: f64 = PANEL - NAMES - VALUES;
const HEAD: f64 = 66.0;
const FOOT: f64 = 16.0;

const STYLE: &str = "\
  svg { color-scheme: light dark; }
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .label { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
  .title { font-size: 16px; font-weight: 600; }
  .panel { font-weight: 600; }
  .faint { fill: #59636e; }
  .ground { fill: #ffffff; }
  .bar { fill: #8cb4e8; }
  .own { fill: #2f6fca; }
  .whisker { stroke: #1f2328; }
  .reference { stroke: #59636e; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .label { stroke: #0d1117; }
    .ground { fill: #0d1117; }
    .bar { fill: #35557d; }
    .own { fill: #4c8ee8; }
    .whisker { stroke: #e6edf3; }
    .reference { stroke: #9198a1; }
  }
";

/// A figure of a test, with its heading.
struct Panel<'a> {
    title: String,
    figure: &'a FigureReport,
}

pub(super) fn svg(report: &Report) -> String {
    let panels: Vec<Panel> = report
        .tests
        .iter()
        .flat_map(|test| test.figures.iter().map(move |figure| (test, figure)))
        .filter(|(_, figure)| figure.unit != Unit::Count)
        .map(|(test, figure)| Panel {
            title: format!("{}: {}, {}", test.name, figure.name, better(figure)),
            figure,
        })
        .collect();
    let problems = report.problems();
    let mut body = String::new();
    let mut top = HEAD;
    for line in panels.chunks(COLUMNS) {
        let mut left = MARGIN;
        let mut height: f64 = 0.0;
        for panel in line {
            body += &draw(report, panel, left, top);
            left += PANEL + GAP;
            height = height.max(panel_height(panel));
        }
        top += height;
    }
    for problem in &problems {
        body += &text(MARGIN, top + FOOT, "faint", "start", problem);
        top += ROW;
    }
    let (width, height) = (2.0 * MARGIN + 2.0 * PANEL + GAP, top + MARGIN);
    let heading = "Switches compared";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{heading}\">\n\
         <style>\n{STYLE}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{}{}{}{body}</svg>\n",
        text(MARGIN, 24.0, "title", "start", heading),
        text(MARGIN, 42.0, "faint", "start", &report.machine.line()),
        text(MARGIN, 58.0, "faint", "start", &report.legend().join(" ")),
    )
}

fn better(figure: &FigureReport) -> &'static str {
    if figure.less_is_better {
        "less is better"
    } else {
        "more is better"
    }
}

fn panel_height(panel: &Panel) -> f64 {
    let rows = panel.figure.results.len();
    TITLE + ROW * f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) + GAP
}

/// Heading, bars, the line of the reference, and over it what the bars say.
fn draw(report: &Report, panel: &Panel, left: f64, top: f64) -> String {
    let results = &panel.figure.results;
    let longest = results
        .values()
        .map(|result| result.max)
        .fold(0.0, f64::max);
    let scale = if longest > 0.0 { BARS / longest } else { 0.0 };
    let zero = left + NAMES;
    let mut drawn = text(left, top + FOOT, "panel", "start", &panel.title);
    let mut labels = String::new();
    let mut y = top + TITLE;
    for rival in &report.rivals {
        if let Some(result) = results.get(rival.key) {
            let class = if rival.key == "vswitch" {
                "bar own"
            } else {
                "bar"
            };
            drawn += &text(zero - 6.0, y + 12.0, "", "end", rival.key);
            drawn += &bar(result, class, scale, zero, y);
            let value = value(panel.figure.unit, result);
            labels += &text(
                zero + result.max * scale + 6.0,
                y + 12.0,
                "label",
                "start",
                &value,
            );
            y += ROW;
        }
    }
    let reference = report.reference.and_then(|key| results.get(key));
    if let Some(reference) = reference {
        let x = zero + reference.median * scale;
        drawn += &line("reference", x, top + TITLE - 3.0, x, y - ROW + BAR + 3.0);
    }
    drawn + &labels
}

/// As long as the median, with a whisker from the lowest to the highest.
fn bar(result: &Summary, class: &str, scale: f64, zero: f64, y: f64) -> String {
    let length = result.median * scale;
    let mut drawn = format!(
        "<rect class=\"{class}\" x=\"{zero:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" \
         height=\"{BAR}\" rx=\"2\"/>\n"
    );
    if result.samples.len() > 1 {
        let (low, high) = (zero + result.min * scale, zero + result.max * scale);
        let middle = y + BAR / 2.0;
        drawn += &line("whisker", low, middle, high, middle);
        for end in [low, high] {
            drawn += &line("whisker", end, middle - 3.0, end, middle + 3.0);
        }
    }
    drawn
}

fn value(unit: Unit, result: &Summary) -> String {
    let median = unit.format(result.median);
    match result.ratio {
        Some(value) => format!("{median} (× {})", ratio(value)),
        None => median,
    }
}

fn line(class: &str, x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    )
}

fn text(x: f64, y: f64, class: &str, anchor: &str, words: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
        escaped(words)
    )
}

/// Text in which nothing is markup, nor a character that XML forbids.
fn escaped(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::compare::report::tests::example;

    #[test]
    fn there_is_a_bar_for_each_rate_and_time_of_each_rival() {
        let svg = svg(&example());
        // Three rivals in one figure of frames, one in two of the response.
        assert_eq!(svg.matches("<rect class=\"bar").count(), 5, "{svg}");
        assert_eq!(svg.matches("class=\"whisker\"").count(), 5 * 3);
        assert_eq!(svg.matches("class=\"reference\"").count(), 1);
        assert!(
            svg.contains(">64-byte frames: received, more is better</text>"),
            "{svg}"
        );
        assert!(svg.contains("(× 0.50)</text>"), "{svg}");
    }

    #[test]
    fn what_others_say_is_not_taken_for_markup() {
        let svg = svg(&example());
        assert!(
            svg.contains("can't be &lt;measured&gt;: no reason"),
            "{svg}"
        );
        assert_eq!(escaped("a\u{1b}&\""), "a &amp;&quot;");
    }
}
