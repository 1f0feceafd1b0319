//! Two hosts on a switch ping each other.

use libtest_mimic::Trial;

use super::lab::Lab;
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "switching_two_hosts_ping_each_other",
        two_hosts_ping_each_other,
    )]
}

fn two_hosts_ping_each_other() {
    let lab = Lab::talking(2);
    let [mario, luigi] = &lab.hosts[..] else {
        unreachable!()
    };
    for (from, to) in [(mario, luigi), (luigi, mario)] {
        for address in [to.v4(), to.v6()] {
            from.ping(address, 56);
            from.ping(address, 1400);
        }
    }
    assert_eq!(lab.whereabouts(mario.mac()), [mario.port_name()]);
    assert_eq!(lab.whereabouts(luigi.mac()), [luigi.port_name()]);
    lab.stop();
}
