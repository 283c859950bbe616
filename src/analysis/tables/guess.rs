//! Which column holds what: as `--columns` says, as the tool that wrote the table is known to, or by name.

use std::collections::{BTreeMap, BTreeSet};

use super::Kind;
use super::columns::{Columns, Part, Unit};
use super::read::Sheet;
use crate::samples::Domain;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// A column by its place.
    Column(usize),
    /// The repetition in experiment-runner's `__run_id`.
    Repetition(usize),
    /// The folder that the table lies in.
    Folder,
    /// The table's own name.
    File,
}

/// What every column is taken for.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub group: Vec<From>,
    pub energy: Option<(usize, f64)>,
    pub parts: Vec<(Domain, usize, f64)>,
    pub powers: Vec<(Domain, usize)>,
    pub time: Option<(usize, f64)>,
    pub block: Vec<From>,
    pub start: Option<usize>,
    /// Whether `start` is when a run ended.
    pub ends: bool,
    pub version: Option<usize>,
    pub machine: Vec<usize>,
    pub tracking: Option<usize>,
    pub others: Vec<(String, usize, f64)>,
    /// In the words of `--columns`.
    pub told: String,
}

/// A group has at least so many runs on average, or the factor with most levels becomes the block.
const RUNS: usize = 3;

/// More levels than these are no groups.
const MOST_LEVELS: usize = 60;

/// Names of columns that say what is compared, the likeliest first.
const GROUPS: [&str; 16] = [
    "group",
    "treatment",
    "framework",
    "language",
    "lang",
    "library",
    "tool",
    "compiler",
    "variant",
    "implementation",
    "model",
    "method",
    "system",
    "browser",
    "project_name",
    "name",
];

const BLOCKS: [&str; 8] =
    ["block", "iteration", "repetition", "rep", "trial", "run", "round", "replicate"];

impl Layout {
    /// Finds the columns.
    ///
    /// # Errors
    ///
    /// A column that was named is not there, or no energy or group is found.
    pub fn of(sheet: &Sheet, asked: &Columns) -> Result<Layout, String> {
        let mut layout = Layout::default();
        let named = |key: &str, name: &str| {
            sheet.column(name).ok_or_else(|| {
                let there = sheet.names.join(", ");
                format!("--columns: {key}={name}: there is no such column; there are {there}")
            })
        };
        layout.energies(sheet, asked, &named)?;
        layout.time = match &asked.time {
            Some(name) => Some((named("time", name)?, seconds(name))),
            None => guessed_time(sheet),
        };
        layout.start = match &asked.start {
            Some(name) => Some(named("start", name)?),
            None => ["timestamp", "start", "start_time", "started", "datetime", "date"]
                .iter()
                .find_map(|name| sheet.column(name)),
        };
        layout.ends = sheet.kind == Kind::CodeCarbon && asked.start.is_none();
        layout.version = match &asked.version {
            Some(name) => Some(named("version", name)?),
            None => ["codecarbon_version", "tool_version"].iter().find_map(|n| sheet.column(n)),
        };
        layout.machine = match &asked.machine {
            Some(name) => vec![named("machine", name)?],
            None => [
                "hostname",
                "machine",
                "cpu_model",
                "cpu_count",
                "gpu_model",
                "ram_total_size",
                "os",
            ]
            .iter()
            .filter_map(|name| sheet.column(name))
            .collect(),
        };
        layout.tracking = sheet.column("tracking_mode");
        let place = |key: &str, name: &String| match name.as_str() {
            "@folder" => Ok(From::Folder),
            "@file" => Ok(From::File),
            name => named(key, name).map(From::Column),
        };
        let asked_block: Vec<From> =
            asked.block.iter().map(|n| place("block", n)).collect::<Result<_, _>>()?;
        layout.group = asked.group.iter().map(|n| place("group", n)).collect::<Result<_, _>>()?;
        if layout.group.is_empty() {
            layout.factors(sheet, &asked_block)?;
        }
        if !asked_block.is_empty() {
            layout.block = asked_block;
        } else if layout.block.is_empty() {
            layout.block = guessed_block(sheet, &layout);
        }
        layout.told = layout.words(sheet, asked);
        Ok(layout)
    }

