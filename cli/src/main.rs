//! The `vswitch` program.

fn main() {}
