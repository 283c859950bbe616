//! A folder beside the results in which an analysis is written, until it is whole.

use std::fs;
use std::io;
use std::path::Path;

use super::error::AnalysisError;
use crate::files::Dir;
use crate::store::record::HALF_WRITTEN;

/// A hidden folder within the output, so that its files can be renamed into place and no scan sees
/// them. It goes with this value.
#[derive(Debug)]
pub(super) struct Aside {
    folder: tempfile::TempDir,
}

impl Aside {
    /// Makes it, and clears away what a program that was killed left behind.
    pub(crate) fn make(output: &Path) -> Result<Aside, AnalysisError> {
        let failed = |source| AnalysisError::Output { path: output.to_owned(), source };
        for entry in fs::read_dir(output).map_err(failed)?.flatten() {
            let left = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if left && entry.path().is_dir() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(output).map_err(failed)?;
        Ok(Aside { folder })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves every file to its place in `output`, each replacing an older one as a whole, and through no
    /// link: the folder may be a stranger's. What else lies there stays.
    pub(crate) fn put_in_place(self, output: &Path) -> Result<(), AnalysisError> {
        let failed = |source| AnalysisError::Output { path: output.to_owned(), source };
        let from = Dir::open(self.folder.path()).map_err(failed)?;
        let to = Dir::open(output).map_err(failed)?;
        // All places are looked at before the first is taken.
        check(&from, &to).and_then(|()| move_into(&from, &to)).map_err(failed)
    }
}

/// It begins like other half-written files, so that whoever sweeps knows it.
const PREFIX: &str = HALF_WRITTEN;

/// Refuses a place that is taken by anything but a plain file.
fn check(from: &Dir, to: &Dir) -> io::Result<()> {
    for name in from.names()? {
        if from.path().join(&name).is_dir() {
            if to.has(&name) {
                check(&from.sub(&name)?, &to.sub(&name)?)?;
            }
        } else if to.has(&name) {
            to.open_file(&name)?;
        }
    }
    Ok(())
}

fn move_into(from: &Dir, to: &Dir) -> io::Result<()> {
    for name in from.names()? {
        if from.path().join(&name).is_dir() {
            move_into(&from.sub(&name)?, &to.make(&name)?)?;
        } else {
            from.move_to(&name, to, &name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_into_place_and_what_else_lies_there_stays() {
        let output = tempfile::tempdir().unwrap();
        let here = |name: &str| output.path().join(name);
        fs::create_dir(here(".joulerace-left")).unwrap();
        fs::write(here("notes.txt"), "mine").unwrap();
        fs::write(here("summary.json"), "old").unwrap();
        let aside = Aside::make(output.path()).unwrap();
        assert!(!here(".joulerace-left").exists());
        fs::create_dir(aside.path().join("plots")).unwrap();
        fs::write(aside.path().join("plots/a.svg"), "a").unwrap();
        fs::write(aside.path().join("summary.json"), "new").unwrap();
        assert_eq!(fs::read_to_string(here("summary.json")).unwrap(), "old");
        aside.put_in_place(output.path()).unwrap();
        let text = |name: &str| fs::read_to_string(here(name)).unwrap();
        assert_eq!(
            (text("notes.txt"), text("summary.json"), text("plots/a.svg")),
            ("mine".into(), "new".into(), "a".into())
        );
        assert_eq!(fs::read_dir(output.path()).unwrap().count(), 3, "nothing is left behind");
    }

    #[test]
    fn an_analysis_that_is_given_up_leaves_nothing() {
        let output = tempfile::tempdir().unwrap();
        let aside = Aside::make(output.path()).unwrap();
        fs::write(aside.path().join("trials.csv"), "half").unwrap();
        drop(aside);
        assert_eq!(fs::read_dir(output.path()).unwrap().count(), 0);
    }
}
