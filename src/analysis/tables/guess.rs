//! Which column holds what: as `--columns` says, as the tool that wrote the table is known to, or by name.

mod factors;
mod names;

use super::Kind;
use super::columns::{Columns, Part, Unit};
use super::sheet::{From, Line, Sheet, in_stretches, instant};
use crate::analysis::pairing::Counted;
use crate::samples::Domain;
pub(super) use factors::is_warm_up;
use factors::{files_differ, guessed_block, warm_ups};
pub(super) use names::is_energy;
use names::{NO_TOTAL, likeliest, lower, part_of, profiler, seconds, unit};

/// Columns that say what machine a run was on.
const MACHINE: [&str; 7] =
    ["hostname", "machine", "cpu_model", "cpu_count", "gpu_model", "ram_total_size", "os"];

/// What every column is taken for.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub group: Vec<From>,
    pub energy: Option<(usize, f64)>,
    pub parts: Vec<(Domain, usize, f64)>,
    pub powers: Vec<(Domain, usize)>,
    pub time: Option<(usize, f64)>,
    pub block: Vec<From>,
    /// A column that counts runs of each group for itself, and no blocks.
    pub counter: Option<usize>,
    pub start: Option<usize>,
    /// Whether `start` is when a run ended.
    pub ends: bool,
    pub version: Option<usize>,
    pub machine: Vec<usize>,
    pub tracking: Option<usize>,
    pub others: Vec<(String, usize, f64)>,
    /// A column that says which rows are warm-ups.
    pub warm_up: Option<usize>,
    /// In the words of `--columns`.
    pub told: String,
}

impl Layout {
    /// Finds the columns.
    ///
    /// # Errors
    ///
    /// A column that was named is not there, or no energy or group is found.
    pub(crate) fn of(sheet: &Sheet, asked: &Columns) -> Result<Layout, String> {
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
            None => MACHINE.iter().filter_map(|name| sheet.column(name)).collect(),
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
        layout.warm_up =
            warm_ups(sheet).filter(|column| !layout.group.contains(&From::Column(*column)));
        if layout.group.is_empty() {
            layout.factors(sheet, &asked_block)?;
        }
        if !asked_block.is_empty() {
            layout.block = asked_block;
        } else if layout.block.is_empty() {
            match guessed_block(sheet, &layout) {
                Some(column) if layout.together(sheet, column) => {
                    layout.block = vec![From::Column(column)];
                }
                counter => layout.counter = counter,
            }
        }
        layout.told = layout.words(sheet, asked);
        Ok(layout)
    }

    /// The factors of a run table, whether it has energies or not; `None` where nothing varies.
    pub(super) fn factors_of_runs(sheet: &Sheet) -> Option<Layout> {
        let mut layout = Layout { group: factors::of_runs(sheet, |_| true), ..Layout::default() };
        layout.told = layout.list(sheet, &layout.group);
        (!layout.group.is_empty()).then_some(layout)
    }

