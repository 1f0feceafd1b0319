//! What would become of a frame.

use std::fmt::Write;

use super::table::{BAD, FAINT, GOOD, HEADING, paint};
use vswitch_control::plain;
use vswitch_control::protocol::{ExplainView, HeaderView};

/// The frame, the steps that it takes, and where they lead.
pub(crate) fn explanation(view: &ExplainView) -> String {
    let view = &plain::view(view.clone());
    let mut text = format!("{}, {}\n", frame(&view.frame), ingress(view));
    let mut before = "";
    for step in &view.steps {
        // A step of several parts is named once.
        let name = if step.step == before { "" } else { &step.step };
        before = &step.step;
        let name = paint(FAINT, format!("{name:<11}"));
        // Nothing fails that writes to a text.
        let _ = writeln!(text, "  {name}  {}", step.text);
    }
    text + &format!("  {}  {}\n", paint(HEADING, "verdict    "), verdict(view))
}

fn frame(header: &HeaderView) -> String {
    let HeaderView {
        length,
        src,
        dst,
        vlan,
        ethertype,
    } = header;
    let (Some(src), Some(dst)) = (src, dst) else {
        return format!("{length} bytes");
    };
    let vlan = match vlan {
        0 => String::new(),
        vlan => format!(" in VLAN {vlan}"),
    };
    let kind = ethertype.map_or_else(String::new, |kind| format!(", EtherType 0x{kind:04x}"));
    format!("{length} bytes from {src} to {dst}{vlan}{kind}")
}

fn ingress(view: &ExplainView) -> String {
    match &view.namespace {
        Some(namespace) => format!("in by {} (namespace {namespace})", view.port),
        None => format!("in by {}", view.port),
    }
}

fn verdict(view: &ExplainView) -> String {
    let sent = view
        .egress
        .iter()
        .filter(|egress| egress.is == "sent")
        .count();
    match (view.verdict.as_str(), &view.reason, view.egress.first()) {
        ("drop", Some(reason), _) => {
            let meaning = super::meaning(reason);
            paint(BAD, format!("dropped: {reason}, {meaning}"))
        }
        ("forward", _, Some(egress)) if sent == 1 => {
            paint(GOOD, format!("forwarded to {}", egress.port))
        }
        ("forward", _, Some(egress)) => {
            let reason = egress.reason.as_deref().unwrap_or_default();
            paint(BAD, format!("dropped at {}: {reason}", egress.port))
        }
        ("flood", ..) => {
            let ports = if sent == 1 { "port" } else { "ports" };
            let style = if sent == 0 { BAD } else { GOOD };
            paint(style, format!("flooded to {sent} {ports}"))
        }
        (other, ..) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colourless;
    use vswitch_control::protocol::{EgressView, StepView};

    #[test]
    fn the_steps_stand_under_each_other() {
        let step = |step: &str, text: &str| StepView {
            step: step.into(),
            text: text.into(),
        };
        let egress = |port: &str, is: &str| EgressView {
            port: port.into(),
            state: "up".into(),
            mtu: 1500,
            is: is.into(),
            reason: None,
        };
        let view = ExplainView {
            port: "mario-vsw".into(),
            namespace: Some("mario".into()),
            frame: HeaderView {
                length: 60,
                src: Some("02:00:00:00:00:01".into()),
                dst: Some("02:00:00:00:00:02".into()),
                vlan: 7,
                ethertype: Some(0x800),
            },
            steps: vec![
                step("port", "mario-vsw is forwarding"),
                step("leave", "by luigi-vsw"),
                step("leave", "by peach-vsw"),
            ],
            source: None,
            destination: None,
            verdict: "flood".into(),
            reason: None,
            egress: vec![egress("luigi-vsw", "sent"), egress("peach-vsw", "sent")],
        };
        let expected = "\
60 bytes from 02:00:00:00:00:01 to 02:00:00:00:00:02 in VLAN 7, EtherType 0x0800, in by mario-vsw (namespace mario)
  port         mario-vsw is forwarding
  leave        by luigi-vsw
               by peach-vsw
  verdict      flooded to 2 ports
";
        assert_eq!(colourless(&explanation(&view)), expected);
    }
}
