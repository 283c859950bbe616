//! What a worker and its host say to each other: one JSON object per line.
//!
//! The program listens and the library within Python speaks; each is built without the other.

// `pub` says that another crate, a test or a bench needs it, so that the compiler names what is dead.
#![warn(unreachable_pub)]

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// The host's first and only line: what to call, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The interpreter to run as.
    pub python: Interpreter,
    /// Folders put before all others on `sys.path`.
    pub sys_path: Vec<PathBuf>,
    /// The module to import.
    pub module: String,
    /// The function to call as `function(argument, emit)`, or `function(argument, arrays, emit)` where
    /// there are arrays.
    pub function: String,
    /// What it is given, as plain Python objects.
    pub argument: Value,
    /// Columns of numbers, which it gets as a dictionary of NumPy arrays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrays: Option<Arrays>,
}

/// A Python to run as.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// The environment's own, `<prefix>/bin/python`.
    pub executable: PathBuf,
    /// Its shared library, which is opened into the worker's process; where there is none, the
    /// executable is started and imports the worker's library as an extension module.
    pub library: Option<PathBuf>,
}

/// Columns of float64 in a file: one after another, in this machine's byte order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrays {
    /// Where they are, on this machine.
    pub file: PathBuf,
    /// Each column's name and number of values, in the file's order.
    pub columns: Vec<(String, usize)>,
}

/// One line of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Message {
    /// The interpreter runs and is the one that was asked for.
    Hello {
        /// The process in which Python runs.
        pid: u32,
        /// `sys.version`'s first word.
        python: String,
        /// `sys.prefix`.
        prefix: PathBuf,
    },
    /// The function passed this to `emit`.
    Event {
        /// The object, with NaN and infinities as null.
        event: Value,
    },
    /// The function returned.
    Done,
    /// It did not.
    Failed {
        /// The exception's type and message, or what kept Python from starting, with its remedy behind it: what
        /// goes over the line and into a record is one text.
        error: String,
        /// Python's traceback, empty where there is none.
        traceback: String,
        /// Whether Python had started: if not, the script was never reached.
        #[serde(default)]
        begun: bool,
    },
}
