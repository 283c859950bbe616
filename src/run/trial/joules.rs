//! Joules out of a trial's samples, and whether the samples can be trusted.

use super::{Bench, Trouble};
use crate::Remedy as _;
use crate::energy::{self, Accounts, Energy, Flag};
use crate::meter::{EDGES, MeterError, SessionReport};
use crate::store::record::TrialRecord;
use std::path::Path;

impl Bench<'_> {
    /// Works out the joules and keeps them in the record, with what the meter says of itself; `worked`
    /// where the worker did its work.
    pub(super) fn account(
        &self,
        csv: &Path,
        report: Result<SessionReport, MeterError>,
        record: &mut TrialRecord,
        worked: bool,
    ) -> Result<(), Trouble> {
        let wrapping = self.meter.capabilities().wrapping();
        let mut accounts = energy::account_file(csv, &record.marks, &wrapping)
            .map_err(|e| Trouble::Failed(e.in_line()))?;
        let report = report.map_err(|e| Trouble::Unmeasured(e.in_line()))?;
        leave_out_unknown(&mut accounts, &report);
        // With `--interval edges` the time between the edges is no gap.
        let edges = self.settings.interval >= EDGES;
        for flag in accounts.integrity.flags() {
            if !(edges && flag == Flag::Gap) {
                record.flag(flag.name());
            }
        }
        flag(record, &report, accounts.window.as_ref());
        accounts.of_one(self.repetitions());
        let untrusted = untrusted(&accounts, &report);
        let uncovered_s = accounts.integrity.uncovered_s;
        record.window = accounts.window;
        record.phases = accounts.phases;
        record.whole = Some(accounts.whole);
        record.integrity = Some(accounts.integrity);
        record.sampler = Some(report);
        match untrusted {
            Some(trouble) => Err(trouble),
            None if worked => self.check_window(record.window.as_ref(), uncovered_s),
            None => Ok(()),
        }
    }

    /// The window of a worker that did its work is there, known, and covered by samples.
    fn check_window(&self, window: Option<&Energy>, uncovered_s: f64) -> Result<(), Trouble> {
        let failed = |why: &str| Err(Trouble::Failed(why.to_owned()));
        let Some(window) = window else {
            return match &self.settings.commands {
                Some(_) => failed("a phase that it marked never ended (or never began)"),
                None => failed("its phases were not marked"),
            };
        };
        if !window.total_j.is_finite() {
            return failed("its energy could not be worked out");
        }
        if uncovered_s > 2.0 * self.settings.interval.as_secs_f64() {
            return failed(&format!("the samples do not cover {uncovered_s:.2} s of its phases"));
        }
        Ok(())
    }
}

/// Takes out what the meter does not know: its column stands still at the end, which is not 0 J.
fn leave_out_unknown(accounts: &mut Accounts, report: &SessionReport) {
    for domain in report.unknown_domains() {
        let all = accounts.phases.values_mut().chain(accounts.window.as_mut());
        for energy in all.chain([&mut accounts.whole]) {
            energy.joules.remove(&domain);
            energy.total_j = f64::NAN;
        }
    }
}

/// Flags what the meter noticed of itself.
fn flag(record: &mut TrialRecord, report: &SessionReport, window: Option<&Energy>) {
    let noticed = [
        (report.missed > 0, "missed-samples"),
        (report.wraps > 0, "wrap"),
        (!report.lost.is_empty(), "lost-sensor"),
        (!report.disagreements.is_empty(), "sensors-disagree"),
        (window.is_some_and(|window| report.is_short(window.seconds)), "short-window"),
    ];
    for (_, word) in noticed.into_iter().filter(|(is_so, _)| *is_so) {
        record.flag(word);
    }
}

/// Why a part of the energy is unknown, where it is.
fn untrusted(accounts: &Accounts, report: &SessionReport) -> Option<Trouble> {
    if let Some(lost) = report.lost.iter().chain(&report.unmeasured).next() {
        return Some(Trouble::Unmeasured(lost.why.clone()));
    }
    if report.resets > 0 || accounts.integrity.reset_count > 0 {
        return Some(Trouble::Failed(
            "a counter was reset in the middle, so a part of its energy is unknown".to_owned(),
        ));
    }
    accounts.integrity.unknown_energy().map(Trouble::Failed)
}
