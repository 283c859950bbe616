//! Totals over domains that are chosen after the accounting.

use std::collections::BTreeSet;

use super::{Accounts, Energy};
use crate::samples::{Domain, column};

impl Energy {
    /// Makes total and coverage those of `domains`.
    pub(super) fn add_up(&mut self, domains: &[Domain]) {
        let joules = domains.iter().map(|d| self.joules.get(d).copied().unwrap_or(f64::NAN));
        self.total_j = joules.sum();
        let missing = domains.iter().filter_map(|d| self.missing_s.get(d)).copied();
        let missing_s = missing.fold(0.0, f64::max);
        self.coverage =
            if self.seconds > 0.0 { (1.0 - missing_s / self.seconds).clamp(0.0, 1.0) } else { 1.0 };
    }
}

impl Accounts {
    /// Drops power over time, the largest part of the accounts, where it is not needed.
    pub fn forget_power(&mut self) {
        self.power = Default::default();
        self.by_domain = Default::default();
    }

    /// The domains that are in the file: those of its columns that are not absent.
    pub fn present(&self) -> Vec<Domain> {
        let there = self.columns.iter().filter(|name| !self.absent.contains(name));
        let domains: BTreeSet<Domain> = there.filter_map(|name| column::domain_of(name)).collect();
        domains.into_iter().collect()
    }

    /// The same with `domains` as its total: totals, phases, window, coverage, power over time and what is
    /// wrong are made anew. Where the file lacks one of them the total is unknown, and
    /// [`unknown_energy`](super::Integrity::unknown_energy) says so. The joules of every domain stay.
    /// Without domains it stays as it is.
    ///
    /// Only for accounts that were made from samples: JSON does not hold all that this needs.
    pub fn restricted(&self, domains: &[Domain]) -> Accounts {
        let mut new = self.clone();
        if domains.is_empty() || domains == self.total {
            return new;
        }
        new.total = domains.to_vec();
        let energies = new.phases.values_mut().chain(new.window.as_mut()).chain([&mut new.whole]);
        energies.for_each(|energy| energy.add_up(domains));
        new.power = new.by_domain.total(domains);
        let present = self.present();
        // Where nothing was measured that is the reason, whatever else is lacking.
        let lacking =
            domains.iter().filter(|d| !present.contains(d) && self.integrity.nothing.is_none());
        new.integrity.unmeasured = lacking.copied().collect();
        let told = new.integrity.notes();
        new.judge_total();
        new.notes.retain(|note| !told.contains(note));
        new.notes.extend(new.integrity.notes());
        new
    }

    /// Fills in what depends on which domains make up the total.
    pub(super) fn judge_total(&mut self) {
        self.faults.tell(&self.total, &mut self.integrity);
        let reported = self.window.as_ref().unwrap_or(&self.whole);
        self.integrity.coverage = Some(reported.coverage).filter(|c| c.is_finite());
        self.integrity.missing_s = reported.seconds * (1.0 - reported.coverage);
    }
}
