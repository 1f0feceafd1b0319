//! One thing that was found.

use serde::Serialize;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something will be slower, or missing, or not what one expects.
    Warning,
    /// Switches or labs do not work.
    Problem,
}

impl Grade {
    /// All of them, the worst first.
    pub(crate) const WORST_FIRST: [Self; 4] = [Self::Problem, Self::Warning, Self::Note, Self::Ok];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Area {
    /// What this process may do.
    Rights,
    /// What the kernel can do.
    Kernel,
    /// Settings of the network.
    Network,
    /// How many ports there can be.
    Limits,
    /// Where things are kept.
    Directories,
    /// What earlier runs have left.
    Leftovers,
    /// The ports of the switches that run.
    Ports,
}

impl Area {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rights => "rights",
            Self::Kernel => "kernel",
            Self::Network => "network",
            Self::Limits => "limits",
            Self::Directories => "directories",
            Self::Leftovers => "leftovers",
            Self::Ports => "ports",
        }
    }
}

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What it is about.
    pub(crate) area: Area,
    /// What was looked at.
    pub(crate) check: &'static str,
    /// How much it matters.
    pub(crate) grade: Grade,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it; null where there is nothing to do.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    /// A finding without a remedy.
    pub(crate) fn new(
        area: Area,
        check: &'static str,
        grade: Grade,
        found: impl Into<String>,
    ) -> Self {
        Self {
            area,
            check,
            grade,
            found: found.into(),
            remedy: None,
        }
    }

    /// The same with what to do about it.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
