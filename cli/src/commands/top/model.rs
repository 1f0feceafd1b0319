//! All that is on the screen, as plain data: what the switch told, and what the user chose.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::rates::{self, Moving};
use vswitch_control::plain;
use vswitch_control::protocol::{EventView, FdbEntry, SwitchView};

/// Rates of a port that are remembered: as many as the widest graph has columns.
pub(super) const HISTORY: usize = 120;
/// Events that are remembered.
const EVENTS: usize = 500;
/// The steps of the interval.
const INTERVALS_MS: [u64; 8] = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000];

/// What is shown large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    /// The ports with their rates.
    #[default]
    Ports,
    /// The MAC table.
    Stations,
    /// Losses by reason.
    Drops,
    /// What happened.
    Events,
}

impl Tab {
    /// All, in their order.
    pub(super) const ALL: [Self; 4] = [Self::Ports, Self::Stations, Self::Drops, Self::Events];

    /// As it is called.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Ports => "Ports",
            Self::Stations => "Stations",
            Self::Drops => "Drops",
            Self::Events => "Events",
        }
    }

    fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// By what the ports are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Their numbers.
    #[default]
    Number,
    /// Their names.
    Name,
    /// Bits that came in, most first.
    In,
    /// Bits that went out, most first.
    Out,
    /// Frames lost, most first.
    Drops,
}

impl Sort {
    const ALL: [Self; 5] = [Self::Number, Self::Name, Self::In, Self::Out, Self::Drops];

    /// As it is called.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Name => "name",
            Self::In => "in",
            Self::Out => "out",
            Self::Drops => "drops",
        }
    }
}

/// What lies over all else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The keys.
    Help,
    /// Everything about one port, by its number.
    Port(u16),
}

/// All that is on the screen.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The switch's name.
    pub(super) name: String,
    /// What it told last.
    pub(super) view: Option<SwitchView>,
    /// Its ports, once there were two looks.
    pub(super) ports: Vec<Moving>,
    /// Bits per second in and out together, by a port's number and name; the newest is last.
    pub(super) history: HashMap<(u16, String), VecDeque<f64>>,
    /// The MAC table, once it was asked for.
    pub(super) stations: Option<Vec<FdbEntry>>,
    /// What happened; the newest is last.
    pub(super) events: VecDeque<EventView>,
    /// Why nothing is heard of what happens.
    pub(super) deaf: Option<String>,
    /// The time between two looks.
    pub(super) interval: Duration,
    /// What is shown large.
    pub(super) tab: Tab,
    /// What lies over it.
    pub(super) overlay: Overlay,
    /// How ports are ordered.
    pub(super) sort: Sort,
    /// The other way round.
    pub(super) reverse: bool,
    /// What rows have to contain.
    pub(super) filter: String,
    /// Whether it is being typed.
    pub(super) typing: bool,
    /// Whether nothing moves.
    pub(super) paused: bool,
    /// The row that is marked; of the events, how far back one has gone.
    pub(super) selected: usize,
    /// Rows that a page has.
    pub(super) page: usize,
    /// The look that rates are counted from.
    base: Option<Duration>,
    /// What happened while nothing moved.
    held_back: VecDeque<EventView>,
}

impl Model {
    /// Nothing was told yet.
    pub(super) fn new(name: &str, interval: Duration) -> Self {
        Self {
            name: name.to_owned(),
            interval,
            page: 10,
            ..Self::default()
        }
    }

    /// A look at the switch, taken at `now`.
    pub(super) fn look(&mut self, now: Duration, view: SwitchView) {
        if self.paused {
            return;
        }
        let view = plain::view(view);
        if let (Some(base), Some(old)) = (self.base, &self.view) {
            self.ports = rates::between(old, &view, now.saturating_sub(base));
            self.remember();
        } else if self.ports.is_empty() {
            self.ports = rates::between(&view, &view, Duration::ZERO);
        }
        self.base = Some(now);
        self.view = Some(view);
    }

    fn remember(&mut self) {
        let mut history = std::mem::take(&mut self.history);
        for moving in &self.ports {
            let key = (moving.port.id, moving.port.name.clone());
            let mut rates = history.remove(&key).unwrap_or_default();
            if rates.len() == HISTORY {
                rates.pop_front();
            }
            rates.push_back(moving.rx.bits + moving.tx.bits);
            // What is not put back belongs to ports that are gone.
            self.history.insert(key, rates);
        }
    }

