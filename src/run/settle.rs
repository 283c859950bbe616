//! Bringing the machine to a known state and knowing when it is there: warm-up, cool-down, baseline.
//!
//! The three are asynchronous and end as soon as `stop` completes, or when their future is dropped.
//! What they read comes in as closures, so that they neither know the meter nor the sensors.

mod load;
mod trend;

pub(crate) use load::Load;
pub(crate) use trend::{Judgement, Series};

use crate::store::pauses::{Baseline, Cooldown, WarmUpReport};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// Between two readings. A meter's power is a mean over its own interval, so that reading it more
/// often brings nothing.
const EVERY: Duration = Duration::from_millis(250);

/// How much of the end of a cool-down is compared with the idle baseline, in seconds.
const TAIL_S: f64 = 5.0;

/// What can be read while the machine settles.
pub(crate) struct Readings<'a> {
    /// Present power in watts: the meter's, over its last interval.
    pub watts: &'a dyn Fn() -> Option<f64>,
    /// The processors' temperature in °C.
    pub celsius: &'a dyn Fn() -> Option<f64>,
    /// Whether the power is an estimate. Under full load an estimate is a constant and settles by
    /// construction, so that it takes no part in judging whether the machine has settled.
    pub estimated: bool,
}

/// Told at each reading, for the terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tick {
    /// Since the beginning.
    pub elapsed: Duration,
    /// How long it will last if nothing changes; 0 where it is over its set time.
    pub left: Duration,
    /// Present power in watts.
    pub watts: Option<f64>,
    /// Present temperature in °C.
    pub celsius: Option<f64>,
}

/// Readings so far.
#[derive(Debug, Default)]
struct Log {
    watts: Series,
    celsius: Series,
}

impl Log {
    fn read(&mut self, readings: &Readings<'_>, elapsed: Duration, set: Duration) -> Tick {
        let (watts, celsius) = ((readings.watts)(), (readings.celsius)());
        self.watts.add(elapsed.as_secs_f64(), watts);
        self.celsius.add(elapsed.as_secs_f64(), celsius);
        Tick { elapsed, left: set.saturating_sub(elapsed), watts, celsius }
    }
}

