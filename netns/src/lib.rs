//! Network namespaces, veth pairs, addresses and routes by netlink.
