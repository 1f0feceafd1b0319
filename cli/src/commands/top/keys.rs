//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Model, Overlay, Sort, Tab};

/// What the user wants that is not on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing more.
    None,
    /// The end.
    Quit,
    /// Back to the shell for a while.
    Suspend,
    /// Everything drawn anew.
    Redraw,
}

/// The keys, for the help.
pub(super) const KEYS: [(&str, &str); 14] = [
    ("q  Ctrl-C", "quit"),
    ("Tab  1 2 3 4", "ports, stations, drops, events"),
    ("Up Down  k j", "move by a row"),
    ("PgUp PgDn", "move by a page"),
    ("Home End  g G", "to the first, to the last"),
    ("Enter", "all about the marked port"),
    ("/", "show only rows that contain a text"),
    ("Esc", "close, or show all rows again"),
    ("s", "sort by the next column"),
    ("# n i o d", "by number, name, in, out, drops"),
    ("r", "sort the other way round"),
    ("p  Space", "pause, go on"),
    ("+ -", "look less often, more often"),
    ("? h", "this help"),
];

/// Does what a key says.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Wish {
    if key.kind == KeyEventKind::Release {
        return Wish::None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Wish::Quit,
            KeyCode::Char('z') => Wish::Suspend,
            KeyCode::Char('l') => Wish::Redraw,
            _ => Wish::None,
        };
    }
    if model.typing {
        type_filter(model, key.code);
        return Wish::None;
    }
    if key.code == KeyCode::Char('q') {
        return Wish::Quit;
    }
    if model.overlay != Overlay::None {
        // Whatever is pressed: it has been read.
        model.overlay = Overlay::None;
        return Wish::None;
    }
    if !navigate(model, key.code) {
        choose(model, key.code);
    }
    Wish::None
}

/// The longest filter: no name and no address is longer.
const MAX_FILTER: usize = 64;

fn type_filter(model: &mut Model, code: KeyCode) {
    match code {
        KeyCode::Enter => model.typing = false,
        KeyCode::Esc => {
            model.typing = false;
            model.filter.clear();
        }
        KeyCode::Backspace => {
            model.filter.pop();
        }
        KeyCode::Char(c) if !c.is_control() && model.filter.len() < MAX_FILTER => {
            model.filter.push(c);
        }
        _ => {}
    }
    model.selected = 0;
}

/// Moves the mark; whether the key was one for that. Of the events the newest is at the bottom,
/// where it is marked from.
fn navigate(model: &mut Model, code: KeyCode) -> bool {
    let last = model.rows().saturating_sub(1);
    let page = model.page.max(1);
    let at = model.selected.min(last);
    let from_below = model.tab == Tab::Events;
    let (back, forth) = (
        |by: usize| at.saturating_sub(by),
        |by: usize| at.saturating_add(by).min(last),
    );
    let up = |by| if from_below { forth(by) } else { back(by) };
    let down = |by| if from_below { back(by) } else { forth(by) };
    model.selected = match code {
        KeyCode::Up | KeyCode::Char('k') => up(1),
        KeyCode::Down | KeyCode::Char('j') => down(1),
        KeyCode::PageUp => up(page),
        KeyCode::PageDown => down(page),
        KeyCode::Home | KeyCode::Char('g') => up(last),
        KeyCode::End | KeyCode::Char('G') => down(last),
        _ => return false,
    };
    true
}