    fn energies(
        &mut self,
        sheet: &Sheet,
        asked: &Columns,
        named: &dyn Fn(&str, &str) -> Result<usize, String>,
    ) -> Result<(), String> {
        let factor = |name: &str| asked.unit.unwrap_or_else(|| unit(name, sheet.kind)).joules();
        for (part, name) in &asked.parts {
            let key = ["cpu", "ram", "gpu"][*part as usize];
            self.parts.push((domain(*part), named(key, name)?, factor(name)));
        }
        if let Some(name) = &asked.energy {
            self.energy = Some((named("energy", name)?, factor(name)));
        }
        let own = asked.energy.is_none() && asked.parts.is_empty();
        if sheet.kind == Kind::CodeCarbon && own {
            let kwh = Unit::KiloWattHours.joules();
            self.energy = sheet.column("energy_consumed").map(|c| (c, kwh));
            for (part, domain) in PARTS {
                if let Some(column) =
                    sheet.column(&format!("{part}_energy")).filter(|c| sheet.filled(*c))
                {
                    self.parts.push((domain, column, kwh));
                }
                if let Some(column) = sheet.column(&format!("{part}_power")) {
                    self.powers.push((domain, column));
                }
            }
            return Ok(());
        }
        let energies: Vec<usize> = (0..sheet.names.len())
            .filter(|c| is_energy(&sheet.names[*c]) && sheet.numeric(*c))
            .collect();
        if own {
            let part = |c: &usize| part_of(&sheet.names[*c]);
            let total = energies.iter().filter(|c| part(c).is_none());
            let package = energies.iter().any(|c| part(c) == Some(Domain::Package));
            let best = total.min_by_key(|c| likeliest(&sheet.names[**c]));
            // Beside a processor's energy, only what is called a total is one.
            let best = best.filter(|c| !package || likeliest(&sheet.names[**c]) < NO_TOTAL);
            self.energy = best.map(|c| (*c, factor(&sheet.names[*c])));
            // Parts that another profiler wrote are no parts of this total.
            let profiler = best.map(|c| profiler(&sheet.names[*c]));
            for column in &energies {
                let name = &sheet.names[*column];
                let ours = profiler.is_none_or(|of| of == self::profiler(name));
                if let Some(domain) = part(column).filter(|_| ours)
                    && self.parts.iter().all(|(d, ..)| *d != domain)
                {
                    self.parts.push((domain, *column, factor(name)));
                }
            }
        }
        let taken = |c: &usize| {
            self.energy.is_some_and(|(e, _)| e == *c) || self.parts.iter().any(|p| p.1 == *c)
        };
        let others: Vec<usize> = energies.iter().filter(|c| !taken(c)).copied().collect();
        for column in others {
            let name = &sheet.names[column];
            self.others.push((name.clone(), column, unit(name, sheet.kind).joules()));
        }
        if self.energy.is_none() && self.parts.is_empty() {
            let there = sheet.names.join(", ");
            return Err(format!(
                "no column of energy is found; name it with --columns energy=COLUMN,unit=J. There are {there}"
            ));
        }
        Ok(())
    }

    /// What is compared, and what repeats over it.
    fn factors(&mut self, sheet: &Sheet, asked_block: &[From]) -> Result<(), String> {
        let taken: BTreeSet<usize> = self.taken().collect();
        let free = |c: &usize| !taken.contains(c) && !asked_block.contains(&From::Column(*c));
        let levels = |c: usize| sheet.levels(c).len();
        let rows = sheet.rows.len();
        if sheet.kind == Kind::ExperimentRunner {
            let after = sheet.column("__done").or(sheet.column("__run_id")).unwrap_or(0) + 1;
            let factor = |c: &usize| {
                let n = levels(*c);
                free(c) && (1..=MOST_LEVELS).contains(&n) && (rows <= 4 || 2 * n <= rows)
            };
            let mut of: Vec<usize> =
                (after..sheet.names.len()).take_while(factor).filter(|c| levels(*c) > 1).collect();
            // A repetition is a block where it was run as one, not where the table was shuffled.
            let repetition = sheet.column("__run_id").map(From::Repetition);
            let mut block: Vec<From> = repetition
                .filter(|from| sheet.has(from) && sheet.in_stretches(from))
                .into_iter()
                .collect();
            while of.len() > 1 && asked_block.is_empty() && sheet.combinations(&of) * RUNS > rows {
                let most = (0..of.len()).max_by_key(|i| levels(of[*i])).unwrap_or(0);
                block.insert(0, From::Column(of.remove(most)));
            }
            self.group = of.into_iter().map(From::Column).collect();
            self.block = block;
        }
        if self.group.is_empty() {
            let possible = |c: &usize| {
                let n = levels(*c);
                free(c) && (2..=MOST_LEVELS).contains(&n) && 2 * n <= rows
            };
            let known = |name: &str| sheet.kind == Kind::CodeCarbon && CODECARBON.contains(&name);
            let by_name = GROUPS.iter().filter_map(|name| sheet.column(name)).find(possible);
            let by_text = (0..sheet.names.len()).find(|c| {
                possible(c)
                    && !sheet.numeric(*c)
                    && !known(&sheet.names[*c])
                    && !BLOCKS.contains(&lower(&sheet.names[*c]).as_str())
            });
            self.group = by_name.or(by_text).map(From::Column).into_iter().collect();
        }
        if self.group.is_empty() {
            let of = |from: &From| {
                sheet.rows.iter().map(|r| sheet.text(r, from)).collect::<BTreeSet<_>>().len()
            };
            self.group =
                [From::Folder, From::File].into_iter().filter(|f| of(f) > 1).take(1).collect();
        }
        if self.group.is_empty() {
            // One group says little, but what it says can still be looked at.
            self.group = vec![From::File];
        }
        Ok(())
    }

