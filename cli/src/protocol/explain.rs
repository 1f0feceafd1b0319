//! What a switch would do with a frame: its parameters and its result.

use serde::{Deserialize, Serialize};

/// A frame that has not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainParams {
    /// The port that it would come in by, or the namespace behind it.
    pub(crate) port: String,
    /// Its bytes in hexadecimal, from the destination on.
    pub(crate) frame: String,
    /// Whether it is still to be cut into segments.
    #[serde(default)]
    pub(crate) super_frame: bool,
    /// Whether its checksum is still to be filled in.
    #[serde(default)]
    pub(crate) checksum_unfinished: bool,
}

/// What would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExplainView {
    /// The port that it would come in by.
    pub(crate) port: String,
    /// The namespace behind that.
    pub(crate) namespace: Option<String>,
    /// What it says of itself.
    pub(crate) frame: HeaderView,
    /// What happens, one after the other, up to where it ends.
    pub(crate) steps: Vec<StepView>,
    /// What its source is to the table; none where it is not let in.
    pub(crate) source: Option<SourceView>,
    /// What its destination is to the table; none where it is not let in.
    pub(crate) destination: Option<DestinationView>,
    /// `forward`, `flood` or `drop`.
    pub(crate) verdict: String,
    /// Why it is dropped.
    pub(crate) reason: Option<String>,
    /// Where it leaves.
    pub(crate) egress: Vec<EgressView>,
}

/// The header of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeaderView {
    /// Bytes.
    pub(crate) length: u64,
    /// The source; none in a runt.
    pub(crate) src: Option<String>,
    /// The destination; none in a runt.
    pub(crate) dst: Option<String>,
    /// The VLAN in which it is handled; 0 outside any.
    pub(crate) vlan: u16,
    /// The type behind all tags; none where the frame ends before.
    pub(crate) ethertype: Option<u16>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepView {
    /// `port`, `length`, `source`, `destination`, `learn`, `look up` or `leave`.
    pub(crate) step: String,
    /// What happens, for people.
    pub(crate) text: String,
}

/// What a source is to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceView {
    /// `new`, `known`, `moves`, `held`, `static`, `not_learnt`, `no_room` or `probe`.
    pub(crate) is: String,
    /// The port that it is behind already.
    pub(crate) port: Option<String>,
    /// The address of the station that is forgotten to make room.
    pub(crate) evicts: Option<String>,
}

/// What a destination is to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DestinationView {
    /// `group`, `unknown`, `known` or `static`.
    pub(crate) is: String,
    /// The port that it is behind.
    pub(crate) port: Option<String>,
    /// Seconds since it was last heard.
    pub(crate) age_s: Option<u64>,
}

/// A port by which the frame leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EgressView {
    /// Its name.
    pub(crate) port: String,
    /// `up`, `down` or `absent`.
    pub(crate) state: String,
    /// Its MTU.
    pub(crate) mtu: u64,
    /// `sent`, `dropped`, `left_out` or `blocked`.
    pub(crate) is: String,
    /// Why it is dropped.
    pub(crate) reason: Option<String>,
}
