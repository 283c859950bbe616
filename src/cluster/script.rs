//! The batch scripts that a study is submitted with: plain shell, to be read, kept and changed.

use super::study::SHARDS;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a study's scripts are written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The study's folder.
    pub root: PathBuf,
    /// Where the command line was typed.
    pub here: PathBuf,
    /// The joulerace that tasks run.
    pub program: PathBuf,
    /// Shards, one a task.
    pub shards: u32,
    /// Blocks in all.
    pub blocks: u32,
    /// The experiment's flags.
    pub flags: Vec<OsString>,
    /// Variables that tasks need, in order.
    pub variables: Vec<(String, String)>,
    /// Slurm's options, checked.
    pub options: Options,
    /// How long before its time is up a task is warned, in seconds: longer than a trial takes.
    pub warning_s: u64,
}

/// Slurm's options as they were typed, one option with its value an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<Vec<String>>);

/// Options that would break a study, and why.
const REFUSED: [(&str, &str, &str); 6] = [
    ("--array", "-a", "the shards are its tasks: --shards says how many"),
    ("--nodes", "-N", "a shard is one machine's"),
    ("--ntasks", "-n", "a shard is one process"),
    ("--ntasks-per-node", "--ntasks-per-node", "a shard is one process"),
    ("--oversubscribe", "-s", "what else runs on a node is measured with it"),
    ("--wrap", "--wrap", "the batch script is joulerace's own"),
];

/// Options that say where a job may run at all, which the merging one needs as well.
const OF_BOTH: [(&str, &str); 6] = [
    ("--partition", "-p"),
    ("--account", "-A"),
    ("--qos", "-q"),
    ("--reservation", "--reservation"),
    ("--clusters", "-M"),
    ("--export", "--export"),
];

impl Options {
    /// Groups and checks Slurm's options.
    ///
    /// # Errors
    ///
    /// The option, and why it cannot be given.
    pub fn parse(words: &[String]) -> Result<Options, String> {
        let mut options: Vec<Vec<String>> = Vec::new();
        for word in words {
            if word.contains(['\n', '\r', '\0']) {
                return Err(format!("{word:?} is not an option of Slurm"));
            }
            match options.last_mut() {
                _ if word.starts_with('-') => options.push(vec![word.clone()]),
                Some(option) => option.push(word.clone()),
                None => {
                    return Err(format!(
                        "{word} is not an option of Slurm; put the experiment's flags after --"
                    ));
                }
            }
        }
        for option in &options {
            let refused = REFUSED.iter().find(|(long, short, _)| is(option, long, short));
            if let Some((long, _, why)) = refused {
                return Err(format!("{long}: {why}"));
            }
        }
        Ok(Options(options))
    }

    fn has(&self, long: &str, short: &str) -> bool {
        self.0.iter().any(|option| is(option, long, short))
    }

    /// The seconds of a `--signal`; which signal it is, joulerace decides.
    fn warning_s(&self) -> Option<u64> {
        let signal = self.0.iter().rev().find(|option| is(option, "--signal", "--signal"))?;
        signal.join("=").rsplit_once('@')?.1.parse().ok()
    }

    fn lines(&self, wanted: impl Fn(&[String]) -> bool) -> String {
        let lines = self.0.iter().filter(|option| wanted(option));
        lines.map(|option| format!("#SBATCH {}\n", words(option))).collect()
    }
}

/// Whether an option is the one with these names: `--time=5`, `--time 5`, `-t5`, `-t 5`.
fn is(option: &[String], long: &str, short: &str) -> bool {
    let first = option.first().map_or("", String::as_str);
    let name = first.split('=').next().unwrap_or_default();
    let short_one = short.len() == 2 && !first.starts_with("--") && first.starts_with(short);
    name == long || name == short || short_one
}

