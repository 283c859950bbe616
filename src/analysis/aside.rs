//! A folder beside the results in which an analysis is written, until it is whole.

use std::fs;
use std::io;
use std::path::{Component, Path};

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

    /// Every file in it, as `NAME` or `FOLDER/NAME`.
    pub(super) fn files(&self) -> io::Result<Vec<String>> {
        let mut files = Vec::new();
        list(&Dir::open(self.folder.path())?, "", &mut files)?;
        files.sort();
        Ok(files)
    }

    /// Moves every file to its place in `output`, each replacing an older one as a whole, and through no
    /// link: the folder may be a stranger's. Of what else lies there, pictures that an `earlier` analysis
    /// drew and this one did not are removed, so that none passes for a new one; the rest stays.
    pub(super) fn put_in_place(
        self,
        output: &Path,
        earlier: &[String],
    ) -> Result<(), AnalysisError> {
        let failed = |source| AnalysisError::Output { path: output.to_owned(), source };
        let made = self.files().map_err(failed)?;
        let from = Dir::open(self.folder.path()).map_err(failed)?;
        let to = Dir::open(output).map_err(failed)?;
        // All places are looked at before the first is taken.
        check(&from, &to).and_then(|()| move_into(&from, &to)).map_err(failed)?;
        for old in earlier.iter().filter(|old| !made.contains(old)) {
            // It may be gone, or something else by now.
            let _ = remove(&to, old);
        }
        Ok(())
    }
}

fn list(folder: &Dir, before: &str, files: &mut Vec<String>) -> io::Result<()> {
    for name in folder.names()? {
        let shown = format!("{before}{}", name.to_string_lossy());
        if folder.path().join(&name).is_dir() {
            list(&folder.sub(&name)?, &format!("{shown}/"), files)?;
        } else {
            files.push(shown);
        }
    }
    Ok(())
}

/// Removes a picture of an earlier analysis. Its name comes from a file that may be a stranger's, so that nothing else
/// is taken away, whatever it says: every table is written anew each time.
fn remove(output: &Dir, file: &str) -> io::Result<()> {
    let parts: Vec<Component<'_>> = Path::new(file).components().collect();
    let kind = Path::new(file).extension().unwrap_or_default();
    match parts[..] {
        [Component::Normal(folder), Component::Normal(name)]
            if folder == PLOTS && PICTURES.iter().any(|known| kind == *known) =>
        {
            output.sub(folder)?.remove(name)
        }
        _ => Ok(()),
    }
}

/// The folder of pictures, and their endings.
const PLOTS: &str = "plots";
const PICTURES: [&str; 3] = ["pdf", "png", "svg"];

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
        fs::create_dir(here("plots")).unwrap();
        for (file, text) in
            [("plots/old.svg", "old"), ("plots/own.svg", "mine"), ("old.csv", "old")]
        {
            fs::write(here(file), text).unwrap();
        }
        fs::write(output.path().with_extension("csv"), "beside").unwrap();
        let outside = format!("../{}.csv", output.path().file_stem().unwrap().display());
        let aside = Aside::make(output.path()).unwrap();
        assert!(!here(".joulerace-left").exists());
        fs::create_dir(aside.path().join("plots")).unwrap();
        fs::write(aside.path().join("plots/a.svg"), "a").unwrap();
        fs::write(aside.path().join("summary.json"), "new").unwrap();
        assert_eq!(fs::read_to_string(here("summary.json")).unwrap(), "old");
        assert_eq!(aside.files().unwrap(), ["plots/a.svg", "summary.json"]);
        let earlier = ["summary.json", "plots/old.svg", "old.csv", "gone.csv", "plots", &outside];
        aside.put_in_place(output.path(), &earlier.map(str::to_owned)).unwrap();
        assert!(output.path().with_extension("csv").exists(), "nothing outside is touched");
        fs::remove_file(output.path().with_extension("csv")).unwrap();
        assert!(!here("plots/old.svg").exists());
        assert!(here("old.csv").exists(), "it may be somebody's samples");
        assert!(here("plots/own.svg").exists(), "it is not of an analysis");
        let text = |name: &str| fs::read_to_string(here(name)).unwrap();
        assert_eq!(
            (text("notes.txt"), text("summary.json"), text("plots/a.svg")),
            ("mine".into(), "new".into(), "a".into())
        );
        assert_eq!(fs::read_dir(output.path()).unwrap().count(), 4, "nothing is left behind");
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
