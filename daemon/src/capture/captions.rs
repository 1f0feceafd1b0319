//! What is behind each port, for whoever describes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The namespace behind a port, by the port's name. Clones share what is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captions(Arc<Mutex<HashMap<String, String>>>);

impl Captions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes it; before the port is plugged in, so that nobody asks too early.
    pub(crate) fn set(&self, port: &str, namespace: Option<&str>) {
        let mut known = self.lock();
        match namespace {
            Some(namespace) => known.insert(port.to_owned(), namespace.to_owned()),
            None => known.remove(port),
        };
    }

    /// The namespace behind the port.
    pub(crate) fn get(&self, port: &str) -> Option<String> {
        self.lock().get(port).cloned()
    }
}