fn words(option: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = !word.is_empty() && !word.contains([' ', '\t', '#', '"', '\'']);
        if plain { word.clone() } else { format!("\"{}\"", word.replace('"', "\\\"")) }
    };
    option.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

impl Job {
    /// Where the tasks' outputs go.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The script whose tasks are the shards.
    #[expect(clippy::too_many_lines, reason = "one script, which is read as it is written")]
    pub fn shards_script(&self) -> String {
        let Job { root, shards, blocks, .. } = self;
        let of_shard = root.join(SHARDS).join("$SLURM_ARRAY_TASK_ID");
        let journal = of_shard.join("journal.jsonl").display().to_string();
        let warning_s = self.options.warning_s().unwrap_or(self.warning_s);
        let given = |long: &str, short: &str| self.options.has(long, short);
        let unless = |has: bool, line: &str| if has { String::new() } else { format!("{line}\n") };
        format!(
            "#!/bin/bash\n\
             # A study of {blocks} blocks in {shards} shards, each on a machine of its own. Written by joulerace {version};\n\
             # read it, keep it, change it. Shards that are not done go on with: sbatch --array=2,5 {script}\n\
             {name}\
             #SBATCH --array=1-{shards}\n\
             #SBATCH --nodes=1\n\
             #SBATCH --ntasks=1\n\
             {exclusive}\
             #SBATCH --requeue\n\
             #SBATCH --open-mode=append\n\
             #SBATCH --output={logs}\n\
             #SBATCH --signal=B:USR1@{warning_s}\n\
             {options}\n\
             cd {here}\n\
             {variables}\
             # Trials are recorded with the machine that ran them.\n\
             export JOULERACE_MACHINE=\"$SLURMD_NODENAME\"\n\n\
             ended() {{ grep -cs '\"trial-ended\"' \"{journal}\"; }}\n\
             before=$(ended)\n\n\
             # Begins the shard, or goes on with it where a task before this one had to stop.\n\
             {command} &\n\
             host=$!\n\n\
             # Slurm warns this script with USR1 {warning_s} s before the time is up: then the present trial is the last.\n\
             # TERM, where the task has to go, Slurm sends to joulerace as well.\n\
             warn() {{\n    \
                 heard=1\n    \
                 [ \"$warned\" ] && return\n    \
                 warned=1\n    \
                 echo \"Slurm warns at $(date +%T) that the task has to end; the present trial is its last\" >&2\n    \
                 kill -TERM \"$host\"\n\
             }}\n\
             trap warn USR1\n\
             trap 'heard=1' TERM\n\
             while heard=; wait \"$host\"; status=$?; [ \"$heard\" ]; do :; done\n\n\
             # 8: it stopped before its end. The task queues up again with what is left, unless its time is too short\n\
             # for even one trial.\n\
             if [ \"$status\" = 8 ] && [ \"$warned\" ]; then\n    \
                 if [ \"$(ended)\" -gt \"${{before:-0}}\" ]; then\n        \
                     scontrol requeue \"$SLURM_JOB_ID\"\n    \
                 else\n        \
                     echo \"no trial ended within the time that the task has; give it more with --time\" >&2\n    \
                 fi\n\
             fi\n\
             exit \"$status\"\n",
            version = env!("CARGO_PKG_VERSION"),
            script = quoted(&root.join("job.sh").to_string_lossy()),
            name = unless(given("--job-name", "-J"), "#SBATCH --job-name=joulerace"),
            exclusive = unless(given("--exclusive", "--exclusive"), "#SBATCH --exclusive"),
            logs = words(&[self.logs().join("%a.log").display().to_string()]),
            options = self.options.lines(|option| !is(option, "--signal", "--signal")),
            here = quoted(&self.here.to_string_lossy()),
            variables = self.exports(),
            journal = in_double_quotes(&journal),
            command = self.command(),
        )
    }

