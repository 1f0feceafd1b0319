//! How the demonstration speaks to the person who watches it.

use std::io::Write;

use anstyle::{AnsiColor, Style};

const HEADING: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();
const HINT: Style = Style::new().dimmed();

/// Prints to standard output: headings with numbers, commands, and what came of them.
pub(super) struct Narrator {
    /// `None`: says nothing.
    out: Option<anstream::AutoStream<std::io::Stdout>>,
    steps: usize,
}

impl Narrator {
    pub(super) fn aloud() -> Self {
        Self {
            out: Some(anstream::stdout()),
            steps: 0,
        }
    }

    pub(super) const fn silent() -> Self {
        Self {
            out: None,
            steps: 0,
        }
    }

    pub(super) fn intro(&mut self, lines: &[&str]) {
        for line in lines {
            self.line(line);
        }
    }

    pub(super) fn step(&mut self, title: &str) {
        self.steps += 1;
        let number = self.steps;
        self.line("");
        self.line(&format!("{HEADING}{number}. {title}{HEADING:#}"));
    }

    pub(super) fn command(&mut self, line: &str) {
        self.line(&format!("   {COMMAND}$ {line}{COMMAND:#}"));
    }

    pub(super) fn by_hand(&mut self, line: &str) {
        self.line(&format!(
            "   {HINT}by hand:{HINT:#} {COMMAND}{line}{COMMAND:#}"
        ));
    }

    pub(super) fn output(&mut self, text: &str) {
        for line in text.lines() {
            self.line(format!("   {line}").trim_end());
        }
    }

    pub(super) fn result(&mut self, text: &str) {
        self.output(text);
    }

    pub(super) fn end(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    fn line(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            // Where nobody reads any more, the demonstration still goes to its end.
            let _ = writeln!(out, "{}", vswitch_control::plain::styled(text))
                .and_then(|()| out.flush());
        }
    }
}
