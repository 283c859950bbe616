//! A project, a cache and a Python of the test's own, in a folder that goes away with it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use joulerace::env::{EnvError, EnvProgress, EnvSettings, Environment, Profile, resolve};
use tempfile::TempDir;

pub const LOCKED: [(&str, &str); 2] = [("numpy", "2.0.2"), ("Typing_Extensions", "4.12.0")];

pub struct Bench {
    pub folder: TempDir,
    pub settings: EnvSettings,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["project", "state", "base/bin"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(at("project/pyproject.toml"), "[project]\nname = \"test\"\n").unwrap();
        fs::write(at("project/poetry.lock"), lock(&LOCKED)).unwrap();
        for (name, text) in [("mode", ""), ("pip", ""), ("calls", "")] {
            fs::write(at("state").join(name), text).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/env/standin.sh");
        symlink(script, at("base/bin/python3")).unwrap();
        fs::write(at("base/bin/.state"), at("state").to_str().unwrap()).unwrap();
        let settings = EnvSettings {
            python_env: None,
            active: None,
            profile: Profile::Analysis,
            allow_unlocked: false,
            project: at("project"),
            cache: at("cache"),
            pythons: vec![at("base/bin/python3")],
            cancel: Default::default(),
            packages: Default::default(),
            study: at("project"),
        };
        let bench = Self { folder, settings };
        bench.answer("3.11.9", "[]");
        bench
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the base Python says of itself; `missing` is a JSON list of modules.
    pub fn answer(&self, version: &str, missing: &str) {
        let base = self.at("base");
        let base = base.display();
        let text = format!(
            r#"{{"version":"{version}","executable":"{base}/bin/python3","prefix":"{base}","base_prefix":"{base}","missing":{missing}}}"#
        );
        fs::write(self.at("state/answer"), text).unwrap();
    }

    pub fn mode(&self, mode: &str) {
        fs::write(self.at("state/mode"), mode).unwrap();
    }

    pub fn lock(&self, packages: &[(&str, &str)]) {
        fs::write(self.settings.project.join("poetry.lock"), lock(packages)).unwrap();
    }

    /// The calls of `program` that contain `words`.
    pub fn calls(&self, program: &str, words: &str) -> Vec<String> {
        let calls = fs::read_to_string(self.at("state/calls")).unwrap();
        let start = format!("{program} ");
        let ours = calls.lines().filter(|line| line.starts_with(&start) && line.contains(words));
        ours.map(String::from).collect()
    }

    pub fn resolve(&self) -> Result<Environment, EnvError> {
        resolve(&self.settings, &mut |_| {})
    }

    pub fn resolve_told(&self) -> (Result<Environment, EnvError>, Vec<EnvProgress>) {
        let mut events = Vec::new();
        let result = resolve(&self.settings, &mut |event| events.push(event));
        (result, events)
    }

    /// A virtual environment with these packages, as somebody else may have made it.
    pub fn foreign(&self, name: &str, version: &str, packages: &[(&str, &str)]) -> PathBuf {
        let prefix = self.at(name);
        let minor = version.rsplit_once('.').unwrap().0;
        let site = prefix.join(format!("lib/python{minor}/site-packages"));
        fs::create_dir_all(prefix.join("bin")).unwrap();
        fs::create_dir_all(&site).unwrap();
        fs::write(prefix.join("pyvenv.cfg"), format!("home = /usr/bin\nversion = {version}\n"))
            .unwrap();
        fs::write(prefix.join("bin/python"), "").unwrap();
        for (name, version) in packages {
            install(&site, name, version);
        }
        prefix
    }
}

/// What pip leaves of a package.
pub fn install(site: &Path, name: &str, version: &str) {
    let folder = site.join(format!("{name}-{version}.dist-info"));
    fs::create_dir_all(&folder).unwrap();
    let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nWords.\n");
    fs::write(folder.join("METADATA"), text).unwrap();
}

pub fn lock(packages: &[(&str, &str)]) -> String {
    let entry = |(name, version): &(&str, &str)| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\noptional = false\n\
             groups = [\"main\"]\nfiles = [{{file = \"a.whl\", hash = \"sha256:00\"}}]\n\n"
        )
    };
    let entries: String = packages.iter().map(entry).collect();
    format!("{entries}[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.11,<3.12\"\n")
}

/// Whether a process is there and not merely waiting to be buried.
pub fn alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Waits until `done`, and says whether that came within ten seconds.
pub fn within_seconds(mut done: impl FnMut() -> bool) -> bool {
    let began = std::time::Instant::now();
    while began.elapsed().as_secs() < 10 {
        if done() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    false
}