    /// The script that merges the shards when all tasks are over, however they ended.
    pub fn merge_script(&self) -> String {
        let both = |option: &[String]| OF_BOTH.iter().any(|(long, short)| is(option, long, short));
        format!(
            "#!/bin/bash\n\
             # Makes the shards one experiment and analyses it. Submitted to begin after the last of them; can be\n\
             # run again at any time.\n\
             #SBATCH --job-name=joulerace-merge\n\
             #SBATCH --ntasks=1\n\
             #SBATCH --output={logs}\n\
             {options}\n\
             cd {here}\n\
             {variables}\
             {program} merge {root}\n",
            logs = words(&[self.logs().join("merge.log").display().to_string()]),
            options = self.options.lines(both),
            here = quoted(&self.here.to_string_lossy()),
            variables = self.exports(),
            program = quoted(&self.program.to_string_lossy()),
            root = quoted(&self.root.to_string_lossy()),
        )
    }

    fn exports(&self) -> String {
        let line = |(name, value): &(String, String)| format!("export {name}={}\n", quoted(value));
        self.variables.iter().map(line).collect()
    }

    /// The experiment's command line, wrapped to be read: a flag and its value stay together.
    fn command(&self) -> String {
        let mut words: Vec<String> = vec![quoted(&self.program.to_string_lossy())];
        // What stands behind `--` are commands, and flags come before them.
        let end = self.flags.iter().position(|flag| flag == "--").unwrap_or(self.flags.len());
        let (flags, commands) = self.flags.split_at(end);
        let quote = |word: &OsString| quoted(&word.to_string_lossy());
        let shard = format!("--shard \"$SLURM_ARRAY_TASK_ID/{}\" --resume", self.shards);
        let all = flags.iter().map(quote).chain([shard]).chain(commands.iter().map(quote));
        for flag in all {
            match words.last_mut() {
                Some(last) if !flag.starts_with('-') && words_begin(last) => {
                    last.push(' ');
                    last.push_str(&flag);
                }
                _ => words.push(flag),
            }
        }
        let mut lines: Vec<String> = Vec::new();
        for word in words {
            match lines.last_mut() {
                Some(line) if line.len() + word.len() < LONGEST => {
                    line.push(' ');
                    line.push_str(&word);
                }
                Some(_) => lines.push(format!("    {word}")),
                None => lines.push(word),
            }
        }
        lines.join(" \\\n")
    }
}

/// The longest line of a script, unless a single word is longer.
const LONGEST: usize = 100;

