//! Addresses of interfaces.

use vswitch_netns::{Address, Link};

use super::link::state;
use super::table::{BAD, Column, FAINT, WARNING, paint, table};

/// One line for each address, under the name of its interface.
pub(crate) fn addresses(interfaces: &[(Link, Vec<Address>)]) -> String {
    if interfaces.is_empty() {
        return "  no such interface\n".to_owned();
    }
    let columns = [
        Column::Right("#"),
        Column::Left("interface"),
        Column::Left("state"),
        Column::Left("address"),
        Column::Left("scope"),
        Column::Left(""),
    ];
    let mut rows = Vec::new();
    for (link, addresses) in interfaces {
        let head = [
            link.index.to_string(),
            vswitch_control::plain::text(&link.name).into_owned(),
            state(link),
        ];
        let [first, rest @ ..] = addresses.as_slice() else {
            rows.push(
                [
                    &head[..],
                    &[paint(FAINT, "-"), String::new(), String::new()],
                ]
                .concat(),
            );
            continue;
        };
        rows.push([&head[..], &cells(first)].concat());
        let blank = [String::new(), String::new(), String::new()];
        rows.extend(rest.iter().map(|more| [&blank[..], &cells(more)].concat()));
    }
    table(&columns, rows)
}

fn cells(address: &Address) -> [String; 3] {
    let note = if address.duplicate {
        paint(BAD, "of no use: another host has it")
    } else if address.tentative {
        paint(
            WARNING,
            "not in use yet: the network is asked whether another host has it",
        )
    } else {
        String::new()
    };
    [address.net.to_string(), address.scope.to_string(), note]
}
