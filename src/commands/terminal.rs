//! The run loop's events on a terminal: a line that moves where there is one, plain lines where not.

use super::out;
use crate::cli::Talk;
use crate::run::events::{Event, IDLE_POWER, Observer};
use crate::run::record::Status;
use crate::units;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Instant;

/// Shows events as they come.
pub struct Terminal {
    quiet: bool,
    /// Whether one line moves.
    moves: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    trials: usize,
    done: usize,
    at: String,
    detail: String,
    watts: Option<f64>,
    pause: String,
    /// Seconds left of the present pause, and what comes after the last trial's.
    pause_s: f64,
    closing_s: f64,
    /// Whether it may stop before the last trial, and after how many trials it probably does.
    may_stop: bool,
    forecast: Option<usize>,
    /// When the present trial began, and how many were done by then.
    began: Option<(Instant, usize)>,
    /// Seconds from one trial's beginning to the next one's: their sum and their number.
    cycles: (f64, usize),
}

impl Terminal {
    /// A terminal on standard error. Moves only where that is one.
    pub fn new(talk: Talk) -> Terminal {
        let moves = std::io::stderr().is_terminal() && !talk.quiet && talk.verbose == 0;
        Terminal { quiet: talk.quiet, moves, state: RefCell::default() }
    }

    /// Clears the moving line and lets what was said be written.
    pub fn finish(&self) {
        if self.moves {
            out::still();
        }
        out::settle();
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            out::line(text);
        }
    }

    fn show(&self, state: &State) {
        if !self.moves {
            return;
        }
        let mut parts: Vec<String> = Vec::new();
        if !state.pause.is_empty() {
            parts.push(state.pause.clone());
        } else if !state.at.is_empty() {
            parts.push(state.at.clone());
            parts.extend((!state.detail.is_empty()).then(|| state.detail.clone()));
        }
        parts.extend(state.watts.map(|w| format!("{} W", units::digits(w))));
        let most = match state.forecast {
            _ if !state.may_stop => "",
            None => "at most ",
            Some(_) => "about ",
        };
        parts.extend(state.left().map(|s| format!("{most}{} left", units::duration(s))));
        out::moving(&parts.join(" · "));
    }
}

impl State {
    /// Seconds left, from what the trials so far took, pauses included; none during the first.
    fn left(&self) -> Option<f64> {
        let trials = self.forecast.unwrap_or(self.trials);
        if trials > 0 && self.done == trials && !self.pause.is_empty() {
            return Some(self.pause_s + self.closing_s);
        }
        let (began, done) = self.began.filter(|_| self.cycles.1 > 0)?;
        let each = self.cycles.0 / self.cycles.1 as f64;
        let ahead = trials.saturating_sub(done) as f64;
        Some((each * ahead - began.elapsed().as_secs_f64()).max(0.0) + self.closing_s)
    }
}

impl Observer for Terminal {
    fn on(&self, event: &Event<'_>) {
        let mut state = self.state.borrow_mut();
        match event {
            Event::Preparing(what) => {
                self.line(what);
                if self.moves {
                    out::moving(what);
                }
            }
            Event::Warning(what) => self.line(&format!("warning: {what}")),
            Event::Planned { remaining, trials, folder, meter, may_stop, closing_s } => {
                state.closing_s = *closing_s;
                state.may_stop = *may_stop;
                state.trials = *trials;
                state.done = trials - remaining;
                let left = if remaining < trials {
                    format!(", {remaining} to run")
                } else {
                    String::new()
                };
                let most = if *may_stop { "at most " } else { "" };
                self.line(&format!("{most}{trials} trials{left}, into {}", folder.display()));
                self.line(meter);
            }
            Event::Pause { what, elapsed_s, total_s, watts } => {
                let (gone, all) = (units::duration(*elapsed_s), units::duration(*total_s));
                if *elapsed_s == 0.0 && !self.moves {
                    self.line(&format!("{what}: {all}"));
                }
                state.pause = format!("{what} {gone} of {all}");
                state.watts = *watts;
                state.pause_s = (total_s - elapsed_s).max(0.0);
                if *what == IDLE_POWER && state.done == state.forecast.unwrap_or(state.trials) {
                    state.closing_s = 0.0; // this is it
                }
                self.show(&state);
            }
            Event::TrialStarted { trial, attempt } => {
                if let Some((began, _)) = state.began {
                    state.cycles.0 += began.elapsed().as_secs_f64();
                    state.cycles.1 += 1;
                }
                state.began = Some((Instant::now(), state.done));
                state.pause.clear();
                state.watts = None;
                state.detail.clear();
                let again =
                    if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                state.at = format!(
                    "trial {} of {}{}: {} (block {}{again})",
                    state.done + 1,
                    if state.may_stop { "at most " } else { "" },
                    state.trials,
                    trial.treatment,
                    trial.block
                );
                if !self.moves {
                    self.line(&state.at);
                }
                self.show(&state);
            }
            Event::Phase(phase) => {
                state.detail = phase.to_string();
                self.show(&state);
            }
            Event::Epoch { epoch, epochs, loss } => {
                state.detail = format!("epoch {epoch} of {epochs}, loss {loss:.4}");
                if !self.moves {
                    self.line(&format!("  {}", state.detail));
                }
                self.show(&state);
            }
            Event::Watts(watts) => {
                state.watts = Some(*watts);
                self.show(&state);
            }
            Event::TrialEnded { record, retry } => {
                if !retry {
                    state.done += 1;
                }
                let what = match (&record.window, record.status) {
                    (Some(window), Status::Ok) => format!(
                        "{} J{} in {}, {} W, accuracy {}",
                        units::digits(window.total_j),
                        if record.estimated { " (estimate)" } else { "" },
                        units::duration(window.seconds),
                        units::digits(window.total_j / window.seconds),
                        record.accuracy.map_or("–".to_owned(), |a| format!("{:.2}%", a * 100.0)),
                    ),
                    (_, status) => format!(
                        "{}: {}{}",
                        status.word(),
                        record.reason.as_deref().unwrap_or("no reason is known"),
                        if *retry { "; it is tried again" } else { "" }
                    ),
                };
                self.line(&format!("  {} {what}", record.trial));
                state.at.clear();
                self.show(&state);
            }
            Event::Looked { look, most, treatments } => {
                state.forecast = match look.stop {
                    true => Some(state.done),
                    false => look.forecast.map(|blocks| blocks as usize * treatments),
                };
                self.line(&look.tell(*most));
                self.show(&state);
            }
            Event::Stopping { now } => self.line(if *now {
                "stopping now"
            } else {
                "stopping after this trial; Ctrl-C again stops at once"
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_counts_idle_power_after_the_last_trial() {
        let mut state = State { trials: 4, done: 2, closing_s: 10.0, ..State::default() };
        assert_eq!(state.left(), None, "nothing is known before the first trial");
        state.began = Some((Instant::now(), 2));
        state.cycles = (60.0, 2);
        let left = state.left().unwrap();
        assert!((69.0..=70.0).contains(&left), "two trials of 30 s and idle power: {left}");
        // In the cool-down after the last one.
        state = State { done: 4, pause: "cool-down".into(), pause_s: 3.0, ..state };
        assert_eq!(state.left(), Some(13.0));
        // Four of at most forty, and a look found that they are enough.
        state = State { trials: 40, may_stop: true, forecast: Some(4), ..state };
        assert_eq!(state.left(), Some(13.0));
    }
}
