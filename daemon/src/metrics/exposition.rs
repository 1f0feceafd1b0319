//! The text that Prometheus reads, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{Display, Write};

use vswitch_control::plain;

/// The type of this text in HTTP.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until it starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The text, as far as it is written.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// One metric, with all of its samples.
#[derive(Debug)]
pub(super) struct Family<'a> {
    name: &'a str,
    text: &'a mut String,
}

impl Exposition {
    /// Begins the metric `name`; all of its samples follow.
    pub(super) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family {
            name,
            text: &mut self.text,
        }
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(what);
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One sample.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.text.push_str(self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            // Whoever reads this on a terminal, by curl, reads names that others gave.
            for character in plain::text(value).chars() {
                match character {
                    '\\' => self.text.push_str(r"\\"),
                    '"' => self.text.push_str("\\\""),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a string does not fail.
        let _ = writeln!(self.text, " {value}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_prometheus_has_it() {
        let mut exposition = Exposition::default();
        exposition
            .family("a_total", Kind::Counter, "Of a\\b\nc.")
            .sample(&[("port", "x\"y\\z\n"), ("reason", "")], u64::MAX)
            .sample(&[], 0);
        exposition.family("b", Kind::Gauge, "B.").sample(&[], 1.5);
        assert_eq!(
            exposition.into_text(),
            concat!(
                "# HELP a_total Of a\\\\b\\nc.\n",
                "# TYPE a_total counter\n",
                "a_total{port=\"x\\\"y\\\\z\\\\n\",reason=\"\"} 18446744073709551615\n",
                "a_total 0\n",
                "# HELP b B.\n",
                "# TYPE b gauge\n",
                "b 1.5\n",
            )
        );
    }
}