    fn taken(&self) -> impl Iterator<Item = usize> {
        let energy = self.energy.iter().map(|e| e.0);
        let parts = self.parts.iter().map(|p| p.1).chain(self.powers.iter().map(|p| p.1));
        let rest = self.time.iter().map(|t| t.0).chain(self.start).chain(self.version);
        let others = self.others.iter().map(|o| o.1);
        energy.chain(parts).chain(rest).chain(others)
    }

    fn words(&self, sheet: &Sheet, asked: &Columns) -> String {
        let name = |from: &From| match from {
            From::Column(c) => sheet.names[*c].clone(),
            From::Repetition(_) => "repetition".to_owned(),
            From::Folder => "@folder".to_owned(),
            From::File => "@file".to_owned(),
        };
        let list = |of: &[From]| of.iter().map(name).collect::<Vec<_>>().join("+");
        let mut words = vec![format!("group={}", list(&self.group))];
        if let Some((column, factor)) = self.energy {
            words.push(format!("energy={},unit={}", sheet.names[column], unit_of(factor)));
        }
        for (domain, column, factor) in &self.parts {
            // Cores and the like are parts of parts; nobody names them.
            let Some((key, _)) = PARTS.iter().find(|(_, d)| d == domain) else { continue };
            words.push(format!("{key}={}", sheet.names[*column]));
            if self.energy.is_none() && words.iter().all(|w| !w.starts_with("unit")) {
                words.push(format!("unit={}", unit_of(*factor)));
            }
        }
        words.extend(self.time.map(|(c, factor)| {
            let unit = if factor == 1.0 { "" } else { " (ms)" };
            format!("time={}{unit}", sheet.names[c])
        }));
        if !self.block.is_empty() {
            words.push(format!("block={}", list(&self.block)));
        }
        words.extend(self.start.map(|c| format!("start={}", sheet.names[c])));
        let whole = !asked.group.is_empty() && asked.energy.is_some() && asked.time.is_some();
        let guessed = if whole { "" } else { " (guessed; --columns names others)" };
        format!("{}{guessed}", words.join(", "))
    }
}

/// CodeCarbon's own columns, which never say what is compared unless nothing else does.
const CODECARBON: [&str; 33] = [
    "timestamp",
    "run_id",
    "experiment_id",
    "duration",
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
    "country_name",
    "country_iso_code",
    "region",
    "cloud_provider",
    "cloud_region",
    "os",
    "python_version",
    "codecarbon_version",
    "cpu_count",
    "cpu_model",
    "gpu_count",
    "gpu_model",
    "longitude",
    "latitude",
    "ram_total_size",
    "tracking_mode",
    "on_cloud",
    "pue",
    "wue",
];

const PARTS: [(&str, Domain); 3] =
    [("cpu", Domain::Package), ("ram", Domain::Dram), ("gpu", Domain::Gpu(0))];

fn domain(part: Part) -> Domain {
    PARTS[part as usize].1
}

fn unit_of(factor: f64) -> Unit {
    let all = [
        Unit::MicroJoules,
        Unit::MilliJoules,
        Unit::Joules,
        Unit::KiloJoules,
        Unit::WattHours,
        Unit::KiloWattHours,
    ];
    all.into_iter().find(|unit| unit.joules() == factor).unwrap_or(Unit::Joules)
}

fn lower(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The words of a name: `cpuEnergy_mJ` is cpu, energy, mj.
fn parts_of_name(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in name.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()) {
        if ["mj", "uj", "kj", "kwh", "wh"].contains(&token.to_lowercase().as_str()) {
            words.push(token.to_lowercase());
            continue;
        }
        let mut before = ' ';
        let mut word = String::new();
        for c in token.chars() {
            if c.is_uppercase() && before.is_lowercase() {
                words.push(std::mem::take(&mut word));
            }
            word.extend(c.to_lowercase());
            before = c;
        }
        words.push(word);
    }
    words
}

