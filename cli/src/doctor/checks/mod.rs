//! The checks: each a function of what was found, one file for each area.

pub(super) mod directories;
pub(super) mod kernel;
pub(super) mod leftovers;
pub(super) mod limits;
pub(super) mod managers;
pub(super) mod network;
pub(super) mod ports;
pub(super) mod rights;

/// Names one after the other, all of which are told; nothing in them that a terminal would act on.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| vswitch_control::plain::text(name).into_owned())
        .collect();
    names.join(", ")
}

/// The finding of this check among `findings`.
#[cfg(test)]
fn the<'a>(findings: &'a [super::Finding], check: &str) -> &'a super::Finding {
    let found = findings.iter().find(|finding| finding.check == check);
    found.unwrap_or_else(|| panic!("nothing about {check}: {findings:#?}"))
}
