//! One trial's cells, by the names of their columns.

use crate::analysis::scan::Source;
use crate::analysis::tables::TableRow;
use crate::energy::{Accounts, Energy};
use crate::samples::Domain;
use std::collections::BTreeMap;

/// One trial's cells.
#[derive(Default)]
pub(crate) struct Cells {
    pub texts: BTreeMap<&'static str, String>,
    pub numbers: BTreeMap<String, f64>,
}

impl Cells {
    pub(super) fn text(&mut self, name: &'static str, value: Option<String>) {
        if let Some(value) = value {
            self.texts.insert(name, value);
        }
    }

    pub(super) fn number(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            self.numbers.insert(name.into(), value);
        }
    }

    pub(super) fn row(&mut self, row: &TableRow) {
        self.text("tool", row.tool.clone());
        self.text("tool_version", row.version.clone());
        self.text("machine", row.machine.clone());
        self.text("tracking", row.tracking.clone());
        self.text("table_block", row.block.clone());
        self.number("table_row", Some(row.line as f64));
        self.number("table_impossible", row.impossible.as_ref().map(|_| 1.0));
        self.number("table_content", Some(row.content as f64));
        self.number("table_energy_j", row.total_j);
        for (domain, watts) in &row.watts {
            self.number(&format!("stated_{domain}_w"), Some(*watts));
        }
        for (column, joules) in &row.others {
            self.number(&format!("other_{column}"), Some(*joules));
        }
    }

    pub(super) fn accounts(&mut self, accounts: &Accounts, source: Source, idle_w: Option<f64>) {
        let window = match source {
            Source::Csv => Some(&accounts.whole),
            Source::Experiment => accounts.window.as_ref(),
        };
        if let Some(window) = window {
            self.window(window, idle_w);
        }
        self.number("coverage", window.map(|w| w.coverage));
        self.number("start_unix_s", Some(accounts.start_unix_ms / 1000.0));
        self.number("trial_energy_j", Some(accounts.whole.total_j));
        self.number("trial_time_s", Some(accounts.whole.seconds));
        for (phase, energy) in &accounts.phases {
            self.number(&format!("phase_{phase}_j"), Some(energy.total_j));
            self.number(&format!("phase_{phase}_s"), Some(energy.seconds));
        }
        let integrity = &accounts.integrity;
        self.number("samples", Some(integrity.samples as f64));
        self.number("wraps", Some(integrity.wrap_count as f64));
        self.number("wrap_range_j", integrity.wrap_range_j());
        self.number("resets", Some(integrity.reset_count as f64));
        self.number("gaps", Some(integrity.gaps as f64));
        self.number("max_gap_s", Some(integrity.max_gap_s));
        if let Some(published) = &accounts.first_last {
            self.number("published_energy_j", Some(published.energy_j));
            self.number("published_time_s", Some(published.time_s));
        }
    }

    fn window(&mut self, window: &Energy, idle_w: Option<f64>) {
        let (joules, seconds) = (window.total_j, window.seconds);
        self.number("time_s", Some(seconds));
        self.number("energy_j", Some(joules));
        self.number("power_w", Some(window.watts()));
        self.number("edp_js", Some(joules * seconds));
        self.number("ed2p_js2", Some(joules * seconds * seconds));
        self.number("above_idle_j", idle_w.map(|idle| joules - idle * seconds));
        let mut gpus = None;
        for (domain, joules) in &window.joules {
            self.number(&format!("energy_{domain}_j"), Some(*joules));
            if let Domain::Gpu(_) = domain {
                *gpus.get_or_insert(0.0) += joules;
            }
        }
        self.number("energy_gpu_j", gpus);
    }
}
