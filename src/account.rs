//! What a trial tells of its own work once it has done it: a script through its worker, or the worker of a
//! command by itself.

use crate::process::Exit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An account as it came. A workload may tell more than the host knows, so records keep all of it; what is
/// judged is read out of it with the types below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Account(Value);

impl Account {
    /// The account in an event of a worker's.
    pub(crate) fn new(event: Value) -> Account {
        Account(event)
    }

    /// What one field holds, for those that the workload's own specification names and for those that are
    /// only held against the same field of another trial.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// On the test set, 0 to 1, where the work has any.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        self.field("accuracy")?.as_f64()
    }

    /// The seed that the work trained from, where it has any.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.field("seed")?.as_u64()
    }

    /// What the work ran on.
    pub(crate) fn device(&self) -> Option<&str> {
        self.field("device")?.as_str()
    }

    /// A training's account.
    ///
    /// # Errors
    ///
    /// A field has the wrong type, in words.
    pub(crate) fn training(&self) -> Result<Training, String> {
        Training::deserialize(&self.0).map_err(unread)
    }

    /// A command's account.
    ///
    /// # Errors
    ///
    /// As those of [`Account::training`].
    pub(crate) fn command(&self) -> Result<CommandAccount, String> {
        CommandAccount::deserialize(&self.0).map_err(unread)
    }

    /// Its length as JSON, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.0.to_string().len()
    }
}

fn unread(error: serde_json::Error) -> String {
    format!("its account of its work cannot be read: {error}")
}

/// What is judged of a training's account. NaN and infinities arrive as null.
#[derive(Debug, Deserialize)]
pub(crate) struct Training {
    /// Mean training losses, one an epoch, where the work has any.
    pub losses: Option<Vec<Option<f64>>>,
    /// On the test set; the outer `None` where the work has none.
    #[serde(default, with = "serde_with::rust::double_option")]
    pub test_loss: Option<Option<f64>>,
    /// On the test set; the outer `None` where the work has none.
    #[serde(default, with = "serde_with::rust::double_option")]
    pub accuracy: Option<Option<f64>>,
    /// Frameworks that were found in the process.
    #[serde(default)]
    pub frameworks_loaded: Vec<String>,
    /// Fields that the workload's specification expects, and what it expects them to hold.
    pub expected: Option<Map<String, Value>>,
}

/// What the worker of a command tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename = "result")]
pub(crate) struct CommandAccount {
    /// How often the command was run.
    pub repetitions: u32,
    /// How its last run ended.
    pub exit: Exit,
    /// What it printed, where that is looked at.
    pub output: Option<Output>,
    /// How its check went, where it has one.
    pub check: Option<Check>,
}

/// What a command printed on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Its beginning.
    pub head: String,
}

/// How a command's check went: in files `passed`, or why it did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Check {
    /// The work was done.
    Passed,
    /// It was not, for this reason.
    Failed(String),
}

const PASSED: &str = "passed";

impl From<String> for Check {
    fn from(text: String) -> Check {
        if text == PASSED { Check::Passed } else { Check::Failed(text) }
    }
}

impl From<Check> for String {
    fn from(check: Check) -> String {
        match check {
            Check::Passed => PASSED.to_owned(),
            Check::Failed(why) => why,
        }
    }
}

impl CommandAccount {
    /// Why its work does not count, where its check says so.
    pub(crate) fn refused(&self) -> Option<&str> {
        match &self.check {
            Some(Check::Failed(why)) => Some(why),
            Some(Check::Passed) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_is_kept_as_it_came_and_read_for_what_is_judged() {
        let told = json!({
            "event": "result", "note": "mine", "losses": [0.5, null], "accuracy": null, "zeta": 1,
        });
        let account = Account::new(told.clone());
        assert_eq!(serde_json::to_string(&account).unwrap(), told.to_string());
        let training = account.training().unwrap();
        assert_eq!(training.losses, Some(vec![Some(0.5), None]));
        assert_eq!((training.accuracy, training.test_loss), (Some(None), None));
        let odd = Account::new(json!({ "losses": ["low"] }));
        assert!(odd.training().unwrap_err().contains("invalid type: string"));
    }

    #[test]
    fn a_commands_account_comes_back_with_its_check_in_words() {
        let account = |check: Option<Check>| CommandAccount {
            repetitions: 2,
            exit: Exit::Code(0),
            output: None,
            check,
        };
        let written = serde_json::to_string(&account(Some(Check::Passed))).unwrap();
        assert_eq!(
            written,
            r#"{"event":"result","repetitions":2,"exit":{"code":0},"output":null,"check":"passed"}"#
        );
        let back = Account::new(serde_json::from_str(&written).unwrap()).command().unwrap();
        assert_eq!(back.refused(), None);
        let failed = account(Some("--check 'false' ended with exit status 1".to_owned().into()));
        let failed = Account::new(serde_json::to_value(failed).unwrap()).command().unwrap();
        assert_eq!(failed.refused(), Some("--check 'false' ended with exit status 1"));
    }
}
