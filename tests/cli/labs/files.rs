//! Lab files with mistakes.

use libtest_mimic::Trial;

use super::{LabFile, ends, nothing_is_left};
use crate::cli::Surroundings;
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli::labs::every_mistake_is_told_with_its_place", mistakes),
        isolated("cli::labs::what_is_no_lab_file_is_told", no_file),
    ]
}

fn mistakes() {
    let before = Surroundings::now();
    let lab = LabFile::new(
        "[switch.s]\nsubnets = \"10.0.0.0/24\"\n[host.a]\nip = \"10.0.0.1\"\nadress = 1\n\
         [host.b]\nswitch = \"t\"\nmtu = \"big\"\n",
    );
    let (told, errors) = ends("up /run/lab.toml", 1);
    assert!(told.is_empty(), "{told}");
    let lines: Vec<&str> = errors.lines().collect();
    for (line, (place, what)) in lines.iter().zip([
        ("2:1", "unknown key 'subnets': did you mean 'subnet'?"),
        ("4:6", "add the prefix length"),
        ("5:1", "unknown key 'adress'"),
        ("7:10", "there is no switch 't'"),
        ("8:7", "a whole number is wanted here"),
    ]) {
        let start = format!("vswitch: /run/lab.toml:{place}: ");
        assert!(line.starts_with(&start) && line.contains(what), "{line}");
    }
    assert_eq!(lines.len(), 5, "{errors}");
    ends("diff /run/lab.toml", 2);
    nothing_is_left(&before);
    drop(lab);
}

fn no_file() {
    for (line, told) in [
        (
            "up /run/nowhere.toml",
            "there is no lab file /run/nowhere.toml",
        ),
        ("up /run", "is a directory"),
        ("down nobody", "no lab 'nobody' is up"),
        ("down", "no lab is up"),
    ] {
        let (_, errors) = ends(line, 1);
        assert!(errors.contains(told), "{line}: {errors}");
    }
    let (told, _) = ends("status", 0);
    assert!(told.starts_with("no lab is up"), "{told}");
}
