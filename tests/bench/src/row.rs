//! The result of a measurement, as a line of JSON.

use serde::{Deserialize, Serialize};

use crate::drive::Measured;
use crate::work::Work;
use crate::workload::Figure;

/// One measurement. A figure that was not measured is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The name of a [`Work`].
    pub(crate) workload: String,
    pub(crate) contender: String,
    #[serde(default)]
    pub(crate) round: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_msg: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_each: Option<f64>,
}

impl Row {
    pub(crate) fn new(work: Work, contender: &str, measured: &Measured) -> Self {
        Self {
            workload: work.name(),
            contender: contender.to_owned(),
            round: 0,
            rate: measured.rate,
            p50_us: measured.p50_us,
            p99_us: measured.p99_us,
            cpu_us_per_msg: measured.cpu_us,
            bytes_each: measured.bytes_each,
        }
    }

    pub(crate) fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Rate => self.rate,
            Figure::P50 => self.p50_us,
            Figure::P99 => self.p99_us,
            Figure::Cpu => self.cpu_us_per_msg,
            Figure::BytesEach => self.bytes_each,
        }
    }
}
