//! Manual pages, written by the program.

use std::fs;

use libtest_mimic::Trial;

use super::{fails, ok};
use crate::harness::isolated;
use crate::harness::program::vswitch_ok;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated("cli_manual_pages_are_written", written)]
}

fn written() {
    ok("man --dir /run/man/man1");
    let names = fs::read_dir("/run/man/man1").unwrap().flatten();
    let mut names: Vec<String> = names
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    // What the help lists has a page.
    for line in ok("--help").lines() {
        let is_command = line.starts_with("  ") && !line.trim_start().starts_with('-');
        let Some(name) = line.split_whitespace().next().filter(|_| is_command) else {
            continue;
        };
        if line.starts_with("   ") || name == "vswitch" || name == "help" {
            continue;
        }
        let page = format!("vswitch-{name}.1");
        assert!(names.contains(&page), "{page}: {names:?}");
    }
    let page = fs::read_to_string("/run/man/man1/vswitch-fdb-add.1").unwrap();
    assert_eq!(vswitch_ok(["man", "fdb", "add"]), page);
    assert!(
        page.contains("\nvswitch fdb add 02:00:00:00:00:01"),
        "{page}"
    );

    let told = fails("man frobnicate", 1);
    assert!(told.contains("frobnicate"), "{told}");
    let told = fails("man --dir /proc/nowhere", 1);
    assert!(told.contains("/proc/nowhere"), "{told}");
    fails("man run --dir /run/x", 2);
}
