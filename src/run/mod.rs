//! An experiment: its trials one after the other, each in a fresh process, and what is kept of them.
//!
//! The way of a trial, from the command down; each step is a function of that file:
//!
//! | step | where |
//! |---|---|
//! | the experiment is made ready, opened, run and judged | `session`, `session/opening` |
//! | which trials are left, in which order, and what is done after each | `execute` |
//! | warm-up, cool-down, idling | `pauses`, `settle` |
//! | one attempt: the meter begins, the worker runs, the record is made | `trial` |
//! | what the worker is told to do | `trial/task`, `prepare::argument`, `commands` |
//! | the worker is started and listened to | `worker::run`, in `worker/host` and `worker/listen` |
//! | the worker does it | `worker/serve`, then `worker/python` or `worker/command` |
//! | its marks, losses and account come in | `trial/heard` |
//! | joules out of its samples | `trial/joules` |
//! | whether it failed, and for want of what | `trial/fate` |
//! | whether the work was the work asked for | `gate` |
//! | its row in the table; a look at whole blocks | `table`, `look` |

pub(crate) mod commands;
mod execute;
mod gauge;
pub(crate) mod interference;
pub(crate) mod look;
mod pauses;
mod session;
pub(crate) mod settle;
pub(crate) mod table;
pub(crate) mod trial;

pub(crate) use execute::Ending;
pub(crate) use session::{Outcome, Session};