    /// A look at the MAC table.
    pub(super) fn look_at_stations(&mut self, stations: Vec<FdbEntry>) {
        if !self.paused {
            self.stations = Some(plain::view(stations));
        }
    }

    /// Something happened.
    pub(super) fn happened(&mut self, event: EventView) {
        let events = if self.paused {
            &mut self.held_back
        } else {
            &mut self.events
        };
        if events.len() == EVENTS {
            events.pop_front();
        }
        events.push_back(event);
        // Who has gone back goes on seeing the same.
        if !self.paused && self.tab == Tab::Events && self.selected > 0 {
            self.selected = (self.selected + 1).min(EVENTS);
        }
    }

    /// Stops all that moves, or lets it go on.
    pub(super) fn pause(&mut self) {
        self.paused = !self.paused;
        if !self.paused {
            // Rates are those of now, not of all the time that nothing moved.
            self.base = None;
            for event in std::mem::take(&mut self.held_back) {
                self.happened(event);
            }
        }
    }

    /// Another tab, from its beginning.
    pub(super) fn show(&mut self, tab: Tab) {
        if tab != self.tab {
            self.tab = tab;
            self.selected = 0;
        }
    }

    /// The tab so many further.
    pub(super) fn step_tab(&mut self, by: usize) {
        self.show(self.tab.step(by));
    }

    /// Orders the ports anew; by the same, the other way round.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.reverse = sort == self.sort && !self.reverse;
        self.sort = sort;
    }

    /// Orders the ports by the next that they can be ordered by.
    pub(super) fn sort_by_next(&mut self) {
        let at = Sort::ALL.iter().position(|sort| *sort == self.sort);
        self.sort = Sort::ALL[(at.unwrap_or(0) + 1) % Sort::ALL.len()];
        self.reverse = false;
    }

    /// The next longer or shorter interval.
    pub(super) fn step_interval(&mut self, longer: bool) {
        let now = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let mut steps = INTERVALS_MS.into_iter();
        let next = if longer {
            steps.find(|step| *step > now)
        } else {
            steps.rfind(|step| *step < now)
        };
        self.interval = next.map_or(self.interval, Duration::from_millis);
    }

    /// The ports that are shown, in their order.
    pub(super) fn visible_ports(&self) -> Vec<&Moving> {
        let mut ports: Vec<_> = self
            .ports
            .iter()
            .filter(|moving| {
                let port = &moving.port;
                let namespace = port.namespace.as_deref().unwrap_or_default();
                self.passes(&[&port.name, namespace, state_word(moving)])
            })
            .collect();
        match self.sort {
            Sort::Number => ports.sort_by_key(|moving| moving.port.id),
            Sort::Name => ports.sort_by(|a, b| a.port.name.cmp(&b.port.name)),
            Sort::In => ports.sort_by(|a, b| b.rx.bits.total_cmp(&a.rx.bits)),
            Sort::Out => ports.sort_by(|a, b| b.tx.bits.total_cmp(&a.tx.bits)),
            Sort::Drops => ports.sort_by(|a, b| b.dropped().total_cmp(&a.dropped())),
        }
        if self.reverse {
            ports.reverse();
        }
        ports
    }

    /// The losses that are shown, the fastest first: where, why, per second, and in all.
    pub(super) fn visible_drops(&self) -> Vec<(&Moving, &str, f64, u64)> {
        let all = self.ports.iter().flat_map(|moving| {
            let drops = moving.port.drops.iter();
            drops.map(move |(reason, total)| {
                let rate = moving.drops.get(reason).copied().unwrap_or(0.0);
                (moving, reason.as_str(), rate, *total)
            })
        });
        let mut drops: Vec<_> = all
            .filter(|(moving, reason, _, total)| {
                *total > 0 && self.passes(&[&moving.port.name, reason])
            })
            .collect();
        drops.sort_by(|a, b| b.2.total_cmp(&a.2).then(b.3.cmp(&a.3)));
        drops
    }

    /// The stations that are shown.
    pub(super) fn visible_stations(&self) -> Vec<&FdbEntry> {
        let all = self.stations.iter().flatten();
        all.filter(|entry| self.passes(&[&entry.mac, &entry.port, &entry.vlan.to_string()]))
            .collect()
    }

    /// Whether a row with these words is shown.
    pub(super) fn passes(&self, words: &[&str]) -> bool {
        let wanted = self.filter.to_lowercase();
        wanted.is_empty()
            || words
                .iter()
                .any(|word| word.to_lowercase().contains(&wanted))
    }

    /// Rows that can be marked.
    pub(super) fn rows(&self) -> usize {
        match self.tab {
            Tab::Ports => self.visible_ports().len(),
            Tab::Stations => self.visible_stations().len(),
            Tab::Drops => self.visible_drops().len(),
            Tab::Events => self.events.len(),
        }
    }
}

