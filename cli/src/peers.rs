//! Where the other ends of cables are: in which namespace, and under which name.

use std::collections::BTreeMap;

use vswitch_netns::{Link, Namespace, Netlink};

/// The other end of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its name; none if it is in a namespace that cannot be looked into.
    pub(crate) name: Option<String>,
    /// Its index in its namespace.
    pub(crate) index: u32,
    /// Where it is.
    pub(crate) home: Home,
}

/// Where the other end of a cable is, seen from this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In the same namespace.
    Same,
    /// In the namespace of this name.
    Named(String),
    /// In the one without a name that the machine, or this program, runs in.
    Default,
    /// In one that has no name.
    Unknown,
}

/// The namespaces that links of one namespace lead to, by the numbers that it has for them.
pub(crate) struct Peers {
    known: BTreeMap<i32, (Home, BTreeMap<u32, String>)>,
}

impl Peers {
    /// Looks into all namespaces that `links`, of the socket's namespace, lead to. What cannot be
    /// looked into stays unknown.
    pub(crate) fn of(netlink: &mut Netlink, links: &[Link]) -> Self {
        let mut known = BTreeMap::new();
        let leads_out = |link: &Link| link.peer_namespace_id.is_some();
        if links.iter().any(leads_out) {
            for (home, namespace) in candidates() {
                if let Ok(Some(id)) = netlink.namespace_id(&namespace) {
                    known
                        .entry(id)
                        .or_insert_with(|| (home, names_in(&namespace)));
                }
            }
        }
        Self { known }
    }

    /// The other end of `link`, which is one of `links`; none if it has none.
    pub(crate) fn find(&self, link: &Link, links: &[Link]) -> Option<Peer> {
        let index = link.peer_index?;
        let (name, home) = match link.peer_namespace_id {
            None => {
                let peer = links.iter().find(|other| other.index == index);
                (peer.map(|peer| peer.name.clone()), Home::Same)
            }
            Some(id) => match self.known.get(&id) {
                Some((home, names)) => (names.get(&index).cloned(), home.clone()),
                None => (None, Home::Unknown),
            },
        };
        Some(Peer { name, index, home })
    }
}

/// Where the other ends may be: the named namespaces first.
fn candidates() -> impl Iterator<Item = (Home, Namespace)> {
    let named = Namespace::list().unwrap_or_default().into_iter();
    let named = named.filter(|entry| !entry.stale).filter_map(|entry| {
        let namespace = Namespace::open(&entry.name).ok()?;
        Some((Home::Named(entry.name), namespace))
    });
    let unnamed = [Namespace::current(), Namespace::of_process(1)].into_iter();
    named.chain(
        unnamed
            .flatten()
            .map(|namespace| (Home::Default, namespace)),
    )
}

fn names_in(namespace: &Namespace) -> BTreeMap<u32, String> {
    let links = Netlink::open_in(namespace).map(|mut netlink| netlink.links());
    let Ok(Ok(links)) = links else {
        return BTreeMap::new();
    };
    let named = links.into_iter().map(|link| (link.index, link.name));
    named.collect()
}
