//! An experiment: its trials one after the other, each in a fresh process, and what is kept of them.
//!
//! The way of an experiment and of a trial in it, from the command down. Paths begin at the repository's root.
//!
//! | step | where |
//! |---|---|
//! | the command: settings, plan, run, report | `src/commands/run.rs` |
//! | flags become checked settings | `src/commands/resolve.rs` |
//! | the plan and its order | `src/plan/mod.rs`, `src/plan/order.rs` |
//! | environments, data and meter are made ready | `src/prepare/ready.rs` |
//! | an environment is found or made | `src/env/resolve.rs` |
//! | the meter is chosen | `crates/meter/src/meter/select.rs` |
//! | the experiment is opened, run and judged | `src/run/session.rs`, `src/run/session/opening.rs` |
//! | which trials are left, in which order, and what is done after each | `src/run/execute.rs` |
//! | warm-up, cool-down, idling | `src/run/pauses.rs`, `src/run/settle.rs` |
//! | one attempt: the meter begins, the worker runs, the record is made | `src/run/trial.rs` |
//! | the meter reads while the worker runs | `crates/meter/src/meter/run.rs`, `crates/meter/src/meter/session.rs` |
//! | what the worker is told to do | `src/run/trial/task.rs`, `src/prepare/argument.rs`, `src/run/commands.rs` |
//! | the worker is started and listened to | `src/worker/host.rs`, `src/worker/listen.rs` |
//! | the worker opens Python and calls the script | `src/worker/serve.rs`, `src/worker/python.rs`, `crates/worker/src/serve.rs` |
//! | or runs a command | `src/worker/command.rs` |
//! | its marks, losses and account come in | `src/run/trial/heard.rs` |
//! | joules out of its samples | `src/run/trial/joules.rs` |
//! | whether it failed, and for want of what | `src/run/trial/fate.rs` |
//! | whether the work was the work asked for | `src/gate.rs` |
//! | what is kept of it: the record, the journal's line | `src/store/record.rs`, `src/store/journal.rs` |
//! | its row in the table; a look at whole blocks | `src/run/table.rs`, `src/run/look.rs` |
//! | the analysis of all trials | `src/commands/analyze.rs`, `src/analysis/host.rs`, `python/analysis/host.py` |
//! | the report | `python/analysis/report.py` |

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