/// Reads every 250 ms until `done` says so or `stop` completes; returns whether it was stopped, and
/// the seconds it took.
async fn watch(
    stop: impl Future<Output = ()>,
    mut done: impl FnMut(Duration) -> bool,
    mut left: impl FnMut(Duration) -> Duration,
) -> (bool, f64) {
    let begin = Instant::now();
    tokio::pin!(stop);
    loop {
        let elapsed = begin.elapsed();
        if done(elapsed) {
            return (false, elapsed.as_secs_f64());
        }
        // Never past a deadline, and never a spin.
        let nap = left(elapsed).clamp(Duration::from_millis(1), EVERY);
        tokio::select! {
            biased;
            () = &mut stop => return (true, begin.elapsed().as_secs_f64()),
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// Time until a deadline, or one nap where it is behind us.
fn until(deadline: Duration, elapsed: Duration) -> Duration {
    deadline.checked_sub(elapsed).filter(|left| !left.is_zero()).unwrap_or(EVERY)
}

/// How the machine is warmed up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WarmUp {
    /// The set time.
    pub duration: Duration,
    /// Whether it ends early once settled, and goes on while it is not.
    pub until_stable: bool,
    /// The bounds of that.
    pub shortest: Duration,
    /// The longest that it may take.
    pub longest: Duration,
    /// How many processors are loaded.
    pub threads: usize,
}

impl WarmUp {
    /// A warm-up of all processors that this process may use; with `until_stable` it takes at least
    /// a quarter of the set time and at most four times that.
    pub(crate) fn new(duration: Duration, until_stable: bool) -> WarmUp {
        WarmUp {
            duration,
            until_stable,
            shortest: duration / 4,
            longest: duration * 4,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Loads the processors with arithmetic and watches power and temperature.
///
/// It has settled when a straight line through the last third of the readings, at least 10 s and at
/// most 60 s of them, moves by no more than 2% of the mean power and 1 °C from one end to the other:
/// see `trend`. With `until_stable` and nothing to judge by it lasts the set time.
///
/// The load threads have ended when this returns or is dropped.
pub(crate) async fn warm_up(
    plan: &WarmUp,
    readings: &Readings<'_>,
    stop: impl Future<Output = ()>,
    on_tick: &mut dyn FnMut(Tick),
) -> WarmUpReport {
    if plan.duration.is_zero() {
        let why = "there was no warm-up".to_owned();
        return WarmUpReport { why, ..WarmUpReport::default() };
    }
    let load = Load::start(plan.threads);
    let threads = load.threads();
    let mut log = Log::default();
    let judge = |log: &Log| trend::judge(&log.watts, &log.celsius, readings.estimated);
    let (stopped, seconds) = watch(
        stop,
        |elapsed| {
            on_tick(log.read(readings, elapsed, plan.duration));
            if !plan.until_stable {
                return elapsed >= plan.duration;
            }
            match judge(&log).settled {
                Some(true) => elapsed >= plan.shortest,
                Some(false) => elapsed >= plan.longest,
                None => elapsed >= plan.duration,
            }
        },
        |elapsed| until(plan.duration, elapsed),
    )
    .await;
    load.end();
    let Judgement { settled, why } = judge(&log);
    WarmUpReport {
        seconds,
        stopped,
        threads,
        settled,
        why,
        estimated: readings.estimated,
        watts: log.watts.trend(),
        celsius: log.celsius.trend(),
    }
}

/// How the machine cools down after a trial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CoolDown {
    /// At least so long.
    pub duration: Duration,
    /// Go on until power is at most so many percent above the baseline.
    pub until_idle_pct: Option<f64>,
    /// Idle power before the first trial, in watts.
    pub baseline_w: Option<f64>,
    /// No longer than this.
    pub longest: Duration,
}

impl CoolDown {
    /// A cool-down that takes at most four times its set time, or 2 min if that is more.
    pub(crate) fn new(
        duration: Duration,
        until_idle_pct: Option<f64>,
        baseline_w: Option<f64>,
    ) -> CoolDown {
        let longest = (duration * 4).max(Duration::from_secs(120));
        CoolDown { duration, until_idle_pct, baseline_w, longest }
    }

    /// The power at which the machine is idle again, in watts.
    fn idle_w(&self) -> Option<f64> {
        Some(self.baseline_w? * (1.0 + self.until_idle_pct? / 100.0))
    }
}

/// Idles for at least the set time, and on until power is back at idle where that is asked for.
pub(crate) async fn cool_down(
    plan: &CoolDown,
    readings: &Readings<'_>,
    stop: impl Future<Output = ()>,
    on_tick: &mut dyn FnMut(Tick),
) -> Cooldown {
    let mut log = Log::default();
    let idle_w = plan.idle_w();
    // A cooling processor is judged by what it draws at the end, not by how it began.
    let idle = |log: &Log| Some(log.watts.tail_mean(TAIL_S)? <= idle_w?);
    let (stopped, seconds) = watch(
        stop,
        |elapsed| {
            on_tick(log.read(readings, elapsed, plan.duration));
            let more = idle(&log) == Some(false) && elapsed < plan.longest.max(plan.duration);
            elapsed >= plan.duration && !more
        },
        |elapsed| until(plan.duration, elapsed),
    )
    .await;
    Cooldown {
        seconds,
        watts: log.watts.tail_mean(TAIL_S),
        reached_idle: idle(&log),
        idle_w,
        celsius: log.celsius.last(),
        stopped,
    }
}

/// Measures idle power: does nothing for `duration`, and reads.
pub(crate) async fn baseline(
    duration: Duration,
    readings: &Readings<'_>,
    stop: impl Future<Output = ()>,
    on_tick: &mut dyn FnMut(Tick),
) -> Baseline {
    let mut log = Log::default();
    let (stopped, seconds) = watch(
        stop,
        |elapsed| {
            on_tick(log.read(readings, elapsed, duration));
            elapsed >= duration
        },
        |elapsed| until(duration, elapsed),
    )
    .await;
    let power = log.watts.trend();
    Baseline {
        watts: power.as_ref().map(|trend| trend.mean),
        sd_w: power.and_then(|trend| trend.sd),
        seconds,
        samples: log.watts.len(),
        celsius: log.celsius.last(),
        estimated: readings.estimated,
        stopped,
        other_cores: None,
    }
}
