//! What the demonstration found, for machines. Fields are added, never renamed or removed.

use std::net::IpAddr;

use serde::Serialize;

use crate::measure::ping;
use crate::measure::tcp::Throughput;

/// Everything that was measured.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) pings: Vec<Pings>,
    pub(super) throughput: Option<ThroughputReport>,
}

/// Echo requests from one host to one address.
#[derive(Serialize)]
pub(super) struct Pings {
    from: String,
    address: IpAddr,
    sent: u32,
    received: usize,
    mean_us: Option<f64>,
}

impl Pings {
    pub(super) fn new(from: &str, address: IpAddr, report: &ping::Report) -> Self {
        Self {
            from: from.to_owned(),
            address,
            sent: report.sent,
            received: report.round_trips.len(),
            mean_us: report
                .summary()
                .map(|(_, mean, _)| mean.as_secs_f64() * 1e6),
        }
    }
}

/// One TCP connection.
#[derive(Serialize)]
pub(super) struct ThroughputReport {
    bytes: u64,
    seconds: f64,
    bits_per_second: f64,
    retransmits: u64,
}

impl From<Throughput> for ThroughputReport {
    fn from(measured: Throughput) -> Self {
        Self {
            bytes: measured.bytes,
            seconds: measured.elapsed.as_secs_f64(),
            bits_per_second: measured.bits_per_second(),
            retransmits: measured.retransmits,
        }
    }
}
