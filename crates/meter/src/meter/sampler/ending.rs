//! The last row, and what there is to say about all of them.

use super::Sampler;
use crate::meter::error::MeterError;
use crate::meter::report::SessionReport;
use crate::meter::source::{LostSensor, Tally};
use crate::samples::{Domain, Quantity};
use joulerace_files::Remedy as _;

impl Sampler {
    /// The last row, and what there is to say about all of them.
    pub(super) fn end(mut self) -> Result<SessionReport, MeterError> {
        if self.shared.health().is_ok() {
            match self.insist() {
                Ok(failed) => {
                    // No later row makes up for these.
                    failed.into_iter().for_each(|(part, fault)| self.lose(part, fault.now()));
                }
                Err(error) => self.shared.fail(error.into()),
            }
        }
        let seconds = self.last.duration_since(self.start).as_secs_f64();
        self.look_for_frozen(true, seconds);
        self.shared.health()?;
        let mut report = SessionReport { seconds, ..self.report.clone() };
        let unknown = self.tell_of_sensors(&mut report);
        let known = |domain: &Domain| !unknown.contains(domain);
        let total_known = self.total.iter().all(|index| known(&self.energy[*index].domain));
        let counters = self.energy.iter().zip(self.values.iter().copied());
        let counters = counters.filter(|(column, _)| column.quantity == Quantity::Counter);
        report.joules = counters
            .filter(|(column, _)| known(&column.domain))
            .map(|(column, joules)| (column.domain, joules))
            .collect();
        report.unknown = report.lost.first().map(|lost| lost.why.clone());
        report.total_j = total_known.then(|| self.total_joules());
        report.cpu_seconds = crate::process::thread_cpu_seconds();
        Ok(report)
    }

    /// Puts into the report what each sensor says of itself, and gives the domains that are unknown.
    fn tell_of_sensors(&self, report: &mut SessionReport) -> Vec<Domain> {
        let mut unknown: Vec<Domain> = Vec::new();
        for part in &self.parts {
            let Tally { wraps, resets, read_errors } = part.source.tally();
            report.wraps += wraps;
            report.resets += resets;
            report.read_errors += read_errors;
            unknown.extend(part.source.reset());
            if let Some(error) = &part.lost {
                unknown.extend(&part.domains);
                let (sensor, domains) = (part.kind, part.domains.clone());
                report.lost.push(LostSensor { sensor, domains, why: error.in_line() });
            } else if let Some(error) = part.source.unmeasured(report.seconds) {
                unknown.extend(&part.domains);
                let (sensor, domains) = (part.kind, part.domains.clone());
                report.unmeasured.push(LostSensor { sensor, domains, why: error.in_line() });
            } else {
                report.disagreements.extend(part.source.disagreement());
            }
            let period = part.source.update_period().map(|period| period.as_secs_f64() * 1e3);
            report.update_ms = report.update_ms.into_iter().chain(period).reduce(f64::max);
        }
        unknown
    }
}
