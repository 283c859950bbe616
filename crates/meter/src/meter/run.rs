//! A command under a meter.
//!
//! Some meters read beside the command and leave it as it is; one puts itself around it, measures only while
//! it runs, and may fail in its place. Whoever starts the command is told what to start, and asks for what a
//! meter can do where that matters, never which kind it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Meter, MeterError, Session, SessionReport, energibridge};
use crate::energy::Wrapping;
use crate::process::Exit;
use crate::snapshot::proc;

/// What a meter can do, and what its numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It is a program around the command: nothing is measured before that starts, and it may end before the
    /// command does.
    pub wraps: bool,
    /// It reads at a mark, so that phases have edges of their own.
    pub marks: bool,
    /// Joules of its total are worked out instead of measured.
    pub estimates: bool,
    /// It reads graphics cards.
    pub cards: bool,
}

impl Capabilities {
    /// How the counters in its files wrap.
    pub fn wrapping(self) -> Wrapping {
        // This program's own sampler undoes wraps before it writes.
        if self.wraps { Wrapping::Infer } else { Wrapping::Never }
    }
}

/// A command that is measured from now on. It is the caller's to start and to wait for.
#[derive(Debug)]
pub struct Run {
    session: Session,
    line: Vec<OsString>,
    around: Option<Around>,
}

/// A meter's program around the command.
#[derive(Debug)]
struct Around {
    proc_root: PathBuf,
    /// Its process, and the processor seconds that it had taken when last looked at.
    process: Option<(u32, f64)>,
}

impl Run {
    pub(super) fn begin(
        meter: &Meter,
        csv: &Path,
        summary: bool,
        argv: Vec<OsString>,
    ) -> Result<Run, MeterError> {
        let session = meter.start(csv)?;
        let line = meter.wrapped(csv, summary, argv);
        let proc_root = || meter.settings.proc_root.clone();
        let around =
            meter.capabilities().wraps.then(|| Around { proc_root: proc_root(), process: None });
        Ok(Run { session, line, around })
    }

    /// What is to be started: the command, in its meter where that wraps it.
    pub fn line(&self) -> &[OsString] {
        &self.line
    }

    /// Whether nothing is measured unless the command runs.
    pub fn needs_its_command(&self) -> bool {
        self.around.is_some()
    }

    /// Samples, power and health so far.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Says by which number the system knows the process that was started.
    pub fn started(&mut self, pid: u32) {
        if let Some(around) = &mut self.around {
            around.process = Some((pid, 0.0));
        }
    }

    /// Looks at what the meter's own program takes, as far as it can be seen: until a moment before its end.
    /// To be called now and then.
    pub fn look(&mut self) {
        let Some(Around { proc_root, process: Some((pid, cpu_s)) }) = &mut self.around else {
            return;
        };
        if let Some((_, process)) = proc::process(&proc_root.join(pid.to_string())) {
            *cpu_s = process.cpu_s;
        }
    }

    /// Whether a command that ended like this failed because of its meter, from the log that both wrote to
    /// and the file of samples. `None` where it is the command's own doing; always so with meters that read
    /// beside it, whose faults [`Session::health`] tells.
    ///
    /// A program that this one killed looks like one that failed: ask only about one that ended by itself.
    pub fn failure(&self, exit: Exit, log: &Path) -> Option<MeterError> {
        self.around.as_ref().and_then(|_| energibridge::judge::judge(exit, log, self.session.csv()))
    }

    /// Takes the last reading and tells what was measured; once the command has ended.
    ///
    /// # Errors
    ///
    /// As [`Session::finish`].
    pub fn finish(self) -> Result<SessionReport, MeterError> {
        let own = self.around.and_then(|around| around.process).map(|(_, cpu_s)| cpu_s);
        let report = self.session.finish()?;
        Ok(SessionReport { cpu_seconds: own.or(report.cpu_seconds), ..report })
    }
}
