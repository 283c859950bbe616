//! The run loop's events on a terminal: a line that moves where there is one, plain lines where not.

use super::out;
use super::progress::Progress;
use crate::cli::Talk;
use crate::dataset::{Dataset, Name};
use crate::events::{Event, IDLE_POWER, Observer, Planned};
use crate::meter::{Kind, MeterDescription};
use crate::paths::shown;
use crate::plan::Trial;
use crate::store::look::Look;
use crate::store::record::{Status, TrialRecord};
use crate::units;
use jiff::ZonedDateTime as Zoned;
use std::cell::RefCell;
use std::io::IsTerminal;

/// Shows events as they come.
pub(crate) struct Terminal {
    quiet: bool,
    /// Whether one line moves.
    moves: bool,
    progress: RefCell<Progress>,
    shows: Shows,
}

/// Where lines and the moving line go, and what time it is.
struct Shows {
    line: Box<dyn Fn(&str)>,
    moving: Box<dyn Fn(&str)>,
    now: fn() -> Zoned,
}

impl Terminal {
    /// A terminal on standard error. Moves only where that is one.
    pub(crate) fn new(talk: Talk) -> Terminal {
        let moves = std::io::stderr().is_terminal() && !talk.quiet && talk.verbose == 0;
        let (line, moving) = (Box::new(out::line), Box::new(out::moving));
        let shows = Shows { line, moving, now: Zoned::now };
        Terminal { quiet: talk.quiet, moves, progress: RefCell::default(), shows }
    }

    /// One whose lines a test keeps, at a time that stands still; the moving line's begin with `~ `.
    #[cfg(test)]
    pub(crate) fn kept(
        moves: bool,
        lines: std::rc::Rc<RefCell<Vec<String>>>,
        now: fn() -> Zoned,
    ) -> Terminal {
        let moved = std::rc::Rc::clone(&lines);
        let shows = Shows {
            line: Box::new(move |text| lines.borrow_mut().push(text.to_owned())),
            moving: Box::new(move |text| moved.borrow_mut().push(format!("~ {text}"))),
            now,
        };
        Terminal { quiet: false, moves, progress: RefCell::default(), shows }
    }

    /// As if each trial so far had taken so many seconds.
    #[cfg(test)]
    pub(crate) fn took(&self, seconds: f64) {
        let mut progress = self.progress.borrow_mut();
        progress.cycles = (seconds * progress.done as f64, progress.done);
    }

    /// Says a warning from wherever it is heard of.
    pub(crate) fn teller(&self) -> impl Fn(&str) + Send + 'static {
        let (quiet, moves) = (self.quiet, self.moves);
        move |text| {
            let time = if moves { String::new() } else { format!("{} ", clock(&Zoned::now())) };
            if !quiet {
                out::line(&format!("{time}warning: {text}"));
            }
        }
    }

    /// Clears the moving line and lets what was said be written.
    pub(crate) fn finish(&self) {
        if self.moves {
            out::still();
        }
        out::flush();
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            (self.shows.line)(text);
        }
    }

    /// A line about how far it has come; in a log, with the time of day and what is left.
    fn step(&self, progress: &Progress, text: &str) {
        if self.moves {
            return self.line(text);
        }
        let left = progress.left_words().map_or(String::new(), |left| format!(" ({left})"));
        self.line(&format!("{} {text}{left}", clock(&(self.shows.now)())));
    }

    fn planned(&self, progress: &mut Progress, plan: &Planned<'_>) {
        progress.begin(plan);
        let Planned { remaining, trials, .. } = plan;
        let left = if remaining < trials { format!(", {remaining} to run") } else { String::new() };
        let most = if plan.may_stop { "at most " } else { "" };
        self.line(&format!(
            "{most}{trials} trials{left}, roughly {}, done about {}; {}{}",
            units::duration(plan.expected_s),
            day_and_time(&(self.shows.now)(), plan.expected_s),
            meter_words(plan.meter),
            plan.dataset.map_or(String::new(), |data| format!("; {}", data_words(data))),
        ));
        self.line(&format!("into {}", shown(plan.folder)));
    }

    fn pause(&self, progress: &mut Progress, what: &str, elapsed_s: f64, total_s: f64) {
        let (gone, all) = (units::duration(elapsed_s), units::duration(total_s));
        if elapsed_s == 0.0 && !self.moves {
            self.step(progress, &format!("{what}: {all}"));
        }
        progress.pause = format!("{what} {gone} of {all}");
        progress.pause_s = (total_s - elapsed_s).max(0.0);
        if what == IDLE_POWER && progress.done == progress.forecast.unwrap_or(progress.trials) {
            progress.closing_s = 0.0; // this is it
        }
    }

    fn trial_started(&self, progress: &mut Progress, trial: &Trial, attempt: u32) {
        progress.begin_trial();
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        progress.at = format!(
            "{} {}{again}",
            progress.place(progress.done + 1),
            called(&trial.name, &trial.treatment)
        );
        if !self.moves {
            self.step(progress, &progress.at);
        }
    }

    fn epoch(&self, progress: &mut Progress, epoch: u32, epochs: u32, loss: f64) {
        progress.detail = format!("epoch {epoch} of {epochs}, loss {loss:.4}");
        if !self.moves {
            self.step(progress, &format!("{} {}", progress.at, progress.detail));
        }
    }

    fn trial_ended(&self, progress: &mut Progress, record: &TrialRecord, retry: bool) {
        let place = progress.place(progress.done + 1);
        if !retry {
            progress.done += 1;
        }
        let flags = match record.flags.as_slice() {
            [] => String::new(),
            flags => format!(" · flagged {}", flags.join(", ")),
        };
        let what = came_to(record, retry);
        let trial = called(&record.trial, &record.treatment);
        self.step(progress, &format!("{place} {trial} {what}{flags}"));
        progress.at.clear();
    }

    fn looked(&self, progress: &mut Progress, look: &Look, most: u32, treatments: usize) {
        progress.forecast = match look.stop {
            true => Some(progress.done),
            false => look.forecast.map(|blocks| blocks as usize * treatments),
        };
        self.line(&look.tell(most));
    }

    fn show(&self, progress: &Progress) {
        if !self.moves {
            return;
        }
        // What is left stands first: a narrow terminal cuts the end of the line.
        let mut parts: Vec<String> = progress.left_words().into_iter().collect();
        if !progress.pause.is_empty() {
            parts.push(progress.pause.clone());
        } else if !progress.at.is_empty() {
            parts.push(progress.at.clone());
            parts.extend((!progress.detail.is_empty()).then(|| progress.detail.clone()));
        }
        parts.extend(progress.watts.map(|w| format!("{} W", units::digits(w))));
        (self.shows.moving)(&parts.join(" · "));
    }
}

