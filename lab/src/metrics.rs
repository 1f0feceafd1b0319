//! The sockets on which the switches of a lab serve metrics.
//!
//! Such a socket stays in the network namespace where it is bound. An ordinary user's switches run in a
//! lab of their own, where nobody outside could reach it; so it is bound before the process moves
//! there. Everywhere else it is bound when its switch is started.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::parse::parse;
use vswitch_control::metrics::{Address, Listener, MetricsError};
use vswitch_control::rights;

/// Sockets that were bound before their switches are started, or why they could not be.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<BTreeMap<String, Result<Listener, MetricsError>>>);

impl Sockets {
    /// Those of the switches in this lab file, as far as they have to be bound here. One that could not
    /// be is no failure yet: its switch may run already and serve there.
    pub fn bind(file: &Path) -> Self {
        if rights::are_held(rights::ATTACH) {
            return Self::default();
        }
        // A pipe can be read once, and what is wrong with a file is told when it is needed.
        let is_file = fs::metadata(file).is_ok_and(|found| found.is_file());
        let text = is_file.then(|| fs::read_to_string(file).ok()).flatten();
        let switches = parse(&text.unwrap_or_default()).0.switch.0;
        let bound = switches.into_iter().filter_map(|(name, section)| {
            let address = section.settings.metrics?;
            matches!(address, Address::Tcp(_))
                .then(|| (name.0.to_string(), Listener::bind(&address)))
        });
        Self(Mutex::new(bound.collect()))
    }

    /// The socket of a switch that is to be started, if it is to serve metrics.
    ///
    /// # Errors
    /// Where it cannot be bound.
    pub(super) fn take(
        &self,
        switch: &str,
        address: Option<&Address>,
    ) -> Result<Option<Listener>, MetricsError> {
        let Some(address) = address else {
            return Ok(None);
        };
        let mut bound = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = bound.remove(switch);
        bound.unwrap_or_else(|| Listener::bind(address)).map(Some)
    }
}
