//! `vswitch bench`: between two attached namespaces.

mod pair;
mod progress;

pub(crate) use pair::run;