/// The time of day: `14:05:09`.
fn clock(now: &Zoned) -> String {
    now.strftime("%H:%M:%S").to_string()
}

/// When something will be done: `16:40`, `tomorrow 02:10`, `Fri 27 Nov 02:10`.
fn day_and_time(now: &Zoned, seconds: f64) -> String {
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

/// A trial by the name of its files where that begins as its treatment is called, else by its treatment.
fn called<'n>(trial: &'n str, treatment: &'n str) -> &'n str {
    if trial.starts_with(treatment) { trial } else { treatment }
}

/// What a trial's attempt came to: energy, time, power and accuracy, or why there are none.
fn came_to(record: &TrialRecord, retry: bool) -> String {
    match (&record.window, record.status) {
        (Some(window), Status::Ok) => format!(
            "{} J{} in {}, {} W{}",
            units::digits(window.total_j),
            match record.estimated {
                true if record.meter.each().any(Kind::measures) => " (partly an estimate)",
                true => " (estimate)",
                false => "",
            },
            units::duration(window.seconds),
            units::digits(window.total_j / window.seconds),
            // A command has none.
            record.accuracy.map_or(String::new(), |a| format!(", accuracy {:.2}%", a * 100.0)),
        ),
        (_, status) => format!(
            "{}: {}{}",
            status.word(),
            record.reason.as_deref().unwrap_or("no reason is known"),
            if retry { "; it is tried again" } else { "" }
        ),
    }
}

fn data_words(dataset: &Dataset) -> String {
    let what = match (dataset.name, &dataset.warning) {
        (Name::Digits, _) => ", NOT MNIST",
        (_, Some(_)) => ", files of your own",
        _ => "",
    };
    format!("data: {}{what}", dataset.name)
}

fn meter_words(meter: &MeterDescription) -> String {
    let counted = meter.counters.iter().filter(|c| c.counted);
    let names: Vec<&str> = counted.map(|c| c.name.as_str()).collect();
    if meter.estimated {
        let of_all = !meter.kind.each().any(Kind::measures);
        let what =
            if of_all { "NOT a measurement" } else { "the processor's part NOT a measurement" };
        format!("meter: {} of {}, {what}", meter.kind, names.join(", "))
    } else {
        format!("meter: {} {} ({})", meter.kind, meter.version, names.join(", "))
    }
}

impl Observer for Terminal {
    fn on(&self, event: &Event<'_>) {
        let progress = &mut *self.progress.borrow_mut();
        match event {
            Event::Preparing(what) => {
                self.line(what);
                if self.moves {
                    (self.shows.moving)(what);
                }
                return;
            }
            Event::Warning(what) => return self.line(&format!("warning: {what}")),
            Event::Stopping { now: true } => return self.line("stopping now"),
            Event::Stopping { now: false } => {
                return self.line("stopping after this trial; Ctrl-C again stops at once");
            }
            Event::Planned(plan) => return self.planned(progress, plan),
            Event::Pause { what, elapsed_s, total_s, watts } => {
                self.pause(progress, what, *elapsed_s, *total_s);
                progress.watts = *watts;
            }
            Event::TrialStarted { trial, attempt } => self.trial_started(progress, trial, *attempt),
            Event::Phase(phase) => progress.detail = phase.to_string(),
            Event::Epoch { epoch, epochs, loss } => self.epoch(progress, *epoch, *epochs, *loss),
            Event::Watts(watts) => progress.watts = Some(*watts),
            Event::TrialEnded { record, retry } => self.trial_ended(progress, record, *retry),
            Event::Looked { look, most, treatments } => {
                self.looked(progress, look, *most, *treatments);
            }
        }
        self.show(progress);
    }
}
