//! Files with mistakes, each with the place where it is told: '§' stands before it.

use super::*;
use crate::place::position;

fn problems(text: &str) -> Vec<Problem> {
    match read(text, "x".parse().unwrap(), &Things::new()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    }
}

/// Asserts that all places marked in `text` are told, in their order, and no other; and that the
/// first says `what`.
fn told(text: &str, what: &str) {
    let mut clean = String::new();
    let mut places = Vec::new();
    for part in text.split_inclusive('§') {
        clean.push_str(part.trim_end_matches('§'));
        if part.ends_with('§') {
            places.push(clean.len());
        }
    }
    let found = problems(&clean);
    let at: Vec<_> = found
        .iter()
        .map(|problem| position(&clean, problem.span.start))
        .collect();
    let wanted: Vec<_> = places.iter().map(|at| position(&clean, *at)).collect();
    assert_eq!(at, wanted, "{clean}\n{found:?}");
    assert!(found[0].text.contains(what), "{clean}\n{found:?}");
    for problem in &found {
        assert!(!problem.text.contains('\n'), "{problem:?}");
    }
}

/// A lab to make mistakes in.
const BASE: &str = "[switch.s]\nsubnet = \"10.0.0.0/24\"\n[switch.t]\nsubnet = \"10.1.0.0/24\"\n";

fn based(text: &str, what: &str) {
    told(&format!("{BASE}{text}"), what);
}

#[test]
fn what_cannot_be_read_is_told() {
    for (text, what) in [
        ("[switch.s]\n[switch.§s]\n", "duplicate key"),
        ("[switch.s]\nageing = §\n", "value"),
        ("§hosts = 1\n", "unknown key 'hosts': did you mean 'host'?"),
        ("[lab]\nname = §\"a b\"\n", "contains ' '"),
        ("[lab]\n§title = \"x\"\n", "unknown key 'title'"),
        ("[switch.§\"a/b\"]\n", "contains '/'"),
        ("switch = §1\n", "table"),
        ("§[link]\nbetween = [\"a\", \"b\"]\n", "[[link]]"),
        (
            "[switch.s]\nageing = §\"x\"\n",
            "a whole number is wanted here",
        ),
        (
            "[switch.s]\nageing = §-1\n",
            "a whole number is wanted here",
        ),
        ("[switch.s]\nageing = §0\n", "choose 1 to 1000000"),
        (
            "[switch.s]\nreceive = §\"fast\"\n",
            "'auto', 'ring', 'socket'",
        ),
        ("[switch.s]\nforward_reserved = §1\n", "true or false"),
        (
            "[switch.s]\nsubnet = §\"10.0.0.1/24\"\n",
            "write 10.0.0.0/24",
        ),
        ("[switch.s]\nports = [\"a\", §\"b c\"]\n", "contains ' '"),
    ] {
        told(text, what);
    }
}

#[test]
fn what_a_host_cannot_be_is_told() {
    for (text, what) in [
        (
            "[host.a]\nswitch = \"s\"\nip = §\"10.0.0.1\"\n",
            "prefix length",
        ),
        (
            "[host.a]\nswitch = \"s\"\nip = [\"10.0.0.1/24\", §\"x\"]\n",
            "host's address",
        ),
        (
            "[host.a]\nswitch = \"s\"\nmac = §\"01:00:00:00:00:01\"\n",
            "group",
        ),
        ("[host.a]\nswitch = \"s\"\nmtu = §67\n", "68 to 65535"),
        (
            "[host.a]\nswitch = \"s\"\n§mut = 1\n",
            "did you mean 'mtu'?",
        ),
        ("[host.a]\nswitch = §\"u\"\n", "there is no switch 'u'"),
        ("[host.a]\nip = §\"10.0.0.1/24\"\n", "say which 'switch'"),
        ("[host.a]\nswitch = §\"s\"\ninterface = []\n", "either"),
        (
            "[host.a]\ninterface = [§{ ip = \"10.0.0.1/24\" }]\n",
            "'switch' is missing",
        ),
        (
            "[host.a]\ninterface = [{ switch = \"s\" }, { switch = §\"s\" }]\n",
            "two interfaces 's'",
        ),
        (
            "[host.a]\ninterface = [{ switch = \"s\", name = §\"lo\" }]\n",
            "loopback",
        ),
    ] {
        based(text, what);
    }
}

