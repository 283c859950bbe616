//! What a workload's scripts declare of themselves, read without running them.

use super::error::SettingsError;
use super::literal::{Literal, constant};
use super::{Device, DeviceError, Treatment};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Larger than any script; what is larger is not read.
const LARGEST: u64 = 4 << 20;

/// A framework's script, as far as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// The framework that it is named after.
    pub framework: String,
    /// The packages that the framework consists of (`PACKAGES`); by default the one of its name.
    pub packages: Vec<String>,
    /// What else has to be installed for it (`REQUIRES`).
    pub requires: Vec<String>,
    /// The oldest release of a package that it works with (`OLDEST`).
    pub oldest: BTreeMap<String, String>,
    /// Programs that it starts and that have to be built first, each a path below the script's folder with
    /// the command that builds it there (`BUILT`).
    pub built: BTreeMap<String, String>,
    /// The folder that it was read from.
    pub folder: PathBuf,
    /// Other ways of doing the work, each with its sentence (`VARIANTS`).
    pub variants: BTreeMap<String, String>,
    /// Where its job can run (`DEVICES`): on the processor, where nothing else is said.
    pub devices: Vec<String>,
    /// The same of variants that have a file for themselves.
    pub devices_of: BTreeMap<String, Vec<String>>,
    /// Why it cannot be used, where what it declares cannot be read.
    pub broken: Option<String>,
}

impl Script {
    /// What a script's text declares.
    ///
    /// # Errors
    ///
    /// Which of its constants cannot be read.
    pub(crate) fn parse(framework: &str, text: &str) -> Result<Script, String> {
        let list = |name: &str| -> Result<Option<Vec<String>>, String> {
            match constant(text, name)? {
                None => Ok(None),
                Some(Literal::List(items)) => items
                    .iter()
                    .map(|item| item.text().map(str::to_owned))
                    .collect::<Option<Vec<String>>>()
                    .map(Some)
                    .ok_or_else(|| format!("{name} holds something else than names")),
                Some(_) => Err(format!("{name} is not a tuple of names")),
            }
        };
        let dictionary = |name: &str, what: &str| -> Result<BTreeMap<String, String>, String> {
            match constant(text, name)? {
                None => Ok(BTreeMap::new()),
                Some(Literal::Pairs(pairs)) => pairs
                    .iter()
                    .map(|(key, value)| Some((key.text()?.to_owned(), value.text()?.to_owned())))
                    .collect::<Option<_>>()
                    .ok_or_else(|| format!("{name} holds something else than names and {what}")),
                Some(_) => Err(format!("{name} is not a dictionary of names and {what}")),
            }
        };
        Ok(Script {
            framework: framework.to_owned(),
            packages: list("PACKAGES")?.unwrap_or_else(|| vec![framework.to_owned()]),
            requires: list("REQUIRES")?.unwrap_or_default(),
            built: dictionary("BUILT", "commands")?,
            folder: PathBuf::new(),
            oldest: dictionary("OLDEST", "releases")?,
            variants: dictionary("VARIANTS", "sentences")?,
            devices: list("DEVICES")?.unwrap_or_else(|| vec![Device::Cpu.to_string()]),
            devices_of: BTreeMap::new(),
            broken: None,
        })
    }

    /// What the script at `path` declares.
    ///
    /// # Errors
    ///
    /// It cannot be read, or its declarations make no sense.
    pub(crate) fn read(framework: &str, path: &Path) -> Result<Script, String> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut script = Script { folder, ..Script::of_file(framework, path)? };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for variant in script.variants.keys() {
            let own = path.with_file_name(format!("{stem}_{variant}.py"));
            if own.is_file() {
                let devices = Script::of_file(framework, &own)?.devices;
                script.devices_of.insert(variant.clone(), devices);
            }
        }
        Ok(script)
    }

    fn of_file(framework: &str, path: &Path) -> Result<Script, String> {
        let told = |why: String| format!("{}: {why}", crate::clean::path(path));
        let text = crate::files::read(path, LARGEST).map_err(|e| told(e.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| told("it is not in UTF-8".to_owned()))?;
        Script::parse(framework, &text).map_err(told)
    }
}

impl Script {
    /// Where the job can run, in a variant or as it is.
    pub(crate) fn devices(&self, variant: Option<&str>) -> &[String] {
        variant.and_then(|variant| self.devices_of.get(variant)).unwrap_or(&self.devices)
    }

    /// Cargo's lock of the program that it starts: the framework's version in it, and the file's text. None
    /// where there is no such program, or another tool built it.
    pub(crate) fn program_lock(&self) -> Option<(String, String)> {
        let program = Path::new(self.built.keys().next()?);
        let lock = self.folder.join(program.components().next()?).join("Cargo.lock");
        let text = String::from_utf8(crate::files::read(&lock, LARGEST).ok()?).ok()?;
        let locked: toml::Table = text.parse().ok()?;
        let of_framework = |package: &&toml::Value| {
            package.get("name").and_then(toml::Value::as_str) == Some(&self.framework)
        };
        let package = locked.get("package")?.as_array()?.iter().find(of_framework)?;
        let version = package.get("version")?.as_str()?.to_owned();
        Some((version, text))
    }

