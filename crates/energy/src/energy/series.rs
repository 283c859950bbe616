//! One column's running energy.

use std::collections::VecDeque;

use super::holes::Unread;
use super::integrity::HOLE_S;
use super::wrap::{Around, Fall, Readings, SHORTEST_S};
use crate::samples::{Column, Quantity};

/// Intervals on either side of a fall that tell what power is plausible there.
const NEIGHBOURS: usize = 25;

/// Falls of one counter that are kept to be resolved at the end; at 500 W and 65,536 J this many wraps take six
/// days. A column that falls more often is no counter, and its other falls count as resets.
const KEPT_FALLS: usize = 4096;

/// An interval this many times the one before, and longer than [`HOLE_S`], shows no standing still: nobody
/// looked.
const HOLE_FACTOR: f64 = 3.0;

/// A reading of power that cannot be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Implausible {
    pub count: u64,
    pub worst_w: f64,
    pub line: u64,
}

/// A counter that did not move, or a power that showed one number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Stillness {
    pub intervals: u64,
    pub seconds: f64,
    /// Seconds since the first sample at which it began.
    pub from_s: f64,
    /// Line on which it ended.
    pub line: u64,
    /// What it showed, J or W.
    pub value: f64,
}

/// One column, added up as its samples come by.
pub(super) struct Series {
    pub column: Column,
    pub first: f64,
    pub last: f64,
    /// Joules since the first sample, without what falls add.
    pub joules: f64,
    pub falls: Vec<Fall>,
    /// Falls beyond [`KEPT_FALLS`].
    pub more_falls: u64,
    pub readings: Readings,
    pub implausible: Option<Implausible>,
    /// Whether it ever showed something: a counter another value than its first, a power one that is not 0. A
    /// column that never did is a register that the machine lacks.
    pub moved: bool,
    /// Intervals with impossible readings, in order. A power was not counted there; what a counter rose by is
    /// unknown.
    pub bad: Vec<Unread>,
    pub longest_still: Stillness,
    still: Stillness,
    recent: VecDeque<(f64, f64)>,
    after_fall: usize,
    /// Joules and seconds collected until they are long enough to judge their power, and since when.
    chunk: (f64, f64),
    chunk_t0: f64,
    /// Whether the last reading of a power is impossible.
    last_bad: bool,
    last_dt: f64,
}

impl Series {
    pub(crate) fn new(column: &Column) -> Series {
        Series {
            column: column.clone(),
            first: 0.0,
            last: 0.0,
            joules: 0.0,
            falls: Vec::new(),
            more_falls: 0,
            readings: Readings::default(),
            implausible: None,
            moved: false,
            bad: Vec::new(),
            longest_still: Stillness::default(),
            still: Stillness::default(),
            recent: VecDeque::with_capacity(NEIGHBOURS),
            after_fall: usize::MAX,
            chunk: (0.0, 0.0),
            chunk_t0: 0.0,
            last_bad: false,
            last_dt: 0.0,
        }
    }

    /// The first sample.
    pub(crate) fn start(&mut self, line: u64, value: f64) {
        self.first = value;
        self.last = value;
        match self.column.quantity {
            Quantity::Counter => self.readings.note(value),
            Quantity::Power => {
                self.moved = value != 0.0;
                self.last_bad = !self.judge(line, value);
            }
        }
    }

    /// The next sample, at `t1` seconds after the first and `t1 - t0` after the one before. Returns
    /// the joules of the interval, 0 where the counter fell.
    pub(crate) fn push(&mut self, line: u64, t0: f64, t1: f64, value: f64) -> f64 {
        let (before, dt) = (std::mem::replace(&mut self.last, value), t1 - t0);
        match self.column.quantity {
            Quantity::Power => {
                self.moved |= value != 0.0;
                self.stand(line, t0, dt, value == before, value);
                let now_bad = !self.judge(line, value);
                if std::mem::replace(&mut self.last_bad, now_bad) || now_bad {
                    self.unread(t0, t1);
                    return 0.0;
                }
                let joules = (before + value) / 2.0 * dt;
                self.joules += joules;
                joules
            }
            Quantity::Counter => {
                self.readings.note(value);
                self.moved |= value != before;
                if value < before {
                    self.fall(line, t0, t1, before, value);
                    return 0.0;
                }
                let joules = value - before;
                self.joules += joules;
                self.rise(line, t0, t1, joules);
                self.stand(line, t0, dt, joules == 0.0, value);
                joules
            }
        }
    }

