//! `vswitch route`: routes of the main table.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Serialize;
use vswitch_netns::{Route, RouteEntry};

use super::WrongUsage;
use crate::args::{Family, Inside, RouteAction, RouteArgs, RouteFilter, WantedRoute};
use crate::place::Place;
use crate::render;

/// A route as `--json` has it: the field names of `ip -j route`.
#[derive(Serialize)]
struct Entry<'a> {
    dst: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<&'a str>,
    protocol: String,
    family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefsrc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<u32>,
    flags: Vec<&'static str>,
}

impl<'a> From<&'a (RouteEntry, Option<String>)> for Entry<'a> {
    fn from((entry, dev): &'a (RouteEntry, Option<String>)) -> Self {
        let route = &entry.route;
        Self {
            dst: match route.destination.prefix_len() {
                0 => "default".to_owned(),
                _ => route.destination.to_string(),
            },
            gateway: route.gateway.map(|gateway| gateway.to_string()),
            dev: dev.as_deref(),
            protocol: entry.origin.to_string(),
            family: match route.destination {
                IpNet::V4(_) => "inet",
                IpNet::V6(_) => "inet6",
            },
            prefsrc: route.source.map(|source| source.to_string()),
            metric: route.metric,
            flags: if entry.link_down {
                vec!["linkdown"]
            } else {
                Vec::new()
            },
        }
    }
}

pub(crate) fn run(args: RouteArgs) -> anyhow::Result<()> {
    match args.action {
        None => show(
            &args.inside,
            &args.family,
            &RouteFilter::default(),
            args.json,
        ),
        Some(RouteAction::Show(args)) => {
            let (inside, family, json) = (args.inside.clone(), args.family.clone(), args.json);
            let filter = args.resolve().map_err(WrongUsage)?;
            show(&inside, &family, &filter, json)
        }
        Some(RouteAction::Add(args)) => {
            let inside = args.what.inside.clone();
            let wanted = args.what.resolve("route add").map_err(WrongUsage)?;
            let (mut place, route) = prepare(&inside, &wanted)?;
            Ok(place.netlink.add_route(&route)?)
        }
        Some(RouteAction::Replace(args)) => {
            let inside = args.what.inside.clone();
            let wanted = args.what.resolve("route replace").map_err(WrongUsage)?;
            let (mut place, route) = prepare(&inside, &wanted)?;
            Ok(place.netlink.replace_route(&route)?)
        }
        Some(RouteAction::Del(args)) => {
            let inside = args.what.inside.clone();
            let wanted = args.what.resolve("route del").map_err(WrongUsage)?;
            let (mut place, route) = prepare(&inside, &wanted)?;
            Ok(place.netlink.delete_route(&route)?)
        }
    }
}

/// The route, with the index of its interface.
fn prepare(inside: &Inside, wanted: &WantedRoute) -> anyhow::Result<(Place, Route)> {
    let mut place = Place::open_to("change a route", inside.namespace.as_ref())?;
    let device = match &wanted.device {
        Some(name) => Some(place.link(name)?),
        None => None,
    };
    let mut route = match (wanted.gateway, &device) {
        (Some(gateway), _) => Route::via(wanted.destination, gateway),
        (None, Some(link)) => Route::on_link(wanted.destination, link),
        (None, None) => Route::to(wanted.destination),
    };
    if let Some(link) = &device {
        route = route.through(link);
    }
    if let Some(metric) = wanted.metric {
        route = route.metric(metric);
    }
    if let Some(source) = wanted.source {
        route = route.source(source);
    }
    Ok((place, route))
}

fn show(inside: &Inside, family: &Family, filter: &RouteFilter, json: bool) -> anyhow::Result<()> {
    let mut place = Place::open(inside.namespace.as_ref())?;
    let device = match &filter.device {
        Some(name) => Some(place.link(name)?.index),
        None => None,
    };
    let links = place.netlink.links()?.into_iter();
    let names: BTreeMap<u32, String> = links.map(|link| (link.index, link.name)).collect();
    let mut entries = place.netlink.route_entries()?;
    entries.retain(|entry| {
        let route = &entry.route;
        family.takes(&route.destination)
            && (device.is_none() || route.link_index == device)
            && (filter.gateway.is_none() || route.gateway == filter.gateway)
            && filter
                .destination
                .is_none_or(|wanted| wanted.is(&route.destination))
    });
    let named = entries.into_iter().map(|entry| {
        let index = entry.route.link_index;
        let name = index.map(|index| {
            let name = names.get(&index).cloned();
            name.unwrap_or_else(|| format!("if{index}"))
        });
        (entry, name)
    });
    let named: Vec<_> = named.collect();
    if json {
        let entries: Vec<Entry<'_>> = named.iter().map(Entry::from).collect();
        render::print_json(&entries)?;
    } else {
        render::print(&render::routes(&named))?;
    }
    Ok(())
}