fn is_energy(name: &str) -> bool {
    let lower = lower(name);
    if ["rate", "per_", "efficiency", "saving", "cost", "model", "unit", "label"]
        .iter()
        .any(|w| lower.contains(w))
    {
        return false;
    }
    let words = parts_of_name(name);
    lower.contains("energy")
        || lower.contains("joule")
        || words
            .iter()
            .any(|w| ["kwh", "wh", "mj", "uj", "j"].contains(&w.as_str()) && words.len() < 5)
}

/// The unit in a column's name; joules where it has none.
fn unit(name: &str, kind: Kind) -> Unit {
    let words = parts_of_name(name);
    let has = |w: &str| words.iter().any(|word| word == w);
    if has("kwh") || lower(name).contains("kwh") {
        Unit::KiloWattHours
    } else if has("wh") {
        Unit::WattHours
    } else if has("mj") || lower(name).contains("millijoule") {
        Unit::MilliJoules
    } else if has("uj") || lower(name).contains("microjoule") {
        Unit::MicroJoules
    } else if has("kj") {
        Unit::KiloJoules
    } else if lower(name).starts_with("codecarbon") && kind == Kind::ExperimentRunner
        || lower(name) == "energy_consumed"
    {
        Unit::KiloWattHours
    } else {
        Unit::Joules
    }
}

fn part_of(name: &str) -> Option<Domain> {
    let words = parts_of_name(name);
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    if has(&["gpu", "cuda", "nvidia", "gpu0"]) {
        Some(Domain::Gpu(0))
    } else if has(&["dram", "ram", "memory"]) {
        Some(Domain::Dram)
    } else if has(&["core", "cores", "pp0"]) {
        Some(Domain::Core)
    } else if has(&["uncore", "pp1"]) {
        Some(Domain::Uncore)
    } else if has(&["psys", "platform"]) {
        Some(Domain::Platform)
    } else if has(&["cpu", "package", "pkg", "processor"]) {
        Some(Domain::Package)
    } else {
        None
    }
}

/// Which of several totals is meant: the smallest is taken.
fn likeliest(name: &str) -> usize {
    let lower = lower(name);
    let words = ["total_energy", "energy_total", "energy_consumed", "total"];
    let plain = || ["energy", "energy_j", "energy (j)", "joules"].contains(&lower.as_str());
    let found = words.iter().position(|word| lower.contains(word));
    found
        .or(plain().then_some(NO_TOTAL - 1))
        .unwrap_or(NO_TOTAL + usize::from(!lower.contains("energy")))
}

/// From this place on a name does not say that it is a total.
const NO_TOTAL: usize = 5;

/// experiment-runner's plug-ins write `codecarbon__energy_consumed`.
fn profiler(name: &str) -> &str {
    name.split_once("__").map_or("", |(tool, _)| tool)
}

fn seconds(name: &str) -> f64 {
    let words = parts_of_name(name);
    if words.iter().any(|w| ["ms", "millis", "milliseconds"].contains(&w.as_str())) {
        1e-3
    } else {
        1.0
    }
}

fn guessed_time(sheet: &Sheet) -> Option<(usize, f64)> {
    let words = [
        "duration",
        "execution_time",
        "runtime",
        "run_time",
        "elapsed",
        "time_s",
        "seconds",
        "exec_time",
        "time",
    ];
    words.iter().find_map(|word| {
        let fits = |c: &usize| {
            let name = lower(&sheet.names[*c]);
            let other = ["timestamp", "start", "end_time", "date", "energy", "per_"];
            name.contains(word) && !other.iter().any(|o| name.contains(o)) && sheet.numeric(*c)
        };
        (0..sheet.names.len()).find(fits).map(|c| (c, seconds(&sheet.names[c])))
    })
}

/// A column whose values come back in most groups, once or a few times each.
fn guessed_block(sheet: &Sheet, layout: &Layout) -> Vec<From> {
    let fits = |c: &usize| {
        let name = lower(&sheet.names[*c]);
        if !BLOCKS.contains(&name.as_str()) || layout.group.contains(&From::Column(*c)) {
            return false;
        }
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in &sheet.rows {
            let Some(value) = row.cell(*c) else { return false };
            groups.entry(value.to_owned()).or_default().insert(sheet.group(row, &layout.group));
        }
        let shared = groups.values().filter(|of| of.len() > 1).count();
        groups.len() > 1 && 2 * shared >= groups.len()
    };
    (0..sheet.names.len()).find(fits).map(From::Column).into_iter().collect()
}
