//! The examples under each command's help.

pub(crate) const EXPERIMENT: &str = "\
Examples:
  joulerace                                    the whole experiment, with the defaults
  joulerace --iterations 7 --epochs 1 --train-samples 9600 --test-samples 2000 \\
      --warmup 30s --cooldown 5s               the same in ten minutes
  joulerace --dry-run                          the plan and how long it takes
  joulerace --treatments torch,jax --control torch
  joulerace --versions jax=0.4.30..0.6.2       a history of releases
  joulerace --vary batch-size=32,64,128        a second question
  joulerace doctor --meter rapl                is this machine fit for it?";

pub(crate) const COMPARE: &str = "\
Examples:
  joulerace compare 'python a.py' 'python b.py'
  joulerace compare -n new -n old './new in.txt' './old in.txt' --same-output
  joulerace compare 'gzip -k in.txt' 'xz -k in.txt' --prepare 'rm -f in.txt.*'
  joulerace compare 'sleep {s}' --parameter-list s 0.1,0.2
  joulerace compare 'sort -R in.txt | tail -1' 'shuf -n 1 in.txt' --runs 20
  joulerace compare 'python a.py' 'python b.py' --save race.toml

A command that is too short for the meter runs several times within a trial;
what is told is for one. Its window is the process, or the phases that it
marks (joulerace mark --help).";

pub(crate) const RUN: &str = "\
Examples:
  joulerace --iterations 10 --epochs 1 --save race.toml
  joulerace run race.toml
  joulerace run race.toml --iterations 20 --output results/longer";

pub(crate) const RESUME: &str = "\
Examples:
  joulerace resume results/2026-11-25_14-05-09
  joulerace resume results/2026-11-25_14-05-09 --accept-changes
  joulerace resume results/2026-11-25_14-05-09 --run-commands   one of joulerace compare";

pub(crate) const ANALYZE: &str = "\
Examples:
  joulerace analyze results/2026-11-25_14-05-09
  joulerace analyze measurements               a folder of <group>/<name>_<n>.csv
  joulerace analyze measurements --base old --output report
  joulerace analyze measurements --carbon-intensity NL --price-per-kwh 0.28";

pub(crate) const SUBMIT: &str = "\
Examples:
  joulerace submit --shards 10 --time=4:00:00 -- --iterations 60 --output study
  joulerace submit --shards 10 --partition=long --constraint=epyc --wait -- --iterations 60
  joulerace submit --shards 10 --prepare node --dry-run -- --iterations 60";

pub(crate) const STATUS: &str = "\
Examples:
  joulerace status study";

pub(crate) const MERGE: &str = "\
Examples:
  joulerace --iterations 30 --order-seed 7 --shard 2/5 --output study
                                               on the second of five machines
  rsync -a machine2:study/ study/              and so from all five
  joulerace merge study";

pub(crate) const PACK: &str = "\
Examples:
  joulerace pack results/2026-11-25_14-05-09 --author 'Ada Lovelace' --license CC-BY-4.0
  joulerace pack results/2026-11-25_14-05-09 --output artifact.zip";

pub(crate) const REPLAY: &str = "\
Examples:
  joulerace replay artifact.zip
  joulerace replay artifact.zip --plan         the same experiment on this machine, as a dry run";

pub(crate) const AUDIT: &str = "\
Examples:
  joulerace audit emissions.csv                a table that CodeCarbon wrote
  joulerace audit run_table.csv --columns group=language,block=algorithm
  joulerace audit runs.csv --columns group=lang,energy=pkg,unit=Wh,time=secs
  joulerace audit measurements --strict        a folder; the exit status says what was found";

pub(crate) const VERIFY: &str = "\
Examples:
  joulerace verify
  joulerace verify --treatments torch,jax --steps 20
  joulerace verify --json > work.json";

pub(crate) const DOCTOR: &str = "\
Examples:
  joulerace doctor
  joulerace doctor --iterations 10 --meter rapl
  joulerace doctor --spread 2                  paired differences scatter by 2%
  joulerace doctor --json > machine.json
  joulerace doctor compare './old in.txt' './new in.txt'";

pub(crate) const MEASURE: &str = "\
Examples:
  joulerace measure -- make -j4
  joulerace measure --runs 10 --name new --output out -- ./new input.txt
  joulerace measure --runs 10 --name old --output out -- ./old input.txt
  joulerace analyze out                        compares the two
  joulerace measure --json -- ./new input.txt > result.json

The result stands on standard error. The exit status is the command's own;
127 where there is no such command, 126 where it cannot be run. Phases that the
command marks (joulerace mark --help) are told one by one.";

pub(crate) const MARK: &str = "\
Examples, in a shell script that is measured:
  joulerace mark sort begin
  sort big.txt > sorted.txt
  joulerace mark sort end
In Python, where a mark costs less than starting a program:
  marks = open(os.environ.get('JOULERACE_MARKS', os.devnull), 'a', buffering=1)
  print('sort begin', file=marks)";

pub(crate) const ENV: &str = "\
Examples:
  joulerace env list
  joulerace env sync                           make them now, not at the first experiment
  joulerace env lock torch@2.4.1               fix a version's packages beforehand
  joulerace env lock --from artifact.zip       take over those of a packed experiment
  joulerace env prune                          remove those that no clone needs";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  joulerace completions bash > ~/.local/share/bash-completion/completions/joulerace
  joulerace completions zsh > ~/.zfunc/_joulerace
  joulerace completions fish > ~/.config/fish/completions/joulerace.fish";

pub(crate) const MAN: &str = "\
Examples:
  joulerace man | man -l -
  joulerace man ~/.local/share/man/man1        a page for each command";
