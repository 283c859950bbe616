//! How far a run has come, and how long it still takes.

use crate::events::Planned;
use crate::units;
use std::time::Instant;

/// What is known of how far it has come.
#[derive(Default)]
pub(crate) struct Progress {
    pub trials: usize,
    pub done: usize,
    pub at: String,
    pub detail: String,
    pub watts: Option<f64>,
    pub pause: String,
    /// When the run began, and the seconds that it was then expected to take.
    pub guess: Option<(Instant, f64)>,
    /// Seconds left of the present pause, and what comes after the last trial's.
    pub pause_s: f64,
    pub closing_s: f64,
    /// Whether it may stop before the last trial, and after how many trials it probably does.
    pub may_stop: bool,
    pub forecast: Option<usize>,
    /// When the present trial began, and how many were done by then.
    pub began: Option<(Instant, usize)>,
    /// Seconds from one trial's beginning to the next one's: their sum and their number.
    pub cycles: (f64, usize),
}

impl Progress {
    /// The plan stands.
    pub(crate) fn begin(&mut self, plan: &Planned<'_>) {
        self.closing_s = plan.closing_s;
        self.may_stop = plan.may_stop;
        self.trials = plan.trials;
        self.done = plan.trials - plan.remaining;
        self.guess = Some((Instant::now(), plan.expected_s));
    }

    /// A trial begins.
    pub(crate) fn begin_trial(&mut self) {
        if let Some((began, _)) = self.began {
            self.cycles.0 += began.elapsed().as_secs_f64();
            self.cycles.1 += 1;
        }
        self.began = Some((Instant::now(), self.done));
        self.pause.clear();
        self.watts = None;
        self.detail.clear();
    }

    /// Seconds left, from what the trials so far took, pauses included; during the first of them, what
    /// was expected less the time that has passed.
    pub(crate) fn left(&self) -> Option<f64> {
        let trials = self.forecast.unwrap_or(self.trials);
        if trials > 0 && self.done == trials && !self.pause.is_empty() {
            return Some(self.pause_s + self.closing_s);
        }
        let Some((began, done)) = self.began.filter(|_| self.cycles.1 > 0) else {
            let (began, expected_s) = self.guess?;
            return Some((expected_s - began.elapsed().as_secs_f64()).max(0.0));
        };
        let each = self.cycles.0 / self.cycles.1 as f64;
        let ahead = trials.saturating_sub(done) as f64;
        Some((each * ahead - began.elapsed().as_secs_f64()).max(0.0) + self.closing_s)
    }

    /// `7 h 12 min left`, with `~` where it is a guess; a guess that has run out is not shown.
    pub(crate) fn left_words(&self) -> Option<String> {
        let left = self.left()?;
        let most = match self.forecast {
            _ if !self.may_stop => "",
            None => "at most ",
            Some(_) => "about ",
        };
        if self.cycles.1 > 0 {
            return Some(format!("{most}{} left", units::duration(left)));
        }
        if self.done == self.trials {
            return Some(format!("{} left", units::duration(left)));
        }
        Some(match left {
            0.0 => "longer than expected".to_owned(),
            left => format!("{most}~{} left", units::duration(left)),
        })
    }

    /// `[4/90]`: the trial that runs, or the one that ended last.
    pub(crate) fn place(&self, number: usize) -> String {
        format!("[{number}/{}]", self.trials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_counts_idle_power_after_the_last_trial() {
        let mut progress = Progress { trials: 4, done: 2, closing_s: 10.0, ..Progress::default() };
        assert_eq!(progress.left(), None, "nothing is known before there is a plan");
        progress.guess = Some((Instant::now(), 3600.0));
        assert_eq!(progress.left_words().unwrap(), "~1 h 00 min left");
        progress.began = Some((Instant::now(), 2));
        progress.cycles = (60.0, 2);
        let left = progress.left().unwrap();
        assert!((69.0..=70.0).contains(&left), "two trials of 30 s and idle power: {left}");
        // In the cool-down after the last one.
        progress = Progress { done: 4, pause: "cool-down".into(), pause_s: 3.0, ..progress };
        assert_eq!(progress.left(), Some(13.0));
        // Four of at most forty, and a look found that they are enough.
        progress = Progress { trials: 40, may_stop: true, forecast: Some(4), ..progress };
        assert_eq!(progress.left(), Some(13.0));
    }
}