    fn fall(&mut self, line: u64, t0: f64, t1: f64, from: f64, to: f64) {
        if self.falls.len() < KEPT_FALLS {
            let before = around(self.recent.iter().copied());
            let after = Around::default();
            self.falls.push(Fall { line, t0, t1, from, to, before, after });
            self.after_fall = 0;
        } else {
            self.more_falls += 1;
            self.after_fall = usize::MAX;
        }
        self.recent.clear();
        self.chunk = (0.0, 0.0);
        self.still = Stillness::default();
    }

    /// An interval of which nothing can be said.
    fn unread(&mut self, t0: f64, t1: f64) {
        if let Some(last) = self.bad.last_mut().filter(|last| last.t1 >= t0) {
            last.t1 = t1;
        } else if self.bad.len() < KEPT_FALLS {
            self.bad.push(Unread { t0, t1, joules: 0.0 });
        } else {
            self.more_falls += 1;
        }
    }

    /// Whether it stood, and for how long by now.
    fn stand(&mut self, line: u64, t0: f64, dt: f64, still: bool, value: f64) {
        let hole = dt > HOLE_S && dt > HOLE_FACTOR * self.last_dt;
        self.last_dt = dt;
        if !still || hole {
            self.still = Stillness::default();
            return;
        }
        if self.still.intervals == 0 {
            (self.still.from_s, self.still.value) = (t0, value);
        }
        self.still.intervals += 1;
        self.still.seconds += dt;
        self.still.line = line;
        if self.still.seconds > self.longest_still.seconds {
            self.longest_still = self.still;
        }
    }

    fn rise(&mut self, line: u64, t0: f64, t1: f64, joules: f64) {
        let dt = t1 - t0;
        if self.recent.len() == NEIGHBOURS {
            self.recent.pop_front();
        }
        self.recent.push_back((joules, dt));
        // The neighbours after a fall are the first ones that `recent` holds after it.
        if self.after_fall < NEIGHBOURS {
            self.after_fall += 1;
            if let Some(fall) = self.falls.last_mut() {
                fall.after = around(self.recent.iter().copied());
            }
        }
        if self.chunk.1 == 0.0 {
            self.chunk_t0 = t0;
        }
        self.chunk.0 += joules;
        self.chunk.1 += dt;
        if self.chunk.1 >= SHORTEST_S {
            let watts = self.chunk.0 / self.chunk.1;
            self.chunk = (0.0, 0.0);
            if !self.judge(line, watts) {
                self.unread(self.chunk_t0, t1);
            }
        }
    }

    /// Whether a power is possible; notes one that is not.
    fn judge(&mut self, line: u64, watts: f64) -> bool {
        if (0.0..=self.column.domain.plausible_watts()).contains(&watts) {
            return true;
        }
        let found = self.implausible.get_or_insert(Implausible { count: 0, worst_w: watts, line });
        found.count += 1;
        if watts.abs() > found.worst_w.abs() {
            (found.worst_w, found.line) = (watts, line);
        }
        false
    }
}

/// Energy, time and highest power of some intervals, given as (J, s); the highest power is taken
/// over at least [`SHORTEST_S`].
fn around(intervals: impl Iterator<Item = (f64, f64)>) -> Around {
    let mut all = Around::default();
    let (mut joules, mut seconds) = (0.0, 0.0);
    for (j, s) in intervals {
        all.joules += j;
        all.seconds += s;
        joules += j;
        seconds += s;
        if seconds >= SHORTEST_S {
            all.peak_w = all.peak_w.max(joules / seconds);
            (joules, seconds) = (0.0, 0.0);
        }
    }
    all.peak_w = all.peak_w.max(joules / seconds.max(SHORTEST_S));
    all
}
