//! Settings of the network that are felt in labs.

use crate::doctor::{Area, Finding, Grade, Machine};

/// As many frames may wait for a processor (`net.core.netdev_max_backlog`), as kernels come.
const COMMON_BACKLOG: u64 = 1_000;
/// The receive buffer with which a burst for a port of an ordinary user is not lost.
const ROOMY_BUFFER: u64 = 4 * 1024 * 1024;
/// The neighbours of all namespaces together, as kernels come.
const COMMON_NEIGHBOURS: u64 = 1_024;

pub(in crate::doctor) fn all(machine: &Machine) -> Vec<Finding> {
    let checks = [
        reverse_path,
        backlog,
        receive_buffer,
        neighbours,
        congestion_control,
    ];
    let mut findings = vec![bridge_filter(machine)];
    findings.extend(checks.iter().filter_map(|check| check(machine)));
    findings.push(ipv6(machine));
    findings
}

fn finding(check: &'static str, grade: Grade, found: impl Into<String>) -> Finding {
    Finding::new(Area::Network, check, grade, found)
}

fn bridge_filter(machine: &Machine) -> Finding {
    const CHECK: &str = "br_netfilter";
    let families = ["iptables", "ip6tables", "arptables"];
    let is_on =
        |family: &&str| machine.number(&format!("net.bridge.bridge-nf-call-{family}")) == Some(1);
    if !families.iter().any(is_on) {
        return finding(CHECK, Grade::Ok, "nothing filters bridged frames");
    }
    let found = "iptables filters what Linux bridges forward (Docker's, for example); it does not \
                 filter what vswitch forwards";
    finding(CHECK, Grade::Note, found).remedy(
        "only if a Linux bridge drops frames: 'sysctl -w net.bridge.bridge-nf-call-iptables=0'",
    )
}

fn reverse_path(machine: &Machine) -> Option<Finding> {
    const CHECK: &str = "rp_filter";
    let all = machine.number("net.ipv4.conf.all.rp_filter")?;
    let default = machine.number("net.ipv4.conf.default.rp_filter")?;
    // The greater of the two is in force for an interface that is made now (ip-sysctl.rst).
    if all.max(default) != 1 {
        return Some(finding(CHECK, Grade::Ok, "not strict"));
    }
    let found = "strict: a host on two switches drops packets that arrive at another interface than \
                 the one it would answer through; namespaces inherit it";
    Some(
        finding(CHECK, Grade::Note, found)
            .remedy("for such hosts: 'vswitch exec NS -- sysctl -w net.ipv4.conf.all.rp_filter=2'"),
    )
}

fn backlog(machine: &Machine) -> Option<Finding> {
    const CHECK: &str = "backlog";
    let frames = machine.number("net.core.netdev_max_backlog")?;
    if frames >= COMMON_BACKLOG {
        let found = format!("{frames} frames can wait for a processor");
        return Some(finding(CHECK, Grade::Ok, found));
    }
    let found = format!("only {frames} frames can wait for a processor: bursts will be lost");
    Some(
        finding(CHECK, Grade::Warning, found)
            .remedy("'sysctl -w net.core.netdev_max_backlog=1000' as root"),
    )
}

/// What holds for a process without `CAP_NET_ADMIN` in the first user namespace; root is above it.
fn receive_buffer(machine: &Machine) -> Option<Finding> {
    const CHECK: &str = "receive buffers";
    let bytes = machine.number("net.core.rmem_max")?;
    if machine.may_make_labs() || bytes >= ROOMY_BUFFER {
        return None;
    }
    let found = format!(
        "{} KiB at most for an ordinary user (net.core.rmem_max): bursts of large frames may be \
         lost, which are not lost for root",
        bytes / 1024
    );
    Some(finding(CHECK, Grade::Note, found).remedy(format!(
        "'sysctl -w net.core.rmem_max={ROOMY_BUFFER}' as root"
    )))
}

/// The tables of neighbours have one limit for all namespaces together (`neigh_alloc` in
/// net/core/neighbour.c counts them by the table, not by the namespace).
fn neighbours(machine: &Machine) -> Option<Finding> {
    const CHECK: &str = "neighbour tables";
    let most = machine.number("net.ipv4.neigh.default.gc_thresh3")?;
    if most > COMMON_NEIGHBOURS {
        let found = format!("room for {most} neighbours in all namespaces together");
        return Some(finding(CHECK, Grade::Ok, found));
    }
    let found = format!(
        "room for {most} neighbours in all namespaces together: in a lab in which more than {} hosts \
         all communicate with each other, some may not be found",
        // Each of n hosts has n - 1 neighbours.
        most.isqrt()
    );
    Some(finding(CHECK, Grade::Note, found).remedy(
        "for large labs: 'sysctl -w net.ipv4.neigh.default.gc_thresh3=1000000' as root, and the \
         same of net.ipv6",
    ))
}

