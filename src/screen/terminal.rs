//! The run loop's events on a terminal: a line that moves where there is one, plain lines where not.

use super::out;
use super::say::shown;
use crate::cli::Talk;
use crate::events::{Event, IDLE_POWER, Observer};
use crate::store::record::Status;
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
    /// When the run began, and the seconds that it was then expected to take.
    guess: Option<(Instant, f64)>,
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

    /// Says a warning from wherever it is heard of.
    pub fn teller(&self) -> impl Fn(&str) + Send + 'static {
        let (quiet, moves) = (self.quiet, self.moves);
        move |text| {
            let time = if moves { String::new() } else { format!("{} ", clock(0.0)) };
            if !quiet {
                out::line(&format!("{time}warning: {text}"));
            }
        }
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

    /// A line about how far it has come; in a log, with the time of day and what is left.
    fn step(&self, state: &State, text: &str) {
        if self.moves {
            return self.line(text);
        }
        let left = state.left_words().map_or(String::new(), |left| format!(" ({left})"));
        self.line(&format!("{} {text}{left}", clock(0.0)));
    }

    fn show(&self, state: &State) {
        if !self.moves {
            return;
        }
        // What is left stands first: a narrow terminal cuts the end of the line.
        let mut parts: Vec<String> = state.left_words().into_iter().collect();
        if !state.pause.is_empty() {
            parts.push(state.pause.clone());
        } else if !state.at.is_empty() {
            parts.push(state.at.clone());
            parts.extend((!state.detail.is_empty()).then(|| state.detail.clone()));
        }
        parts.extend(state.watts.map(|w| format!("{} W", units::digits(w))));
        out::moving(&parts.join(" · "));
    }
}

impl State {
    /// Seconds left, from what the trials so far took, pauses included; during the first of them, what
    /// was expected less the time that has passed.
    fn left(&self) -> Option<f64> {
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

    /// `7 h 12 min left`, with `~` where it is a guess; a guess that has run out is none.
    fn left_words(&self) -> Option<String> {
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
    fn place(&self, number: usize) -> String {
        format!("[{number}/{}]", self.trials)
    }
}

/// The local time so many seconds from now: `14:05:09`.
fn clock(seconds: f64) -> String {
    let now = jiff::ZonedDateTime::now();
    let ahead = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    now.checked_add(ahead).unwrap_or(now).strftime("%H:%M:%S").to_string()
}

/// When something will be done: `16:40`, `tomorrow 02:10`, `Fri 27 Nov 02:10`.
fn day_and_time(seconds: f64) -> String {
    let now = jiff::ZonedDateTime::now();
    let ahead = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    let then = now.checked_add(ahead).unwrap_or_else(|_| now.clone());
    let day = if then.date() == now.date() {
        ""
    } else if now.date().tomorrow().is_ok_and(|day| day == then.date()) {
        "tomorrow "
    } else {
        "%a %d %b "
    };
    then.strftime(&format!("{day}%H:%M")).to_string()
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
            Event::Planned {
                remaining,
                trials,
                folder,
                meter,
                data,
                expected_s,
                may_stop,
                closing_s,
            } => {
                state.closing_s = *closing_s;
                state.may_stop = *may_stop;
                state.trials = *trials;
                state.done = trials - remaining;
                state.guess = Some((Instant::now(), *expected_s));
                let left = if remaining < trials {
                    format!(", {remaining} to run")
                } else {
                    String::new()
                };
                let most = if *may_stop { "at most " } else { "" };
                self.line(&format!(
                    "{most}{trials} trials{left}, roughly {}, done about {}; {meter}; {data}",
                    units::duration(*expected_s),
                    day_and_time(*expected_s)
                ));
                self.line(&format!("into {}", shown(folder)));
            }
            Event::Pause { what, elapsed_s, total_s, watts } => {
                let (gone, all) = (units::duration(*elapsed_s), units::duration(*total_s));
                if *elapsed_s == 0.0 && !self.moves {
                    self.step(&state, &format!("{what}: {all}"));
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
                state.at = format!("{} {}{again}", state.place(state.done + 1), trial.name);
                if !self.moves {
                    self.step(&state, &state.at);
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
                    self.step(&state, &format!("{} {}", state.at, state.detail));
                }
                self.show(&state);
            }
            Event::Watts(watts) => {
                state.watts = Some(*watts);
                self.show(&state);
            }
            Event::TrialEnded { record, retry } => {
                let place = state.place(state.done + 1);
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
                let flags = match record.flags.as_slice() {
                    [] => String::new(),
                    flags => format!(" · flagged {}", flags.join(", ")),
                };
                self.step(&state, &format!("{place} {} {what}{flags}", record.trial));
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
        assert_eq!(state.left(), None, "nothing is known before there is a plan");
        state.guess = Some((Instant::now(), 3600.0));
        assert_eq!(state.left_words().unwrap(), "~1 h 00 min left");
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
