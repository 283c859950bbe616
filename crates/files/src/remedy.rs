//! What went wrong and what to do about it, put together for whoever reads both.
//!
//! An error's `Display` is its cause: what happened, to which flag, file or process. Its remedy is apart, as
//! [`Diagnostic::help`].

use miette::Diagnostic;

/// An error's cause with its remedy.
pub trait Remedy {
    /// What to do about it, where that is known.
    fn remedy(&self) -> Option<String>;

    /// Both, for a screen: a remedy that is a sentence has a line of its own.
    fn in_full(&self) -> String;

    /// Both, for a table, a list or a file's field.
    fn in_line(&self) -> String;
}

impl<E: Diagnostic> Remedy for E {
    fn remedy(&self) -> Option<String> {
        self.help().map(|help| help.to_string()).filter(|help| !help.is_empty())
    }

    fn in_full(&self) -> String {
        joined(self.to_string(), self.remedy(), "\n")
    }

    fn in_line(&self) -> String {
        joined(self.to_string(), self.remedy(), ". ")
    }
}

/// A remedy that goes on in lower case belongs to the cause's sentence; below a list it has its own line.
fn joined(cause: String, remedy: Option<String>, between: &str) -> String {
    let Some(remedy) = remedy else { return cause };
    let sentence = remedy.starts_with(char::is_uppercase);
    let joint = match (cause.contains('\n'), sentence) {
        (true, _) => "\n",
        (false, true) => between,
        (false, false) => "; ",
    };
    cause + joint + &remedy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error, Diagnostic)]
    enum Kettle {
        #[error("kettle: there is no water in it")]
        #[diagnostic(help("fill it"))]
        Empty,
        #[error("kettle: these leak:\n  {}", .0.join("\n  "))]
        #[diagnostic(help("solder them"))]
        Leaks(Vec<String>),
        #[error("kettle: no tea for {0}")]
        #[diagnostic(help("Ask {0} for more"))]
        Tea(String),
        #[error("kettle: gone")]
        Gone,
    }

    #[test]
    fn a_remedy_follows_its_cause_as_a_clause_or_as_a_sentence() {
        let leaks = Kettle::Leaks(vec!["spout".into(), "lid".into()]);
        assert_eq!(Kettle::Empty.in_full(), "kettle: there is no water in it; fill it");
        assert_eq!(leaks.in_line(), "kettle: these leak:\n  spout\n  lid\nsolder them");
        let tea = Kettle::Tea("Ann".into());
        assert_eq!(tea.in_full(), "kettle: no tea for Ann\nAsk Ann for more");
        assert_eq!(tea.in_line(), "kettle: no tea for Ann. Ask Ann for more");
        assert_eq!((Kettle::Gone.remedy(), Kettle::Gone.in_full()), (None, "kettle: gone".into()));
    }
}