fn congestion_control(machine: &Machine) -> Option<Finding> {
    const CHECK: &str = "TCP congestion control";
    let name = machine.sysctl("net.ipv4.tcp_congestion_control")?;
    if !name.starts_with("bbr") {
        return Some(finding(CHECK, Grade::Ok, name));
    }
    let found =
        format!("{name} paces its segments: TCP inside one machine is slower than it could be");
    Some(finding(CHECK, Grade::Note, found).remedy(
        "to measure: 'vswitch exec --all -- sysctl -w net.ipv4.tcp_congestion_control=cubic'",
    ))
}

fn ipv6(machine: &Machine) -> Finding {
    const CHECK: &str = "IPv6";
    if !machine.has("/proc/sys/net/ipv6") {
        let found = "this kernel has no IPv6: labs are IPv4 only";
        return finding(CHECK, Grade::Note, found)
            .remedy("boot without ipv6.disable=1, or with a kernel that has it, if you want it");
    }
    let off =
        |which: &str| machine.number(&format!("net.ipv6.conf.{which}.disable_ipv6")) == Some(1);
    if !off("all") && !off("default") {
        return finding(CHECK, Grade::Ok, "there");
    }
    let found = "switched off here; whether it is in new namespaces too depends on \
                 net.core.devconf_inherit_init_net";
    finding(CHECK, Grade::Note, found).remedy(
        "inside a namespace: 'vswitch exec NS -- sysctl -w net.ipv6.conf.all.disable_ipv6=0'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::the;
    use crate::doctor::machine::made_up::{ALL_RIGHTS, NO_RIGHTS, with};

    /// The grade of a check on a machine where the setting has this value.
    fn grade(check: &str, setting: &str, value: &str) -> Grade {
        let path = format!("/proc/sys/{}", setting.replace('.', "/"));
        let (_dir, machine) = with(&[NO_RIGHTS, (&path, value)]);
        the(&all(&machine), check).grade
    }

    #[test]
    fn a_machine_as_kernels_come_has_nothing_to_warn_of() {
        let (_dir, machine) = with(&[
            ALL_RIGHTS,
            ("/proc/sys/net/core/netdev_max_backlog", "1000\n"),
            ("/proc/sys/net/core/rmem_max", "212992\n"),
            ("/proc/sys/net/ipv4/conf/all/rp_filter", "0\n"),
            ("/proc/sys/net/ipv4/conf/default/rp_filter", "0\n"),
            ("/proc/sys/net/ipv4/tcp_congestion_control", "cubic\n"),
            ("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0\n"),
        ]);
        let found = all(&machine);
        assert!(found.iter().all(|f| f.grade == Grade::Ok), "{found:#?}");
        // Root is above that limit.
        assert!(found.iter().all(|f| f.check != "receive buffers"));
    }

    #[test]
    fn what_is_unusual_is_told() {
        for (check, setting, value, expected) in [
            (
                "br_netfilter",
                "net.bridge.bridge-nf-call-iptables",
                "1",
                Grade::Note,
            ),
            (
                "br_netfilter",
                "net.bridge.bridge-nf-call-iptables",
                "0",
                Grade::Ok,
            ),
            (
                "backlog",
                "net.core.netdev_max_backlog",
                "10",
                Grade::Warning,
            ),
            (
                "receive buffers",
                "net.core.rmem_max",
                "212992",
                Grade::Note,
            ),
            (
                "neighbour tables",
                "net.ipv4.neigh.default.gc_thresh3",
                "1024",
                Grade::Note,
            ),
            (
                "neighbour tables",
                "net.ipv4.neigh.default.gc_thresh3",
                "8192",
                Grade::Ok,
            ),
            (
                "TCP congestion control",
                "net.ipv4.tcp_congestion_control",
                "bbr",
                Grade::Note,
            ),
            ("IPv6", "net.ipv6.conf.all.disable_ipv6", "1", Grade::Note),
            ("IPv6", "net.ipv4.ip_forward", "1", Grade::Note),
        ] {
            assert_eq!(grade(check, setting, value), expected, "{setting}={value}");
        }
    }

    #[test]
    fn the_stricter_setting_of_reverse_paths_counts() {
        let told = |all_value: &str, default: &str| {
            let (_dir, machine) = with(&[
                ("/proc/sys/net/ipv4/conf/all/rp_filter", all_value),
                ("/proc/sys/net/ipv4/conf/default/rp_filter", default),
            ]);
            the(&all(&machine), "rp_filter").grade
        };
        assert_eq!(told("0", "1"), Grade::Note);
        assert_eq!(told("1", "0"), Grade::Note);
        assert_eq!(told("2", "1"), Grade::Ok);
    }
}
