//! Which trials form a block: those that ran beside each other, as far as the files show it.
//!
//! An experiment of joulerace's own records its blocks. Of other files only names and times are known, and the
//! same number in two groups' names may be chance. So numbers are blocks only where the trials that share one
//! also ran one after the other:
//!
//! - All trials are put in the order in which they began. A number's trials are *neighbours* where no other
//!   trial lies between the first and the last of them. Of the numbers that several groups share,
//!   [`NEIGHBOURS_FROM`] must be so, and at least two.
//! - [`SHARED_FROM`] of all trials must have such a number, or most of what was measured would be
//!   left out of the comparison.
//!
//! Groups that ran one after the other, each from number 1 on, fail the first rule, as do numbers
//! that run through all groups; coincidences among those fail the second. Names with time stamps instead
//! of numbers are cut into blocks along the time: a block ends where a group would come twice or after a
//! break, and [`COMPLETE_FROM`] of the trials must lie in blocks that hold every group.

mod cut;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cut::Cut;
use serde::{Deserialize, Serialize};

/// Share of the shared numbers whose trials must be neighbours in time. The rest may be trials that were
/// repeated later.
pub(crate) const NEIGHBOURS_FROM: f64 = 0.8;

/// Share of all trials that must have a number that another group shares.
pub(crate) const SHARED_FROM: f64 = 2.0 / 3.0;

/// Share of the trials that must lie in complete blocks where blocks are made of neighbours in time. A
/// random order of two groups reaches 0.67 on average.
pub(crate) const COMPLETE_FROM: f64 = 0.8;

/// A pause this many times the usual time from one beginning to the next ends a block.
const BREAK: f64 = 6.0;

/// Seconds since 1970 before which no file was written: such a clock counts from something else.
const CLOCK_FROM_S: f64 = 1e8;

/// Trials of one group that overlap did not run one after the other; so many of a group's may, or
/// the times do not tell an order.
const OVERLAPS_UP_TO: f64 = 0.2;

/// What blocks are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// Those that names and times show.
    #[default]
    Auto,
    /// The same number is the same block, whatever the times say.
    Number,
    /// Neighbours in time.
    Time,
    /// Trials are compared one by one.
    None,
}

/// What blocks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// An experiment's own.
    Experiment,
    /// The same number in the files' names.
    Number,
    /// Neighbours in time.
    Time,
    /// None: the trials are not paired.
    None,
}

/// Which trials form a block, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pairing {
    /// What blocks there are.
    pub how: How,
    /// What was asked for.
    pub asked: Asked,
    /// A sentence that says what it rests on.
    pub why: String,
    /// Each trial's block.
    #[serde(skip)]
    pub blocks: Vec<Option<u64>>,
}

/// What is known of a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Known<'a> {
    pub group: &'a str,
    pub session: Option<&'a str>,
    /// The number in its name.
    pub number: Option<u64>,
    /// Whether its name tells a time.
    pub stamp: bool,
    /// When it began and ended, seconds since 1970; `None` where it could not be read.
    pub time: Option<(f64, f64)>,
}

/// Whether the trials' numbers are known to be those of blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Their times decide.
    #[default]
    Open,
    /// Yes: the words say by what.
    Blocks(String),
    /// There are none, although something counts runs: the words say why they are none.
    None(String),
}

