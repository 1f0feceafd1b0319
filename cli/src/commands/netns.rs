//! `vswitch netns`: named network namespaces.

use std::fs;
use std::path::Path;

use serde::Serialize;
use vswitch_netns::namespace::{NETNS_DIR, Namespace, NamespaceEntry, NamespaceError};

use crate::args::NetnsAction;
use crate::render;
use vswitch_control::rights;

/// A namespace as `--json` has it.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    stale: bool,
    /// What it leads to, if it is a symbolic link.
    link: Option<String>,
}

impl<'a> From<&'a NamespaceEntry> for Entry<'a> {
    fn from(entry: &'a NamespaceEntry) -> Self {
        Self {
            name: &entry.name,
            stale: entry.stale,
            link: fs::read_link(Path::new(NETNS_DIR).join(&entry.name))
                .ok()
                .map(|target| target.to_string_lossy().into_owned()),
        }
    }
}

pub(crate) fn run(action: NetnsAction) -> anyhow::Result<()> {
    match action {
        NetnsAction::Add(args) => {
            rights::require("create a network namespace", rights::NAMESPACE)?;
            // Nothing is created unless all of them can be, as far as can be known before.
            if let Some(name) = args.names.iter().find(|n| Namespace::exists(n.as_str())) {
                let name = name.to_string();
                return Err(NamespaceError::Exists { name }.into());
            }
            for name in &args.names {
                Namespace::create(name.as_str())?;
            }
        }
        NetnsAction::Del(args) => {
            rights::require("delete a network namespace", rights::NAMESPACE)?;
            if let Some(name) = args.names.iter().find(|n| !Namespace::exists(n.as_str())) {
                let name = name.to_string();
                return Err(NamespaceError::NotFound { name }.into());
            }
            for name in &args.names {
                Namespace::delete(name.as_str())?;
            }
        }
        NetnsAction::List(args) => list(args.json)?,
    }
    Ok(())
}

fn list(json: bool) -> anyhow::Result<()> {
    let namespaces = Namespace::list()?;
    if json {
        let entries: Vec<Entry<'_>> = namespaces.iter().map(Entry::from).collect();
        render::print_json(&entries)?;
        return Ok(());
    }
    let mut lines = String::new();
    for entry in &namespaces {
        lines.push_str(&vswitch_control::plain::text(&entry.name));
        lines.push_str(if entry.stale { " (stale)\n" } else { "\n" });
    }
    render::print(&lines)?;
    Ok(())
}