fn choose(model: &mut Model, code: KeyCode) {
    match code {
        KeyCode::Char('?' | 'h') => model.overlay = Overlay::Help,
        KeyCode::Tab | KeyCode::Right => model.step_tab(1),
        KeyCode::BackTab | KeyCode::Left => model.step_tab(Tab::ALL.len() - 1),
        KeyCode::Char('1') => model.show(Tab::Ports),
        KeyCode::Char('2') => model.show(Tab::Stations),
        KeyCode::Char('3') => model.show(Tab::Drops),
        KeyCode::Char('4') => model.show(Tab::Events),
        KeyCode::Char('/') => model.typing = true,
        KeyCode::Esc => model.filter.clear(),
        KeyCode::Char('p' | ' ') => model.pause(),
        KeyCode::Char('+' | '=') => model.step_interval(true),
        KeyCode::Char('-') => model.step_interval(false),
        KeyCode::Char('s') => model.sort_by_next(),
        KeyCode::Char('r') => model.reverse = !model.reverse,
        KeyCode::Char('#') => model.sort_by(Sort::Number),
        KeyCode::Char('n') => model.sort_by(Sort::Name),
        KeyCode::Char('i') => model.sort_by(Sort::In),
        KeyCode::Char('o') => model.sort_by(Sort::Out),
        KeyCode::Char('d') => model.sort_by(Sort::Drops),
        KeyCode::Enter => {
            let marked = model.visible_ports().get(model.selected).map(|m| m.port.id);
            if let (Tab::Ports, Some(id)) = (model.tab, marked) {
                model.overlay = Overlay::Port(id);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::tests::port;
    use super::*;
    use std::time::Duration;
    use vswitch_control::protocol::SwitchView;

    fn model() -> Model {
        let mut model = Model::new("s", Duration::from_secs(1));
        let ports = (1..=30).map(|id| port(id, &format!("host{id}"), 0));
        model.look(Duration::ZERO, SwitchView::sample(ports.collect()));
        model
    }

    fn press_all(model: &mut Model, keys: &str) {
        for c in keys.chars() {
            assert_eq!(press(model, KeyCode::Char(c).into()), Wish::None, "{c}");
        }
    }

    #[test]
    fn the_end_and_the_shell_are_wishes() {
        let mut model = model();
        assert_eq!(press(&mut model, KeyCode::Char('q').into()), Wish::Quit);
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        model.typing = true;
        assert_eq!(press(&mut model, control('c')), Wish::Quit);
        assert_eq!(press(&mut model, control('z')), Wish::Suspend);
        assert_eq!(press(&mut model, control('l')), Wish::Redraw);
    }

    #[test]
    fn a_filter_is_typed_kept_and_cleared() {
        let mut model = model();
        press_all(&mut model, "/hosq");
        assert_eq!((model.filter.as_str(), model.typing), ("hosq", true));
        press(&mut model, KeyCode::Backspace.into());
        press_all(&mut model, "t12");
        press(&mut model, KeyCode::Enter.into());
        assert_eq!((model.rows(), model.typing), (1, false));
        press(&mut model, KeyCode::Esc.into());
        assert_eq!(model.rows(), 30);
        press_all(&mut model, &("/".to_owned() + &"x".repeat(1_000)));
        assert_eq!(model.filter.len(), MAX_FILTER);
    }

    #[test]
    fn the_mark_stays_on_a_row() {
        let mut model = model();
        for (code, row) in [
            (KeyCode::Up, 0),
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 11),
            (KeyCode::End, 29),
            (KeyCode::PageDown, 29),
            (KeyCode::Char('k'), 28),
            (KeyCode::Home, 0),
        ] {
            press(&mut model, code.into());
            assert_eq!(model.selected, row, "{code:?}");
        }
        press(&mut model, KeyCode::End.into());
        press(&mut model, KeyCode::Enter.into());
        assert_eq!(model.overlay, Overlay::Port(30));
        press_all(&mut model, "x");
        assert_eq!(model.overlay, Overlay::None);
        // Where there is nothing, no key does harm.
        let mut empty = Model::new("s", Duration::from_secs(1));
        for tab in "1234".chars() {
            press_all(&mut empty, &tab.to_string());
            for code in [KeyCode::Up, KeyCode::Down, KeyCode::End, KeyCode::Enter] {
                press(&mut empty, code.into());
                assert_eq!(empty.selected, 0);
            }
        }
    }

    #[test]
    fn tabs_go_round() {
        let mut model = model();
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(model.tab);
            press(&mut model, KeyCode::Tab.into());
        }
        assert_eq!(seen[..4], Tab::ALL);
        assert_eq!(seen[4], Tab::Ports);
        press(&mut model, KeyCode::BackTab.into());
        assert_eq!(model.tab, Tab::Ports);
        press_all(&mut model, "?");
        assert_eq!(model.overlay, Overlay::Help);
    }
}
