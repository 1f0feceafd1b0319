//! Tests of the namespace library, `vswitch-netns`.

mod veth;

use libtest_mimic::Trial;

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    veth::tests()
}