/// The state of a port's link.
pub(super) const fn state_word(moving: &Moving) -> &'static str {
    use vswitch_control::protocol::PortState;
    match moving.port.state {
        PortState::Up => "up",
        PortState::Down => "down",
        PortState::Absent => "absent",
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::tests::{close, port};
    use super::*;
    use vswitch_control::protocol::Happening;

    const S: Duration = Duration::from_secs(1);

    fn event(number: u32) -> EventView {
        EventView {
            time: String::new(),
            what: Happening::PortUp {
                port: number.to_string(),
            },
        }
    }

    fn model(looks: &[(u32, u64, u64)]) -> Model {
        let mut model = Model::new("my_switch", S);
        for (at, a, b) in looks {
            model.look(
                S * *at,
                SwitchView::sample(vec![port(1, "a", *a), port(2, "b", *b)]),
            );
        }
        model
    }

    fn names(model: &Model) -> Vec<&str> {
        let ports = model.visible_ports();
        ports
            .iter()
            .map(|moving| moving.port.name.as_str())
            .collect()
    }

    #[test]
    fn two_looks_make_a_rate() {
        let model = model(&[(0, 100, 100), (2, 300, 100)]);
        assert!(close(model.ports[0].rx.frames, 100.0));
        assert_eq!(model.history[&(1, "a-vsw".to_owned())].len(), 1);
    }

    #[test]
    fn a_pause_is_not_counted() {
        let mut model = model(&[(0, 0, 0), (1, 100, 0)]);
        model.pause();
        model.look(S * 50, SwitchView::sample(vec![]));
        model.happened(event(1));
        assert_eq!((model.ports.len(), model.events.len()), (2, 0));
        model.pause();
        assert_eq!(model.events.len(), 1);
        model.look(S * 100, SwitchView::sample(vec![port(1, "a", 5_000)]));
        assert!(close(model.ports[0].rx.frames, 100.0), "what it was before");
        model.look(S * 101, SwitchView::sample(vec![port(1, "a", 5_007)]));
        assert!(close(model.ports[0].rx.frames, 7.0));
    }

    #[test]
    fn ports_are_ordered_and_filtered() {
        let mut model = model(&[(0, 0, 0), (1, 100, 900)]);
        assert_eq!(names(&model), ["a-vsw", "b-vsw"]);
        model.sort_by(Sort::In);
        assert_eq!(names(&model), ["b-vsw", "a-vsw"]);
        model.sort_by(Sort::In);
        assert_eq!(names(&model), ["a-vsw", "b-vsw"], "the other way round");
        model.filter = "B-V".to_owned();
        assert_eq!(names(&model), ["b-vsw"]);
        assert_eq!(model.rows(), 1);
        for _ in 0..Sort::ALL.len() {
            model.sort_by_next();
        }
        assert_eq!(model.sort, Sort::In);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut model = Model::new("s", S);
        for at in 0..2_000 {
            let number = u64::from(at) * 10;
            model.look(
                S * at,
                SwitchView::sample(vec![port(1, "a", number), port(2, "b", number)]),
            );
            model.happened(event(at));
        }
        assert_eq!(model.events.len(), EVENTS);
        assert!(model.history.values().all(|rates| rates.len() == HISTORY));
        model.look(S * 3_000, SwitchView::sample(vec![port(2, "b", 30_000)]));
        assert_eq!(model.history.len(), 1, "of the others nothing is kept");
    }

    #[test]
    fn the_interval_goes_by_steps() {
        let mut model = Model::new("s", Duration::from_millis(700));
        model.step_interval(true);
        assert_eq!(model.interval, S);
        model.step_interval(false);
        assert_eq!(model.interval, Duration::from_millis(500));
        for _ in 0..20 {
            model.step_interval(false);
        }
        assert_eq!(model.interval, Duration::from_millis(100));
    }
}
