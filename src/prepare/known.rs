//! What treatments can be made of here: the scripts that there are, what they declare, and environments.

use crate::paths::Project;
use crate::settings::{Known, Place, Problem, STUDY, Script, SettingsError, place};
use crate::workload;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The scripts of a workload in these folders, the first one's before those of the same name in a later one, and the
/// project's environments with those that were `named`.
pub(crate) fn known(
    folders: &[PathBuf],
    workload: &str,
    project: &Project,
    named: &[(String, PathBuf)],
) -> Result<Known, SettingsError> {
    let mut scripts = BTreeMap::new();
    for folder in folders {
        for framework in workload::frameworks(folder, workload) {
            let path = workload::script(folder, workload, &framework);
            scripts.entry(framework.clone()).or_insert_with(|| {
                Script::read(&framework, &path).unwrap_or_else(|why| Script {
                    framework,
                    broken: Some(why),
                    ..Script::default()
                })
            });
        }
    }
    let mut environments = project_environments(project);
    for (name, folder) in named {
        let told = |problem: Problem| SettingsError::Environment { name: name.clone(), problem };
        if !matches!(place(name), Some(Place::Folder(_))) {
            return Err(told(Problem::advised(
                "an environment cannot be called so",
                "call it by a word of letters, digits, '_' and '-' that begins with a letter",
            )));
        }
        if environments.insert(name.clone(), folder.clone()).is_some() {
            return Err(told("there is one of this name already".into()));
        }
        for file in ["pyproject.toml", "poetry.lock"] {
            if !folder.join(file).is_file() {
                let folder = crate::clean::path(folder);
                let missing = format!("there is no {file} in {folder}");
                let remedy = "Poetry makes it (poetry init, poetry lock)";
                return Err(told(Problem::advised(missing, remedy)));
            }
        }
    }
    Ok(Known { scripts: scripts.into_values().collect(), environments })
}

/// The environments that the project ships: the study's at its root, and a folder for each other one.
pub(crate) fn project_environments(project: &Project) -> BTreeMap<String, PathBuf> {
    let folder = project.root.join("python/environments");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let locked =
        entries.map(|entry| entry.path()).filter(|path| path.join("poetry.lock").is_file());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut found: BTreeMap<String, PathBuf> =
        locked.filter_map(|path| Some((name(&path)?, path))).collect();
    found.insert(STUDY.to_owned(), project.root.clone());
    found
}