/// Whether a value may stand behind this word.
fn words_begin(word: &str) -> bool {
    word.starts_with('-') && !word.contains([' ', '='])
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    let whole = !word.is_empty() && word.chars().all(plain);
    if whole { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// What stands in double quotes in a shell, with the task's number in it.
fn in_double_quotes(text: &str) -> String {
    let escaped =
        text.replace('\\', r"\\").replace('"', "\\\"").replace('`', r"\`").replace('$', r"\$");
    escaped.replace(r"\$SLURM_ARRAY_TASK_ID", "$SLURM_ARRAY_TASK_ID")
}

/// The experiment's flags as tasks have them: with the seed that was drawn, and the study's folder.
pub fn flags(typed: &[OsString], root: &Path, order_seed: u64) -> Vec<OsString> {
    let mut flags = Vec::new();
    let end = typed.iter().position(|word| word == "--").unwrap_or(typed.len());
    let (typed, commands) = typed.split_at(end);
    let mut typed = typed.iter();
    while let Some(word) = typed.next() {
        let text = word.to_string_lossy();
        let ours = ["--order-seed", "--output"];
        if ours.contains(&&*text) {
            typed.next();
        } else if !ours.iter().any(|own| text.strip_prefix(own).is_some_and(|r| r.starts_with('=')))
        {
            flags.push(word.clone());
        }
    }
    flags.extend([
        "--order-seed".into(),
        order_seed.to_string().into(),
        "--output".into(),
        root.as_os_str().to_owned(),
    ]);
    flags.extend_from_slice(commands);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Options, String> {
        Options::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    fn job(words: &[&str]) -> Job {
        Job {
            root: "/home/ada/my study".into(),
            here: "/home/ada".into(),
            program: "/opt/joulerace".into(),
            shards: 5,
            blocks: 30,
            flags: vec!["--frameworks".into(), "a,b".into(), "--note".into(), "it's".into()],
            variables: vec![("JOULERACE_CACHE_DIR".into(), "/scratch/ada cache".into())],
            options: options(words).unwrap(),
            warning_s: 300,
        }
    }

    #[test]
    fn options_that_would_break_a_study_are_refused_by_name() {
        for (words, flag) in [
            (&["--array=1-3"][..], "--array"),
            (&["-N", "2"], "--nodes"),
            (&["-n4"], "--ntasks"),
            (&["--oversubscribe"], "--oversubscribe"),
        ] {
            assert!(options(words).unwrap_err().starts_with(flag), "{words:?}");
        }
        let misplaced = options(&["torch"]).unwrap_err();
        assert!(misplaced.contains("after --"), "{misplaced}");
        assert!(options(&["--nice", "5", "-t10", "--nodelist=n[1-3]"]).is_ok());
    }

    #[test]
    fn the_users_options_stand_in_the_script_and_only_the_time_of_a_signal_is_theirs() {
        let script =
            job(&["--time", "2:00:00", "--signal=TERM@90", "--comment", "a b", "-p", "long"]);
        let (shards, merge) = (script.shards_script(), script.merge_script());
        for line in [
            "#SBATCH --time 2:00:00",
            "#SBATCH --signal=B:USR1@90",
            "#SBATCH --comment \"a b\"",
            "#SBATCH --array=1-5",
            "#SBATCH --exclusive",
            "export JOULERACE_CACHE_DIR='/scratch/ada cache'",
        ] {
            assert!(shards.lines().any(|l| l == line), "{line}\n{shards}");
        }
        assert!(!shards.contains("TERM@90"));
        assert!(merge.contains("#SBATCH -p long") && !merge.contains("--time"), "{merge}");
    }

    #[test]
    fn the_seed_and_the_folder_are_named_once() {
        let typed = ["--output", "out", "--epochs", "2", "--order-seed=3"].map(OsString::from);
        let flags = flags(&typed, Path::new("/s"), 7);
        assert_eq!(flags, ["--epochs", "2", "--order-seed", "7", "--output", "/s"]);
        let typed = ["compare", "--", "a --output b"].map(OsString::from);
        let commands = super::flags(&typed, Path::new("/s"), 7);
        let expected = ["compare", "--order-seed", "7", "--output", "/s", "--", "a --output b"];
        assert_eq!(commands, expected);
        let script = Job { flags: commands, ..job(&[]) }.shards_script();
        let script = script.replace(" \\\n    ", " ");
        let line = "/opt/joulerace compare --order-seed 7 --output /s \
                    --shard \"$SLURM_ARRAY_TASK_ID/5\" --resume -- 'a --output b' &";
        assert!(script.contains(line), "{script}");
    }

    /// bash reads both, whatever stands in paths and flags.
    #[test]
    fn the_scripts_are_shell() {
        let job = job(&[]);
        for script in [job.shards_script(), job.merge_script()] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("script.sh");
            std::fs::write(&path, &script).unwrap();
            let read = std::process::Command::new("bash").arg("-n").arg(&path).output().unwrap();
            assert!(read.status.success(), "{script}\n{}", String::from_utf8_lossy(&read.stderr));
            assert!(script.lines().all(|line| line.len() <= 130), "{script}");
        }
        assert!(job.shards_script().contains(r"'it'\''s'"));
        assert!(
            job.shards_script()
                .contains("\"/home/ada/my study/shards/$SLURM_ARRAY_TASK_ID/journal.jsonl\"")
        );
    }
}
