//! Settings inside hosts.

use anyhow::Context;

use super::Worker;
use crate::observe::{is_of_missing_ipv6, read_sysctl, write_sysctl};
use crate::record::Proof;
use crate::thing::{Key, Spec, dotted};

impl Worker<'_> {
    pub(super) fn make_sysctl(
        &self,
        key: &Key,
        host: &str,
        path: &str,
        value: &str,
    ) -> anyhow::Result<()> {
        let (namespace, _) = self.open_host(host)?;
        let _inside = namespace.enter()?;
        let former = read_sysctl(path).ok();
        let proof = Proof::Former(former.filter(|former| !former.is_empty()));
        let spec = Spec::Sysctl {
            value: value.to_owned(),
        };
        self.doer.making(key, &spec, proof)?;
        write(host, path, value)
    }

    pub(super) fn change_sysctl(&self, host: &str, path: &str, value: &str) -> anyhow::Result<()> {
        let (namespace, _) = self.open_host(host)?;
        let _inside = namespace.enter()?;
        write(host, path, value)
    }

    /// Gives a setting back as it was.
    pub(super) fn remove_sysctl(&self, key: &Key, host: &str, path: &str) -> anyhow::Result<()> {
        let Some((namespace, _)) = self.find_host(host) else {
            return Ok(());
        };
        let Some(Proof::Former(Some(former))) = self.doer.noted(key).map(|noted| noted.proof)
        else {
            return Ok(());
        };
        let _inside = namespace.enter()?;
        match write_sysctl(path, &former) {
            // That of an interface which is gone.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => Ok(other?),
        }
    }
}

fn write(host: &str, path: &str, value: &str) -> anyhow::Result<()> {
    match write_sysctl(path, value) {
        // The router of an IPv4 world.
        Err(_) if is_of_missing_ipv6(path) => Ok(()),
        other => other.with_context(|| {
            format!(
                "cannot set {} to {value:?} in the host '{host}'",
                dotted(path)
            )
        }),
    }
}