/// Finds the blocks.
///
/// # Errors
///
/// The files do not show the blocks that were asked for.
pub(crate) fn pair(
    trials: &[Known<'_>],
    asked: Asked,
    counted: &Counted,
) -> Result<Pairing, String> {
    let times = Times::of(trials);
    let numbered = Numbered::of(trials);
    let done = |how, why: String, blocks| Ok(Pairing { how, asked, why, blocks });
    let none = |why: String| done(How::None, why, vec![None; trials.len()]);
    match asked {
        Asked::None => none("as asked with --pairing none".to_owned()),
        Asked::Number if numbered.shared() == 0 => Err(
            "--pairing number: no number in the files' names occurs in two groups. See which numbers \
             there are in the table of groups, or name them: --group-by '…(?P<block>…)'"
                .to_owned(),
        ),
        Asked::Number => {
            let why = format!("as asked with --pairing number{}", numbered.repeats());
            done(How::Number, why, numbered.blocks(&times))
        }
        Asked::Time => {
            let cut = Cut::of(trials, &times).ok_or_else(|| {
                format!("--pairing time: {}", times.trouble.as_deref().unwrap_or("one group only"))
            })?;
            done(How::Time, format!("as asked with --pairing time: {}", cut.figures()), cut.blocks)
        }
        Asked::Auto if groups(trials) < 2 => none("there is one group only".to_owned()),
        Asked::Auto => {
            match counted {
                Counted::Blocks(by) if numbered.shared() > 0 => {
                    let why = format!("{by}{}", numbered.repeats());
                    return done(How::Number, why, numbered.blocks(&times));
                }
                Counted::None(why) => return none(why.clone()),
                Counted::Blocks(_) | Counted::Open => {}
            }
            let against = match numbered.evidence(&times) {
                Ok(why) => return done(How::Number, why, numbered.blocks(&times)),
                Err(against) => against,
            };
            let stamped = trials.iter().filter(|t| t.stamp).count() * 10 >= trials.len() * 9;
            match Cut::of(trials, &times).filter(|_| stamped) {
                Some(cut) if cut.holds() => {
                    let why = format!("the names tell times, and {}", cut.figures());
                    done(How::Time, why, cut.blocks)
                }
                Some(cut) => none(format!("{against}; {}", cut.figures())),
                None => none(against),
            }
        }
    }
}

fn groups(trials: &[Known<'_>]) -> usize {
    trials.iter().map(|t| t.group).collect::<BTreeSet<_>>().len()
}

/// The order in which the trials ran.
struct Times {
    /// Indices of the trials whose time is known, by their beginning.
    order: Vec<usize>,
    /// Each one's place in `order`.
    place: Vec<Option<usize>>,
    /// When it began, s.
    began: Vec<f64>,
    /// Why there is no such order.
    trouble: Option<String>,
}

impl Times {
    fn of(trials: &[Known<'_>]) -> Times {
        let began: Vec<f64> = trials.iter().map(|t| t.time.map_or(f64::NAN, |t| t.0)).collect();
        let mut order: Vec<usize> = (0..trials.len()).filter(|t| began[*t].is_finite()).collect();
        order.sort_by(|a, b| began[*a].total_cmp(&began[*b]));
        let mut trouble = None;
        if order.is_empty() || order.iter().any(|t| began[*t] < CLOCK_FROM_S) {
            trouble =
                Some("the files' times are not dates and do not tell when they ran".to_owned());
        }
        let mut last: BTreeMap<&str, (f64, usize, usize)> = BTreeMap::new();
        for trial in &order {
            let Some((from, to)) = trials[*trial].time else { continue };
            let group = last.entry(trials[*trial].group).or_insert((f64::NEG_INFINITY, 0, 0));
            // A file's last sample may lie a moment after the next one's first.
            group.1 += usize::from(from < group.0 - 0.1 * (to - from));
            group.2 += 1;
            group.0 = group.0.max(to);
        }
        let worst = last.iter().find(|(_, (_, overlaps, all))| {
            *all > 1 && *overlaps as f64 > OVERLAPS_UP_TO * (*all - 1) as f64
        });
        if let (None, Some((group, (_, overlaps, _)))) = (&trouble, worst) {
            trouble = Some(format!(
                "{overlaps} of the trials of '{group}' began before the one before them had ended, so \
                 that the times do not tell which ran beside which"
            ));
        }
        let mut place = vec![None; trials.len()];
        order.iter().enumerate().for_each(|(at, trial)| place[*trial] = Some(at));
        Times { order, place, began, trouble }
    }
}

/// Session and number.
type Key<'a> = (Option<&'a str>, u64);

/// The trials by their numbers.
struct Numbered<'a> {
    /// Each trial's number, but for those that a group has twice.
    keys: Vec<Option<Key<'a>>>,
    /// The trials of each number, where several groups have it.
    shared: BTreeMap<Key<'a>, Vec<usize>>,
    /// How many numbers a group has more than once.
    repeated: usize,
    /// Whether there are any numbers at all.
    any: bool,
    sessions: bool,
}

impl<'a> Numbered<'a> {
    fn of(trials: &[Known<'a>]) -> Numbered<'a> {
        let with = Numbered::within(trials, |t| t.session);
        // Sessions that are called differently in every group say nothing about blocks.
        if with.sessions && with.shared.is_empty() && with.any {
            return Numbered::within(trials, |_| None);
        }
        with
    }

    fn within(
        trials: &[Known<'a>],
        session: impl Fn(&Known<'a>) -> Option<&'a str>,
    ) -> Numbered<'a> {
        let mut keys: Vec<Option<Key<'a>>> =
            trials.iter().map(|t| Some((session(t), t.number?))).collect();
        let mut all: BTreeMap<Key<'a>, Vec<usize>> = BTreeMap::new();
        for (trial, key) in keys.iter().enumerate() {
            if let Some(key) = key {
                all.entry(*key).or_default().push(trial);
            }
        }
        let any = !all.is_empty();
        let count = |of: &Vec<usize>| of.iter().map(|t| trials[*t].group).collect::<BTreeSet<_>>();
        let repeated: Vec<Key<'a>> =
            all.iter().filter(|(_, of)| count(of).len() < of.len()).map(|(key, _)| *key).collect();
        for key in &repeated {
            for trial in all.remove(key).unwrap_or_default() {
                keys[trial] = None;
            }
        }
        all.retain(|_, of| of.len() > 1);
        let sessions = keys.iter().flatten().any(|(session, _)| session.is_some());
        Numbered { keys, shared: all, repeated: repeated.len(), any, sessions }
    }

    fn shared(&self) -> usize {
        self.shared.len()
    }

    fn repeats(&self) -> String {
        match self.repeated {
            0 => String::new(),
            1 => "; one number that a group has twice is not a block".to_owned(),
            n => format!("; {n} numbers that a group has more than once are not blocks"),
        }
    }

    /// What shows that the numbers are blocks; the error says what shows that they are not.
    fn evidence(&self, times: &Times) -> Result<String, String> {
        const INSIST: &str = "--pairing number pairs them all the same";
        if !self.any {
            return Err(
                "neither a column of blocks nor a number in names counts the trials".to_owned()
            );
        }
        let repeats = self.repeats();
        if self.shared.is_empty() {
            return Err(format!("no number in the files' names occurs in two groups{repeats}"));
        }
        if let Some(trouble) = &times.trouble {
            return Err(format!("{trouble}. {INSIST}"));
        }
        let timed: Vec<Vec<usize>> = self
            .shared
            .values()
            .map(|of| of.iter().filter_map(|t| times.place[*t]).collect::<Vec<_>>())
            .filter(|places| places.len() > 1)
            .collect();
        let close = |places: &&Vec<usize>| {
            let (first, last) = (places.iter().min(), places.iter().max());
            first.zip(last).is_some_and(|(a, b)| b - a + 1 == places.len())
        };
        let (near, all) = (timed.iter().filter(close).count(), timed.len());
        let with: usize = self.shared.values().map(Vec::len).sum();
        let trials = self.keys.len();
        let figures = format!(
            "{near} of the {all} numbers that groups share belong to trials that ran one after the \
             other, and {with} of {trials} trials have such a number"
        );
        let holds = near >= 2
            && near as f64 >= NEIGHBOURS_FROM * all as f64
            && with as f64 >= SHARED_FROM * trials as f64;
        if holds {
            Ok(format!("{figures}{repeats}"))
        } else {
            Err(format!("{figures}{repeats}. {INSIST}"))
        }
    }

    /// The number is the block's; where there are sessions, blocks are counted in the order in which
    /// they began.
    fn blocks(&self, times: &Times) -> Vec<Option<u64>> {
        if !self.sessions {
            return self.keys.iter().map(|key| key.map(|(_, number)| number)).collect();
        }
        let mut first: BTreeMap<Key<'a>, f64> = BTreeMap::new();
        for (trial, key) in self.keys.iter().enumerate() {
            if let Some(key) = key {
                let at = first.entry(*key).or_insert(f64::INFINITY);
                *at = at.min(times.began[trial]);
            }
        }
        let mut order: Vec<(f64, Key<'a>)> = first.into_iter().map(|(key, at)| (at, key)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let ids: BTreeMap<Key<'a>, u64> =
            order.into_iter().zip(1..).map(|((_, key), id)| (key, id)).collect();
        self.keys.iter().map(|key| ids.get(&(*key)?).copied()).collect()
    }
}

impl Pairing {
    /// An experiment's own blocks.
    pub(crate) fn of_experiment(blocks: Vec<Option<u64>>) -> Pairing {
        let why = "the experiment's blocks".to_owned();
        Pairing { how: How::Experiment, asked: Asked::Auto, why, blocks }
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::None => write!(f, "not paired: {}", self.why),
            How::Experiment => write!(f, "paired within {}", self.why),
            How::Number => write!(f, "paired by number: {}", self.why),
            How::Time => write!(f, "paired by time: {}", self.why),
        }
    }
}

impl std::str::FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Asked, String> {
        match text {
            "auto" => Ok(Asked::Auto),
            "number" => Ok(Asked::Number),
            "time" => Ok(Asked::Time),
            "none" => Ok(Asked::None),
            other => Err(format!("expected auto, number, time or none, not '{other}'")),
        }
    }
}

#[cfg(test)]
mod tests;
