//! What is wrong with a lab, as far as can be told from its file alone.

mod addresses;
mod links;
mod names;
mod routes;

use super::draft::Draft;
use super::parse::Problem;

/// Names that are taken twice, or lead nowhere.
pub(super) fn names(draft: &Draft, problems: &mut Vec<Problem>) {
    names::check(draft, problems);
    links::check(draft, problems);
}

/// All that takes addresses to tell.
pub(super) fn rest(draft: &Draft, problems: &mut Vec<Problem>) {
    addresses::check(draft, problems);
    routes::check(draft, problems);
}
