//! The machine on which something was measured.

use std::fs;
use std::thread;

use serde::Serialize;

/// What has to be told with every figure.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    kernel: String,
    cpu: String,
    cores: usize,
}

impl Machine {
    pub(super) fn this() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: model(&text("/proc/cpuinfo")),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let plural = if self.cores == 1 { "" } else { "s" };
        let Self { kernel, cpu, cores } = self;
        format!("Linux {kernel}, {cpu}, {cores} core{plural}")
    }
}

/// The model of the first processor (`/proc/cpuinfo` of x86; others name it otherwise, or not).
fn model(text: &str) -> String {
    let keys = ["model name", "Model", "cpu model", "cpu"];
    let value = |key| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .find(|value| !value.is_empty())
    };
    let found = keys.into_iter().find_map(value);
    found.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_named_or_at_least_its_kind() {
        let x86 = "processor\t: 0\nmodel name\t: Some  CPU @ 2.00GHz\n\nprocessor\t: 1\n";
        assert_eq!(model(x86), "Some CPU @ 2.00GHz");
        assert_eq!(model("processor\t: 0\n"), std::env::consts::ARCH);
    }

    #[test]
    fn a_machine_is_one_line() {
        let line = Machine::this().line();
        assert!(line.starts_with("Linux ") && !line.contains('\n'), "{line}");
    }
}
