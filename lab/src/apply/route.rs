//! Routes inside hosts.

use std::net::IpAddr;

use anyhow::Context;
use ipnet::IpNet;
use vswitch_netns::{Netlink, Route, RouteError};

use super::Worker;
use crate::thing::is_link_local;

impl Worker<'_> {
    pub(super) fn make_route(&self, host: &str, to: IpNet, via: IpAddr) -> anyhow::Result<()> {
        let (_, mut netlink) = self.open_host(host)?;
        let route = route(&mut netlink, to, via)?;
        match netlink.add_route(&route) {
            Err(RouteError::Exists { .. }) if has(&mut netlink, to, via)? => Ok(()),
            other => other.with_context(|| format!("the host '{host}'")),
        }
    }

    pub(super) fn remove_route(&self, host: &str, to: IpNet, via: IpAddr) -> anyhow::Result<()> {
        let Some((_, mut netlink)) = self.find_host(host) else {
            return Ok(());
        };
        if !has(&mut netlink, to, via)? {
            return Ok(());
        }
        let route = route(&mut netlink, to, via)?;
        match netlink.delete_route(&route) {
            // The kernel drops it with the address that it needs.
            Err(RouteError::NotFound { .. }) => Ok(()),
            other => other.with_context(|| format!("the host '{host}'")),
        }
    }
}

fn has(netlink: &mut Netlink, to: IpNet, via: IpAddr) -> anyhow::Result<bool> {
    let routes = netlink.routes()?;
    let mut routes = routes.iter();
    Ok(routes.any(|route| route.destination == to && route.gateway == Some(via)))
}

/// The route; a link-local router is at the only interface that there is.
fn route(netlink: &mut Netlink, to: IpNet, via: IpAddr) -> anyhow::Result<Route> {
    let route = Route::via(to, via);
    if !is_link_local(via) {
        return Ok(route);
    }
    let links = netlink.links()?;
    let only = links.iter().find(|link| link.is_ethernet());
    Ok(only.map_or(route.clone(), |link| route.through(link)))
}