#[test]
fn what_a_host_cannot_do_is_told() {
    for (text, what) in [
        (
            "[host.a]\nswitch = \"s\"\nsysctl = { §\"kernel.panic\" = 1 }\n",
            "net.",
        ),
        (
            "[host.a]\nswitch = \"s\"\nsysctl = { §\"net/../kernel/panic\" = 1 }\n",
            "net.",
        ),
        (
            "[host.a]\nswitch = \"s\"\nsysctl = { \"net.a\" = §[1] }\n",
            "a number",
        ),
        ("[host.a]\nswitch = \"s\"\nsetup = [§\"\"]\n", "empty"),
        ("[host.a]\nswitch = \"s\"\ncommands = [§[]]\n", "empty"),
        (
            "[host.a]\nswitch = \"s\"\ncount = §0\n",
            "'count' cannot be 0",
        ),
        (
            "[host.a]\nswitch = \"s\"\ncount = 2\nip = §\"10.0.0.1/24\"\n",
            "several",
        ),
        (
            "[host.a2]\nswitch = \"s\"\n[host.§a]\nswitch = \"s\"\ncount = 2\n",
            "two hosts 'a2'",
        ),
    ] {
        based(text, what);
    }
}

#[test]
fn addresses_that_clash_are_told() {
    for (text, what) in [
        (
            "[host.a]\nswitch = \"s\"\nip = \"10.0.0.1/24\"\n[host.b]\nswitch = \"s\"\nip = \
             §\"10.0.0.1/24\"\n",
            "that of the host 'a' too",
        ),
        (
            "[host.a]\nswitch = \"s\"\nip = §\"10.9.0.1/24\"\n",
            "outside of 10.0.0.0/24",
        ),
        (
            "[host.a]\nswitch = \"s\"\nip = §\"10.0.0.1/16\"\n",
            "write 10.0.0.1/24",
        ),
        (
            "[switch.u]\nsubnet = §\"10.1.0.0/16\"\n",
            "overlaps with 10.1.0.0/24 of 't'",
        ),
        (
            "[switch.u]\n[host.a]\ninterface = [{ switch = \"s\", ip = \"10.0.0.1/24\" }, \
             { switch = \"u\", ip = §\"10.0.0.2/16\" }]\n",
            "would not know",
        ),
        (
            "[host.a]\nswitch = \"s\"\nmac = \"02:00:00:00:00:01\"\n[host.b]\nswitch = \"s\"\n\
             mac = §\"02:00:00:00:00:01\"\n",
            "MAC address",
        ),
        (
            "[host.a]\nswitch = \"s\"\nip = \"fd00::1/64\"\nmtu = §1000\n",
            "too small for the IPv6 address",
        ),
        (
            "[switch.u]\nsubnet = \"10.2.0.0/30\"\n[host.§a]\nswitch = \"u\"\ncount = 3\n",
            "no address is free",
        ),
    ] {
        based(text, what);
    }
}