    /// Refuses a script whose program is not built.
    ///
    /// # Errors
    ///
    /// [`SettingsError::NotBuilt`], with how it is built.
    pub(crate) fn is_built(&self) -> Result<(), SettingsError> {
        let Some((program, command)) =
            self.built.iter().find(|(program, _)| !self.folder.join(program).is_file())
        else {
            return Ok(());
        };
        // Its sources lie in the folder that the program's path begins with.
        let source = Path::new(program).components().next().map(|first| self.folder.join(first));
        let folder = crate::clean::path(&self.folder);
        Err(SettingsError::NotBuilt {
            framework: self.framework.clone(),
            remedy: match source.is_some_and(|source| source.is_dir()) {
                true => format!("build it once, in {folder}: {command}"),
                false => format!("its sources are not in {folder}; use a clone of joulerace"),
            },
        })
    }

    /// The package whose version is the framework's: the one of its name, else the first.
    pub(crate) fn main_package(&self) -> &str {
        let named = self.packages.iter().find(|package| **package == self.framework);
        named.or(self.packages.first()).map_or(&self.framework, |package| package)
    }
}

/// What treatments can be made of: scripts and environments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The scripts, by their frameworks.
    pub scripts: Vec<Script>,
    /// Folders of environments, each with a lock, by their names.
    pub environments: BTreeMap<String, PathBuf>,
}

impl Known {
    /// Whether every treatment's script can run on this device.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NotDeclared`] of the first that cannot.
    pub(crate) fn suit(&self, device: Device, treatments: &[Treatment]) -> Result<(), DeviceError> {
        let named = device.to_string();
        for treatment in treatments {
            let script = self.script(&treatment.framework);
            let declared = script.map(|script| script.devices(treatment.variant.as_deref()));
            if let Some(declared) = declared.filter(|declared| !declared.contains(&named)) {
                let (treatment, declared) = (treatment.name.clone(), declared.join(" and "));
                return Err(DeviceError::NotDeclared { device, treatment, declared });
            }
        }
        Ok(())
    }

    /// The script of a framework.
    pub(crate) fn script(&self, framework: &str) -> Option<&Script> {
        self.scripts.iter().find(|script| script.framework == framework)
    }

    /// The frameworks' names, for a message.
    pub(crate) fn frameworks(&self) -> String {
        self.scripts.iter().map(|s| s.framework.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy as _;

    #[test]
    fn a_script_without_declarations_is_its_framework() {
        let script = Script::parse("jax", "import jax\n").unwrap();
        assert_eq!(script.packages, ["jax"]);
        assert!(script.requires.is_empty() && script.variants.is_empty());
        assert_eq!(script.devices(None), ["cpu"]);
    }

    #[test]
    fn a_variant_with_a_file_for_itself_says_for_itself_where_it_can_run() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let variants = "VARIANTS = {'compiled': 'one file', 'other': 'a file of its own'}\n";
        write("x_cnn.py", &format!("DEVICES = ('cpu', 'gpu')\n{variants}"));
        write("x_cnn_other.py", "PACKAGES = ()\n");
        let script = Script::read("x", &folder.path().join("x_cnn.py")).unwrap();
        assert_eq!(script.devices(None), ["cpu", "gpu"]);
        assert_eq!(script.devices(Some("compiled")), ["cpu", "gpu"]);
        assert_eq!(script.devices(Some("other")), ["cpu"]);
    }

    #[test]
    fn a_program_that_is_not_built_is_refused_with_how_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x_cnn.py");
        std::fs::write(&path, "BUILT = {'own/target/x': 'make -C own'}\n").unwrap();
        let script = Script::read("x", &path).unwrap();
        let told = || script.is_built().unwrap_err().in_line();
        assert!(told().contains("a clone of joulerace"), "{}", told());
        std::fs::create_dir_all(folder.path().join("own/target")).unwrap();
        assert!(told().contains("make -C own"), "{}", told());
        std::fs::write(folder.path().join("own/target/x"), "").unwrap();
        script.is_built().unwrap();
        assert_eq!(script.program_lock(), None);
        let lock = "[[package]]\nname = 'other'\nversion = '9.9.9'\n\n\
                    [[package]]\nname = 'x'\nversion = '0.4.2'\n";
        std::fs::write(folder.path().join("own/Cargo.lock"), lock).unwrap();
        let found = script.program_lock().unwrap();
        assert_eq!((found.0.as_str(), found.1.as_str()), ("0.4.2", lock));
    }

    #[test]
    fn what_cannot_be_read_without_running_is_refused_by_its_name() {
        for (text, word) in [
            ("VARIANTS = make()\n", "VARIANTS"),
            ("VARIANTS = ('a',)\n", "VARIANTS"),
            ("PACKAGES = 'jax'\n", "PACKAGES"),
            ("REQUIRES = [('a',)]\n", "REQUIRES"),
            ("OLDEST = ('a', '1.0')\n", "OLDEST"),
        ] {
            assert!(Script::parse("x", text).unwrap_err().contains(word), "{text}");
        }
    }
}