    /// Takes what a file is called into the group where several files of one's own hold the same groups and are
    /// called differently. Not where one holds rows of another: then they are of one experiment.
    pub(super) fn tell_files_apart(&mut self, sheet: &Sheet, asked: &Columns, copies: bool) {
        if let [From::Column(column)] = self.group[..]
            && asked.group.is_empty()
            && sheet.kind == Kind::Own
            && !copies
            && files_differ(sheet, column)
        {
            self.group.push(From::File);
            self.told = self.words(sheet, asked);
        } else if self.group == [From::File] && asked.group.is_empty() && copies {
            // A part and the whole are not what is compared.
            self.group = vec![From::Folder];
            self.told = self.words(sheet, asked);
        }
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
            self.energies_of_codecarbon(sheet);
            return Ok(());
        }
        let energies: Vec<usize> = (0..sheet.names.len())
            .filter(|c| is_energy(&sheet.names[*c]) && sheet.numeric(*c))
            .collect();
        if own {
            self.likeliest_energies(sheet, &energies, &factor);
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

    /// The total and the parts that CodeCarbon writes.
    fn energies_of_codecarbon(&mut self, sheet: &Sheet) {
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
    }

    /// The column that is the likeliest total, and the parts that go with it.
    fn likeliest_energies(
        &mut self,
        sheet: &Sheet,
        energies: &[usize],
        factor: &dyn Fn(&str) -> f64,
    ) {
        let part = |c: &usize| part_of(&sheet.names[*c]);
        let total = energies.iter().filter(|c| part(c).is_none());
        let package = energies.iter().any(|c| part(c) == Some(Domain::Package));
        let best = total.min_by_key(|c| likeliest(&sheet.names[**c]));
        // Beside a processor's energy, only a column that is called a total is taken for one.
        let best = best.filter(|c| !package || likeliest(&sheet.names[**c]) < NO_TOTAL);
        self.energy = best.map(|c| (*c, factor(&sheet.names[*c])));
        // Parts that another profiler wrote are no parts of this total.
        let profiler = best.map(|c| profiler(&sheet.names[*c]));
        for column in energies {
            let name = &sheet.names[*column];
            let ours = profiler.is_none_or(|of| of == self::profiler(name));
            if let Some(domain) = part(column).filter(|_| ours)
                && self.parts.iter().all(|(d, ..)| *d != domain)
            {
                self.parts.push((domain, *column, factor(name)));
            }
        }
    }

    /// The column of the total, or those of the parts that make it.
    pub(crate) fn energy_name(&self, sheet: &Sheet) -> String {
        match self.energy {
            Some((column, _)) => sheet.names[column].clone(),
            None => {
                let domains: Vec<Domain> = self.parts.iter().map(|(domain, ..)| *domain).collect();
                let total = Domain::in_total(&domains);
                let parts = self.parts.iter().filter(|(domain, ..)| total.contains(domain));
                let names: Vec<&str> = parts.map(|(_, c, _)| sheet.names[*c].as_str()).collect();
                names.join(" + ")
            }
        }
    }

    /// The unit that it was taken to be in.
    pub(crate) fn energy_unit(&self) -> Unit {
        unit_of(self.energy.map(|e| e.1).or(self.parts.first().map(|p| p.2)).unwrap_or(1.0))
    }

    /// Whether the rows' numbers are those of blocks, and why.
    pub(super) fn counted(&self, sheet: &Sheet) -> Counted {
        match (&self.block[..], self.counter) {
            ([], None) => Counted::Open,
            ([], Some(column)) => Counted::None(format!(
                "the rows of one {name} do not stand together, as a block's do, so that each group was counted \
                 for itself; --columns block={name} pairs them all the same",
                name = sheet.names[column]
            )),
            (block, _) => Counted::Blocks(format!(
                "the blocks that the table counts ({})",
                self.list(sheet, block)
            )),
        }
    }

    /// Whether the rows of one value follow one another, in time where it is known, else in the table.
    fn together(&self, sheet: &Sheet, column: usize) -> bool {
        let mut rows: Vec<&Line> = sheet.rows.iter().collect();
        let at = |row: &&Line| self.start.and_then(|start| instant(row.cell(start)?));
        if rows.iter().all(|row| at(row).is_some()) {
            rows.sort_by(|a, b| at(a).unwrap_or(0.0).total_cmp(&at(b).unwrap_or(0.0)));
        }
        in_stretches(rows.iter().map(|row| row.cell(column)))
    }

    fn list(&self, sheet: &Sheet, of: &[From]) -> String {
        let name = |from: &From| match from {
            From::Column(c) => sheet.names[*c].clone(),
            From::Repetition(_) => "repetition".to_owned(),
            From::Folder => "@folder".to_owned(),
            From::File => "@file".to_owned(),
        };
        of.iter().map(name).collect::<Vec<_>>().join("+")
    }

    fn taken(&self) -> impl Iterator<Item = usize> {
        let energy = self.energy.iter().map(|e| e.0);
        let parts = self.parts.iter().map(|p| p.1).chain(self.powers.iter().map(|p| p.1));
        let rest = self.time.iter().map(|t| t.0).chain(self.start).chain(self.version);
        let others = self.others.iter().map(|o| o.1);
        energy.chain(parts).chain(rest).chain(others).chain(self.warm_up)
    }

    fn words(&self, sheet: &Sheet, asked: &Columns) -> String {
        let list = |of: &[From]| self.list(sheet, of);
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
