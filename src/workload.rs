//! Jobs that can be done in several ways: a workload is a folder of scripts `<framework>_<workload>.py`.

use crate::paths::{Project, shown};
use crate::phase::Phase;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where a workload's scripts are, and what they are called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// The ending of its scripts' names: `cnn` of `torch_cnn.py`.
    pub name: String,
    /// The folder of its scripts.
    pub folder: PathBuf,
}

/// What `workload.toml` in its folder says of a workload, for sentences about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct About {
    /// What the job is, after "the same": `training of a convolutional network on MNIST's images`.
    pub title: String,
    /// The phases that are reported.
    pub window: Vec<Phase>,
    /// Whether it works on MNIST's images, which are then made ready; where it does not say so, they are
    /// for a workload with a `spec.py`, whose loop reads them.
    pub images: Option<bool>,
}

impl Default for About {
    fn default() -> About {
        About { title: String::new(), window: Phase::WINDOW.to_vec(), images: None }
    }
}

/// A workload that cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum WorkloadError {
    /// Neither one of the project's nor a folder.
    #[error("--workload: there is no workload '{given}'; there are: {known}")]
    #[diagnostic(help("or name a folder of your own scripts by its path"))]
    Unknown {
        /// As it was typed.
        given: String,
        /// What there is.
        known: String,
    },
    /// A folder without a script of the workload's.
    #[error("--workload: {folder} holds no script")]
    #[diagnostic(help("call them <framework>_{name}.py, as the folder is called {name}"))]
    Empty {
        folder: String,
        /// What the scripts have to be called by.
        name: String,
    },
    /// `workload.toml` cannot be used.
    #[error("{file}: {why}")]
    About {
        file: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Workload {
    /// The workload that `given` names: one of the project's, or a folder anywhere.
    ///
    /// # Errors
    ///
    /// [`WorkloadError`], with what there is.
    pub(crate) fn find(given: &str, project: &Project) -> Result<Workload, WorkloadError> {
        let known = names(&project.workloads());
        if known.iter().any(|name| name == given) {
            return Ok(Workload::of(given, &project.workloads()));
        }
        let folder = Path::new(given);
        let unknown =
            || WorkloadError::Unknown { given: given.to_owned(), known: known.join(", ") };
        if !folder.is_dir() {
            return Err(unknown());
        }
        let folder = folder.canonicalize().map_err(|_| unknown())?;
        let name = folder.file_name().ok_or_else(unknown)?.to_string_lossy().into_owned();
        let workload = Workload { name, folder };
        if workload.frameworks().is_empty() {
            let (folder, name) = (shown(&workload.folder), workload.name);
            return Err(WorkloadError::Empty { folder, name });
        }
        Ok(workload)
    }

    /// One of the project's, by its name.
    pub(crate) fn of(name: &str, workloads: &Path) -> Workload {
        Workload { name: name.to_owned(), folder: workloads.join(name) }
    }

    /// The frameworks that have a script in it, sorted.
    pub(crate) fn frameworks(&self) -> Vec<String> {
        frameworks(&self.folder, &self.name)
    }

    /// What its scripts are imported from: their own folder, then what all workloads share.
    pub(crate) fn search_path(&self, project: &Project) -> Vec<PathBuf> {
        vec![self.folder.clone(), project.workloads()]
    }

    /// What its `workload.toml` says; what holds for most where there is none.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::About`] for a file that cannot be read or has unknown keys.
    pub(crate) fn about(&self) -> Result<About, WorkloadError> {
        let file = self.folder.join("workload.toml");
        let error = |why: String| WorkloadError::About { file: shown(&file), why };
        match std::fs::read_to_string(&file) {
            Ok(text) => toml::from_str(&text).map_err(|e| error(e.to_string())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(About::default()),
            Err(e) => Err(error(e.to_string())),
        }
    }
}

/// Whether a workload's scripts work on images, as its `workload.toml` says, or its having a `spec.py`: its
/// own or, where it stands in place of the project's workload of this name, that one's.
///
/// # Errors
///
/// As [`Workload::about`].
pub(crate) fn uses_images(workload: &Workload, project: &Project) -> Result<bool, WorkloadError> {
    let own = project.workloads().join(&workload.name);
    let has_spec = [&workload.folder, &own].iter().any(|folder| folder.join("spec.py").is_file());
    Ok(workload.about()?.images.unwrap_or(has_spec))
}

/// A framework's script.
pub(crate) fn script(folder: &Path, workload: &str, framework: &str) -> PathBuf {
    folder.join(format!("{framework}_{workload}.py"))
}

/// The names before `_<workload>.py` in a folder, sorted.
pub(crate) fn frameworks(folder: &Path, workload: &str) -> Vec<String> {
    let ending = format!("_{workload}.py");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(&ending).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// The project's own workloads: the folders that hold scripts called by them, sorted.
fn names(workloads: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(workloads).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str().map(str::to_owned))
        .filter(|name| !frameworks(&workloads.join(name), name).is_empty())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy as _;

    fn project() -> Project {
        Project { root: env!("CARGO_MANIFEST_DIR").into() }
    }

    #[test]
    fn a_name_is_the_projects_and_a_path_is_a_folder_of_ones_own() {
        let cnn = Workload::find("cnn", &project()).unwrap();
        assert!(cnn.frameworks().iter().any(|name| name == "torch"));
        assert_eq!(cnn.about().unwrap().window, Phase::WINDOW);

        let scratch = tempfile::tempdir().unwrap();
        let own = scratch.path().join("sorting");
        std::fs::create_dir(&own).unwrap();
        let typed = own.to_str().unwrap();
        let empty = Workload::find(typed, &project()).unwrap_err().in_line();
        assert!(empty.contains("<framework>_sorting.py"), "{empty}");
        std::fs::write(own.join("list_sorting.py"), "").unwrap();
        let found = Workload::find(typed, &project()).unwrap();
        assert_eq!((found.name.as_str(), found.frameworks()), ("sorting", vec!["list".to_owned()]));
    }

    #[test]
    fn what_is_unknown_is_named_beside_what_there_is() {
        let told = Workload::find("rnn", &project()).unwrap_err().in_line();
        assert!(told.contains("'rnn'") && told.contains("cnn"), "{told}");
    }

    #[test]
    fn images_are_for_those_that_ask_for_them_or_have_the_loop_that_reads_them() {
        let (project, folder) = (project(), tempfile::tempdir().unwrap());
        let own = |name: &str| Workload { name: name.into(), folder: folder.path().into() };
        assert!(uses_images(&Workload::of("mlp", &project.workloads()), &project).unwrap());
        assert!(uses_images(&own("cnn"), &project).unwrap(), "in place of the project's own");
        assert!(!uses_images(&own("sums"), &project).unwrap());
        std::fs::write(folder.path().join("workload.toml"), "images = true").unwrap();
        assert!(uses_images(&own("sums"), &project).unwrap());
    }

    #[test]
    fn a_word_that_nobody_understands_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("workload.toml"), "windows = [\"train\"]").unwrap();
        let workload = Workload { name: "x".into(), folder: folder.path().into() };
        let told = workload.about().unwrap_err().in_line();
        assert!(told.contains("workload.toml") && told.contains("windows"), "{told}");
    }
}
