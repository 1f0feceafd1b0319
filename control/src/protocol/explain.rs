//! What a switch would do with a frame: its parameters and its result.

use serde::{Deserialize, Serialize};

/// A frame that has not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainParams {
    /// The port that it would come in by, or the namespace behind it.
    pub port: String,
    /// Its bytes in hexadecimal, from the destination on.
    pub frame: String,
    /// Whether it is still to be cut into segments.
    #[serde(default)]
    pub super_frame: bool,
    /// Whether its checksum is still to be filled in.
    #[serde(default)]
    pub checksum_unfinished: bool,
}

/// What would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The port that it would come in by.
    pub port: String,
    /// The namespace behind that.
    pub namespace: Option<String>,
    /// What it says of itself.
    pub frame: HeaderView,
    /// What happens, one after the other, up to where it ends.
    pub steps: Vec<StepView>,
    /// What its source is to the table; none where it is not let in.
    pub source: Option<SourceView>,
    /// What its destination is to the table; none where it is not let in.
    pub destination: Option<DestinationView>,
    /// `forward`, `flood` or `drop`.
    pub verdict: String,
    /// Why it is dropped.
    pub reason: Option<String>,
    /// Where it leaves.
    pub egress: Vec<EgressView>,
}

/// The header of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderView {
    /// Bytes.
    pub length: u64,
    /// The source; none in a runt.
    pub src: Option<String>,
    /// The destination; none in a runt.
    pub dst: Option<String>,
    /// The VLAN in which it is handled; 0 outside any.
    pub vlan: u16,
    /// The type behind all tags; none where the frame ends before.
    pub ethertype: Option<u16>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// `port`, `length`, `source`, `destination`, `learn`, `look up` or `leave`.
    pub step: String,
    /// What happens, for people.
    pub text: String,
}

/// What a source is to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// `new`, `known`, `moves`, `held`, `static`, `not_learnt`, `no_room` or `probe`.
    pub is: String,
    /// The port that it is behind already.
    pub port: Option<String>,
    /// The address of the station that is forgotten to make room.
    pub evicts: Option<String>,
}

/// What a destination is to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationView {
    /// `group`, `unknown`, `known` or `static`.
    pub is: String,
    /// The port that it is behind.
    pub port: Option<String>,
    /// Seconds since it was last heard.
    pub age_s: Option<u64>,
}

/// A port by which the frame leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressView {
    /// Its name.
    pub port: String,
    /// `up`, `down` or `absent`.
    pub state: String,
    /// Its MTU.
    pub mtu: u64,
    /// `sent`, `dropped`, `left_out` or `blocked`.
    pub is: String,
    /// Why it is dropped.
    pub reason: Option<String>,
}
