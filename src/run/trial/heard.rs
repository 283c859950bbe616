//! What is heard of a worker while it runs, and what is looked at meanwhile.

use super::Bench;
use crate::Remedy as _;
use crate::account::Account;
use crate::events::Event;
use crate::meter::Session;
use crate::phase::{Edge, PhaseMark};
use crate::stop::Stop;
use crate::worker::protocol;

/// What was heard of a worker.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) marks: Vec<PhaseMark>,
    pub(super) account: Option<Account>,
    pub(super) last_loss: Option<f64>,
    /// Whether the meter stopped measuring.
    pub(super) meter_lost: bool,
    /// Whether the user was told that the experiment ends after this trial.
    told_of_stop: bool,
}

/// Larger than any workload's account of itself, as JSON.
const LARGEST_RESULT: usize = 1 << 20;

/// More marks than any workload makes, and than are heard of a command.
const MOST_MARKS: usize = 3 * joulerace_meter::marks::MOST;

impl Bench<'_> {
    /// Looks at the meter and at what the user wants, several times a second.
    ///
    /// # Errors
    ///
    /// Why the worker has to be stopped.
    pub(super) fn look_around(&self, session: &Session, heard: &mut Heard) -> Result<(), String> {
        session.health().map_err(|e| {
            heard.meter_lost = true;
            e.in_line()
        })?;
        if let Some(watts) = session.watts() {
            self.observer.on(&Event::Watts(watts));
        }
        match self.stopper.level() {
            Stop::No => {}
            Stop::AfterTrial if heard.told_of_stop => {}
            Stop::AfterTrial => {
                heard.told_of_stop = true;
                self.observer.on(&Event::Stopping { now: false });
            }
            Stop::Now => {
                self.observer.on(&Event::Stopping { now: true });
                return Err("the user stopped it".to_owned());
            }
        }
        Ok(())
    }

    /// Takes in what the worker says.
    pub(super) fn hear(
        &self,
        message: protocol::WorkloadMessage,
        session: &Session,
        heard: &mut Heard,
    ) {
        match message {
            protocol::WorkloadMessage::Phase(mark) => {
                session.mark();
                if mark.edge == Edge::Begin {
                    self.observer.on(&Event::Phase(mark.phase));
                }
                if heard.marks.len() < MOST_MARKS {
                    heard.marks.push(mark);
                }
            }
            protocol::WorkloadMessage::Epoch { epoch, epochs, loss } => {
                heard.last_loss = Some(loss).filter(|l| l.is_finite());
                self.observer.on(&Event::Epoch { epoch, epochs, loss });
            }
            // Anything larger is not the account of a training; without an account the trial is invalid.
            protocol::WorkloadMessage::Result(account) => {
                heard.account = Some(account).filter(|a| a.length() <= LARGEST_RESULT);
            }
            protocol::WorkloadMessage::Other(other) => {
                tracing::debug!(%other, "an event of the script's own")
            }
        }
    }
}
