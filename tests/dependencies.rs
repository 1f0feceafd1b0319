//! What the dependencies may be, by the rules of `deny.toml`, without a network: where they come from,
//! under which licences they are, and which of them are there twice.
//!
//! `cargo deny check` says the same and more (it asks the database of advisories), and takes five
//! minutes to build; where it is installed, `.ci/run` runs it too.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps an error fails with it, which is what is wanted"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, Licensee};

/// As much of deny.toml as is checked here; cargo-deny refuses keys that it does not know.
#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bans {
    multiple_versions: String,
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    spec: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
    allow_registry: Vec<String>,
    allow_git: Vec<String>,
}

/// What `cargo metadata` says.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// None for an ordinary one, else `dev` or `build`.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    source: Option<String>,
    checksum: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Rules {
    toml::from_str(&fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
}

/// The packages that are built on this machine (others need not have been downloaded), for the
/// program alone or also for its tests.
fn packages(with_tests: bool) -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", &host()])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    let own = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_none());
    let mut open: Vec<String> = own.map(|package| package.id.clone()).collect();
    let mut built = BTreeSet::new();
    while let Some(id) = open.pop() {
        let node = metadata.resolve.nodes.iter().find(|node| node.id == id);
        let needed = node.unwrap().deps.iter().filter(|dependency| {
            let mut kinds = dependency.dep_kinds.iter();
            with_tests || kinds.any(|kind| kind.kind.as_deref() != Some("dev"))
        });
        let needed: Vec<_> = needed.map(|dependency| dependency.pkg.clone()).collect();
        if built.insert(id) {
            open.extend(needed);
        }
    }
    let mut packages = metadata.packages;
    packages.retain(|package| built.contains(&package.id));
    assert!(packages.len() > 50, "{}", packages.len());
    packages
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}

#[test]
fn all_come_from_registries_that_are_allowed() {
    let sources = rules().sources;
    assert_eq!(
        (&*sources.unknown_registry, &*sources.unknown_git),
        ("deny", "deny")
    );
    assert!(sources.allow_git.is_empty());
    for file in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock: Lock = toml::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap();
        for package in lock.package {
            let Some(source) = &package.source else {
                continue; // of this tree
            };
            let registry = source.strip_prefix("registry+");
            assert!(
                registry.is_some_and(|from| sources.allow_registry.iter().any(|ok| ok == from)),
                "{file}: {} comes from {source}",
                package.name
            );
            assert!(
                package.checksum.is_some(),
                "{file}: {} has no checksum",
                package.name
            );
        }
    }
}

#[test]
fn all_are_under_licences_that_are_allowed() {
    let allowed = rules().licenses.allow;
    let allowed: Vec<_> = allowed
        .iter()
        .map(|name| Licensee::parse(name).unwrap())
        .collect();
    for package in packages(true) {
        let Some(licence) = &package.license else {
            panic!("{} {} has no licence", package.name, package.version);
        };
        // Before SPDX expressions, crates wrote `A/B`.
        let expression = Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{}: {licence}: {error}", package.name));
        let is_allowed =
            expression.evaluate(|wanted| allowed.iter().any(|has| has.satisfies(wanted)));
        assert!(is_allowed, "{} is under {licence}", package.name);
    }
}

#[test]
fn none_is_there_twice_but_where_it_is_said_why() {
    let bans = rules().bans;
    assert_eq!(bans.multiple_versions, "deny");
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // As cargo-deny has it, what tests need may be there twice.
    for package in packages(false) {
        assert!(package.source.is_some() || package.name.starts_with("vswitch"));
        versions
            .entry(package.name)
            .or_default()
            .insert(package.version);
    }
    let is_skipped = |name: &str, version: &str| {
        bans.skip
            .iter()
            .any(|skip| match skip.spec.split_once('@') {
                Some((of, begin)) => {
                    let rest = version.strip_prefix(begin);
                    of == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                }
                None => skip.spec == name,
            })
    };
    for (name, mut versions) in versions {
        versions.retain(|version| !is_skipped(&name, version));
        assert!(versions.len() <= 1, "{name} is there as {versions:?}");
    }
}
