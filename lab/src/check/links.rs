//! Links between switches: what they join, and that they make no loop.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::parse::Problem;

/// Which switches are joined by links, each known by the first of its segment.
#[derive(Debug, Default)]
pub(crate) struct Segments(BTreeMap<String, String>);

impl Segments {
    /// The segments that the links make.
    pub(crate) fn of(draft: &Draft) -> Self {
        let mut segments = Self::default();
        for link in &draft.links {
            let [a, b] = &link.between;
            segments.join(&a.value, &b.value);
        }
        segments
    }

    /// The segment that a switch is in.
    pub(crate) fn segment<'a>(&'a self, switch: &'a str) -> &'a str {
        let mut at = switch;
        while let Some(next) = self.0.get(at) {
            at = next;
        }
        at
    }

    /// Joins two; whether they were apart.
    fn join(&mut self, a: &str, b: &str) -> bool {
        let (a, b) = (self.segment(a).to_owned(), self.segment(b).to_owned());
        let apart = a != b;
        if apart {
            self.0.insert(b, a);
        }
        apart
    }
}

pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut segments = Segments::default();
    for link in &draft.links {
        let [a, b] = &link.between;
        if a.value == b.value {
            let wrong = format!(
                "a link from the switch '{}' to itself is a loop, and frames would go round it \
                 for ever: remove it",
                a.value
            );
            problems.push(Problem::new(link.span.clone(), wrong));
        } else if !segments.join(&a.value, &b.value) {
            let wrong = format!(
                "this link closes a loop: '{}' and '{}' are connected already, and without a \
                 spanning tree frames would go round for ever: remove one of the links",
                a.value, b.value
            );
            problems.push(Problem::new(link.span.clone(), wrong));
        }
    }
}
