//! Power between the trials: a meter that runs while nothing is trained.

use crate::meter::{Meter, MeterError, Run, SessionReport};
use crate::process;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

/// How long EnergiBridge may take to its first sample, and to its last one once it is told to end,
/// beside two intervals.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look for the first sample.
const LOOK: Duration = Duration::from_millis(10);

/// A measurement without a trial. Dropping it ends it; nothing of it is left.
#[derive(Debug)]
pub(crate) struct Gauge {
    run: Run,
    wrapper: Option<Wrapper>,
    patience: Duration,
}

/// EnergiBridge around a process that only sleeps, ended with all it started when it is dropped.
#[derive(Debug)]
struct Wrapper {
    child: Child,
    group: u32,
}

impl Drop for Wrapper {
    fn drop(&mut self) {
        process::kill_group(self.group);
    }
}

impl Gauge {
    /// Begins to measure into `csv`, for `longest` at most.
    ///
    /// # Errors
    ///
    /// As [`Meter::run`], and where EnergiBridge cannot be started.
    pub(crate) async fn start(
        meter: &Meter,
        program: &Path,
        csv: &Path,
        longest: Duration,
    ) -> Result<Gauge, MeterError> {
        let idler = vec![
            OsString::from(program),
            "worker".into(),
            "idle".into(),
            "--seconds".into(),
            longest.as_secs().saturating_add(1).to_string().into(),
        ];
        let run = meter.run(csv, idler)?;
        let wrapper = match run.needs_its_command() {
            true => Some(Wrapper::start(run.line(), csv)?),
            // The machine idles by itself.
            false => None,
        };
        let gauge = Gauge { run, wrapper, patience: PATIENCE + 2 * meter.interval() };
        gauge.ready().await;
        Ok(gauge)
    }

    /// Waits until the meter has begun to write: EnergiBridge takes a moment to start.
    async fn ready(&self) {
        let begin = Instant::now();
        let written = || self.run.session().csv().metadata().is_ok_and(|about| about.len() > 0);
        while !written() && begin.elapsed() < self.patience {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Present power in watts; none where the meter has gone silent.
    pub(crate) fn watts(&self) -> Option<f64> {
        self.run.session().health().ok().and_then(|()| self.run.session().watts())
    }

    /// Takes the last reading and tells what was measured.
    ///
    /// # Errors
    ///
    /// As [`Run::finish`].
    pub(crate) async fn finish(self) -> Result<SessionReport, MeterError> {
        if let Some(wrapper) = self.wrapper {
            wrapper.end(self.patience).await;
        }
        self.run.finish()
    }
}

impl Wrapper {
    fn start(line: &[OsString], csv: &Path) -> Result<Wrapper, MeterError> {
        let mut command = Command::new(&line[0]);
        command
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        process::own_group(command.as_std_mut());
        process::end_with_host(command.as_std_mut());
        let child = command.spawn().map_err(|error| MeterError::Create {
            path: csv.to_owned(),
            source: std::sync::Arc::new(error),
        })?;
        let group = child.id().unwrap_or_default();
        Ok(Wrapper { child, group })
    }

    /// EnergiBridge takes a last sample when it is interrupted, ends its command and leaves.
    async fn end(mut self, patience: Duration) {
        process::interrupt(self.group);
        if timeout(patience, self.child.wait()).await.is_err() {
            process::kill_group(self.group);
            let _ = self.child.wait().await;
        }
    }
}
