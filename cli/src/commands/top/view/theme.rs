//! Colours, and what stands in for them where there are none.

use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier, Style};

use vswitch_control::protocol::{Happening, PortState};

/// How things look.
#[derive(Clone, Debug)]
pub(in crate::commands::top) struct Theme {
    /// Whether colours are wanted; emphasis is there in any case.
    pub(in crate::commands::top) colour: bool,
    /// Whether the terminal shows more than ASCII.
    pub(in crate::commands::top) unicode: bool,
    /// Where people live.
    pub(in crate::commands::top) zone: TimeZone,
}

impl Theme {
    /// As the environment wants it: `NO_COLOR`, and the locale, which says whether the terminal
    /// shows Unicode (locale(7): the first of three variables that is set).
    pub(in crate::commands::top) fn of_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let locale = locale.unwrap_or_default().to_lowercase();
        Self {
            colour: set("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
            zone: TimeZone::system(),
        }
    }

    fn coloured(&self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    pub(super) fn good(&self) -> Style {
        self.coloured(Color::Green)
    }

    pub(super) fn warning(&self) -> Style {
        self.coloured(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(super) fn bad(&self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn graph(&self) -> Style {
        self.coloured(Color::Cyan)
    }

    pub(super) const fn plain() -> Style {
        Style::new()
    }

    pub(super) const fn heading() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) const fn faint() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) const fn marked() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn state(&self, state: PortState) -> Style {
        match state {
            PortState::Up => self.good(),
            PortState::Down => self.warning(),
            PortState::Absent => self.bad(),
        }
    }

    /// Losses: nothing is nothing to look at.
    pub(super) fn losses(&self, lost: f64) -> Style {
        if lost > 0.0 {
            self.bad()
        } else {
            Self::faint()
        }
    }

    pub(super) fn event(&self, what: &Happening) -> Style {
        use Happening as H;
        match what {
            H::Learnt { .. }
            | H::StaticAdded { .. }
            | H::PortAdded { .. }
            | H::PortUp { .. }
            | H::Restarted => self.good(),
            H::Aged { .. } | H::Unknown => Self::faint(),
            H::Evicted { .. } | H::PortAbsent { .. } | H::Lost { .. } => self.bad(),
            _ => self.warning(),
        }
    }

    /// Nine levels, from nothing to all.
    const fn levels(&self) -> [char; 9] {
        if self.unicode {
            [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            [' ', '.', ':', '-', '=', '+', '*', '%', '#']
        }
    }

    /// What shows `value` of at most `most`. The least that is something is seen.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from nought to eight"
    )]
    pub(super) fn level(&self, value: f64, most: f64) -> char {
        let level = if value > 0.0 && most > 0.0 {
            (value / most * 8.0).ceil().clamp(1.0, 8.0) as usize
        } else {
            0
        };
        self.levels()[level]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(variables: &[(&str, &str)]) -> Theme {
        Theme::of_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_is_heeded() {
        assert!(theme(&[]).colour && !theme(&[]).unicode);
        assert!(!theme(&[("NO_COLOR", "1")]).colour);
        assert!(theme(&[("NO_COLOR", "")]).colour);
        assert!(theme(&[("LANG", "de_DE.UTF-8")]).unicode);
        assert!(theme(&[("LC_ALL", ""), ("LANG", "C.utf8")]).unicode);
        assert!(!theme(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).unicode);
        assert_eq!(theme(&[("NO_COLOR", "1")]).good().fg, None);
    }

    #[test]
    fn levels_go_from_nothing_to_all() {
        let theme = theme(&[("LANG", "C.UTF-8")]);
        for (value, level) in [
            (0.0, ' '),
            (0.001, '▁'),
            (50.0, '▄'),
            (100.0, '█'),
            (900.0, '█'),
        ] {
            assert_eq!(theme.level(value, 100.0), level, "{value}");
        }
        assert_eq!(theme.level(1.0, 0.0), ' ');
    }
}
