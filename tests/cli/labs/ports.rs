//! Interfaces of the machine in a lab.

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vswitch_netns::{InterfaceName, Netlink, VethEnd};

use super::{LabFile, ends, nothing_is_left};
use crate::cli::{Surroundings, json};
use crate::harness::devices::may_open_tun;
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    let cannot_run = !may_open_tun() && std::env::var_os("CI").is_none();
    vec![
        isolated("cli::labs::an_existing_interface_is_lent", lent),
        isolated("cli::labs::a_tap_interface_is_made", made).with_ignored_flag(cannot_run),
    ]
}

fn made() {
    let before = Surroundings::now();
    let lab = LabFile::new("[switch.s]\nports = [\"tap:tap0\", \"tun:tap1\"]\n");
    let (_, errors) = ends("up /run/lab.toml", 1);
    assert!(
        errors.contains("lab.toml:2:22: 'tun' is not a kind of port"),
        "{errors}"
    );
    nothing_is_left(&before);
    lab.edit(", \"tun:tap1\"", "");
    lab.up();
    assert_eq!(json("port list --switch s")[0]["driver"], "TAP device");
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
    nothing_is_left(&before);

    // By a switch that was killed, too.
    lab.up();
    let pid = json("show s")["pid"].as_i64().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    lab.down();
    nothing_is_left(&before);
}

fn lent() {
    let [near, far] = ["near", "far"].map(|name| VethEnd::new(InterfaceName::new(name).unwrap()));
    Netlink::open()
        .unwrap()
        .create_veth(&near, &far, None)
        .unwrap();
    let before = Surroundings::now();
    let lab = LabFile::new("[switch.s]\nports = [\"near\", \"gone\", \"lo\"]\n");
    let (_, errors) = ends("up /run/lab.toml", 1);
    assert!(
        errors.contains("lab.toml:2:18: there is no interface 'gone'"),
        "{errors}"
    );
    assert!(
        errors.contains("lab.toml:2:26: the interface 'lo' is the loopback"),
        "{errors}"
    );
    nothing_is_left(&before);

    lab.edit(", \"gone\", \"lo\"", "");
    lab.up();
    assert_eq!(json("port list --switch s")[0]["name"], "near");
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
    nothing_is_left(&before);

    // By a switch that was killed it is given back all the same.
    lab.up();
    let pid = json("show s")["pid"].as_i64().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    lab.down();
    let arp = |surroundings: &Surroundings| {
        let near = surroundings.links.iter().find(|link| link.name == "near");
        near.map(|link| link.arp)
    };
    assert_eq!(arp(&Surroundings::now()), arp(&before));
    assert_eq!(Surroundings::now().files, before.files);
}