#[test]
fn routers_that_cannot_be_are_told() {
    for (text, what) in [
        (
            "[host.a]\nswitch = \"s\"\ngateway = §\"10.0.0.254\"\n",
            "no host of this lab",
        ),
        (
            "[host.a]\nswitch = \"s\"\ngateway = §\"10.9.0.254\"\n",
            "cannot reach the router",
        ),
        (
            "[host.a]\nswitch = \"s\"\ngateway = §\"10.0.0.254/24\"\n",
            "prefix length out",
        ),
        (
            "[host.a]\nswitch = \"s\"\nip = \"10.0.0.1/24\"\ngateway = §\"10.0.0.1\"\n",
            "itself",
        ),
        (
            "[host.b]\nswitch = \"s\"\nip = \"10.0.0.2/24\"\n[host.a]\nswitch = \"s\"\ngateway = \
             [\"10.0.0.2\", §\"10.0.0.2\"]\n",
            "two gateways",
        ),
        (
            "[host.b]\nswitch = \"s\"\nip = \"10.0.0.2/24\"\n[host.a]\nswitch = \"s\"\nroutes = { \
             \"fd00::/64\" = §\"10.0.0.2\" }\n",
            "mixes",
        ),
        (
            "[host.a]\nswitch = \"s\"\nroutes = { §\"0.0.0.0/0\" = \"10.0.0.2\" }\n",
            "'gateway'",
        ),
        (
            "[host.a]\nswitch = \"s\"\nroutes = { §\"10.2.0.1/16\" = \"10.0.0.2\" }\n",
            "10.2.0.0/16",
        ),
    ] {
        based(text, what);
    }
    // A router may be behind an existing interface.
    let text = "[switch.s]\nports = [\"eth0\"]\n[host.a]\nip = \"10.0.0.1/24\"\ngateway = \
                \"10.0.0.254\"\n";
    assert_eq!(problems(text), []);
}

#[test]
fn links_that_cannot_be_are_told() {
    for (text, what) in [
        ("[[link]]\nbetween = §[\"s\", \"s\"]\n", "loop"),
        ("[[link]]\nbetween = §[\"s\"]\n", "between two switches"),
        (
            "[[link]]\nbetween = [\"s\", §\"u\"]\n",
            "there is no switch 'u'",
        ),
        ("§[[link]]\nmtu = 1500\n", "'between' is missing"),
        (
            "[switch.u]\n[[link]]\nbetween = [\"s\", \"u\"]\n[[link]]\nbetween = [\"u\", \"t\"]\n\
             [[link]]\nbetween = §[\"t\", \"s\"]\n",
            "closes a loop",
        ),
        (
            "[switch.u]\nports = [\"eth1\"]\n[switch.v]\nports = [§\"eth1\"]\n",
            "an interface 'eth1'",
        ),
    ] {
        based(text, what);
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_their_order() {
    based(
        "[host.a]\nswitch = §\"u\"\nmtu = §1\n§x = 1\n[[link]]\nbetween = §[\"s\", \"s\"]\n§y = 1\n",
        "there is no switch 'u'",
    );
}

#[test]
fn addresses_are_given_in_order_and_kept() {
    let name = || "x".parse().unwrap();
    let address = |lab: &Lab, host: &str| match lab
        .things
        .iter()
        .find(|(key, _)| matches!(key, Key::Cable { host: of, .. } if of == host))
    {
        Some((_, Spec::Cable(cable))) => cable.addresses[0].to_string(),
        other => panic!("{other:?}"),
    };
    let text = "[switch.s]\nsubnet = \"10.0.0.0/24\"\n[host.b]\n[host.a]\n[host.c]\nip = \
                \"10.0.0.2/24\"\n";
    let first = read(text, name(), &Things::new()).unwrap();
    assert_eq!(address(&first, "b"), "10.0.0.1/24");
    assert_eq!(address(&first, "a"), "10.0.0.3/24");
    // One that comes before them takes nothing away from them.
    let text = text.replace("[host.b]", "[host.d]\n[host.b]");
    let second = read(&text, name(), &first.things).unwrap();
    assert_eq!(address(&second, "b"), "10.0.0.1/24");
    assert_eq!(address(&second, "a"), "10.0.0.3/24");
    assert_eq!(address(&second, "d"), "10.0.0.4/24");
}

#[test]
fn a_file_without_a_name_is_called_after_itself() {
    assert_eq!(
        name_in("", Some("f".parse().unwrap())).unwrap().as_str(),
        "f"
    );
    let text = "[lab]\nname = \"l\"";
    assert_eq!(
        name_in(text, Some("f".parse().unwrap())).unwrap().as_str(),
        "l"
    );
    assert!(name_in("", None).is_err());
}
