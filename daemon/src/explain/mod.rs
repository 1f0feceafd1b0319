//! What the switch makes of a frame, in words and for machines.

mod short;
mod steps;

use std::collections::HashMap;

use vswitch_switch::bridge::{Destination, PortId, Source, Verdict};
use vswitch_switch::datapath::{Egress, Explanation, Leaving};
use vswitch_switch::frame::{EthernetFrame, Offload};

use vswitch_control::protocol::{
    DestinationView, EgressView, ErrorCode, ErrorObject, ExplainParams, ExplainView, HeaderView,
    PortView, SourceView,
};

pub(crate) use short::in_short;

/// The longest frame that is explained.
const LONGEST: usize = 262_144;

/// The names of ports, by their numbers.
struct Names(HashMap<PortId, String>);

impl Names {
    fn of(ports: &[PortView]) -> Self {
        let named = ports
            .iter()
            .map(|port| (PortId(port.id), port.name.clone()));
        Self(named.collect())
    }

    /// A port that was unplugged a moment ago has taken its name along.
    fn name(&self, port: PortId) -> String {
        let known = self.0.get(&port).cloned();
        known.unwrap_or_else(|| format!("port {port}"))
    }
}

/// The bytes and the offload of the frame that is meant.
///
/// # Errors
/// Where it is no frame.
pub(crate) fn frame(params: &ExplainParams) -> Result<(Vec<u8>, Offload), ErrorObject> {
    let wrong = |sentence: String| ErrorObject::new(ErrorCode::InvalidParams, sentence);
    let bytes = vswitch_control::values::hex(&params.frame).map_err(wrong)?;
    if bytes.len() > LONGEST {
        return Err(wrong(format!(
            "the frame has {} bytes: the longest that is explained has {LONGEST}",
            bytes.len()
        )));
    }
    let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    let offload = Offload {
        flags: bit(params.checksum_unfinished, Offload::NEEDS_CSUM),
        gso_type: bit(params.super_frame, Offload::GSO_TCP_V4),
        ..Offload::NONE
    };
    Ok((bytes, offload))
}

/// All that is told of a frame that would come in by the port of this name.
pub(crate) fn view(
    port: &str,
    ports: &[PortView],
    bytes: &[u8],
    explanation: &Explanation,
) -> ExplainView {
    let names = Names::of(ports);
    let passed = explanation.decision.passed.as_ref();
    let ingress = ports.iter().find(|known| known.name == port);
    let (verdict, reason) = match explanation.decision.verdict {
        Verdict::Forward(_) => ("forward", None),
        Verdict::Flood => ("flood", None),
        Verdict::Drop(reason) => ("drop", Some(reason.as_str().to_owned())),
    };
    ExplainView {
        port: port.to_owned(),
        namespace: ingress.and_then(|port| port.namespace.clone()),
        frame: header(bytes),
        steps: steps::steps(port, bytes, explanation, &names),
        source: passed.map(|passed| source(&passed.source, &names)),
        destination: passed.map(|passed| destination(&passed.destination, &names)),
        verdict: verdict.to_owned(),
        reason,
        egress: explanation.egress.iter().map(egress).collect(),
    }
}

fn header(bytes: &[u8]) -> HeaderView {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let Ok(frame) = EthernetFrame::new_checked(bytes) else {
        return HeaderView {
            length,
            ..HeaderView::default()
        };
    };
    HeaderView {
        length,
        src: Some(frame.src().to_string()),
        dst: Some(frame.dst().to_string()),
        vlan: frame.vlan().get(),
        ethertype: frame.network().map(|(ethertype, _)| ethertype.0),
    }
}

fn source(source: &Source, names: &Names) -> SourceView {
    let (is, port, evicts) = match source {
        Source::New { evicts } => ("new", None, evicts.map(|station| station.mac.to_string())),
        Source::Known { .. } => ("known", None, None),
        Source::Moves { from, evicts } => (
            "moves",
            Some(names.name(*from)),
            evicts.map(|station| station.mac.to_string()),
        ),
        Source::Held { port } => ("held", Some(names.name(*port)), None),
        Source::Static { port } => ("static", Some(names.name(*port)), None),
        Source::NotLearnt => ("not_learnt", None, None),
        Source::NoRoom => ("no_room", None, None),
        Source::Probe => ("probe", None, None),
    };
    let is = is.to_owned();
    SourceView { is, port, evicts }
}

fn destination(destination: &Destination, names: &Names) -> DestinationView {
    let (is, port, age) = match destination {
        Destination::Group => ("group", None, None),
        Destination::Unknown => ("unknown", None, None),
        Destination::Known { port, age: None } => ("static", Some(names.name(*port)), None),
        Destination::Known {
            port,
            age: Some(age),
        } => ("known", Some(names.name(*port)), Some(age.as_secs())),
    };
    DestinationView {
        is: is.to_owned(),
        port,
        age_s: age,
    }
}

fn egress(egress: &Egress) -> EgressView {
    let (is, reason) = match egress.leaving {
        Leaving::Sent => ("sent", None),
        Leaving::Dropped(reason) => ("dropped", Some(reason.as_str().to_owned())),
        Leaving::LeftOut => ("left_out", None),
        Leaving::Blocked => ("blocked", None),
    };
    EgressView {
        port: egress.name.clone(),
        state: egress.link.as_str().to_owned(),
        mtu: u64::try_from(egress.mtu_bytes).unwrap_or(u64::MAX),
        is: is.to_owned(),
        reason,
    }
}
