//! Finding tables, and reading their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::Kind;
use super::columns::Columns;
use super::copies;
use super::guess::{Layout, is_energy, is_warm_up};
use super::possible;
use super::row::{TableRow, Tabled};
use super::sheet::{Line, Sheet, decimal, instant};
use crate::analysis::pairing::Counted;
use crate::analysis::walk::{Ignored, relative};

/// Larger than any study's table, in bytes.
const LARGEST: u64 = 1 << 30;

/// What tables hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// A trial for each row.
    pub trials: Vec<Tabled>,
    /// Files that are no tables, and rows that are no trials.
    pub ignored: Vec<Ignored>,
    /// What the columns were taken for, to be shown first.
    pub by: String,
    /// Whether a column counts blocks.
    pub counted: Counted,
}

/// Whether a file begins like a table with runs in its rows: a header with energy, and no samples.
pub(crate) fn is_table(path: &Path) -> bool {
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut head = String::new();
    let mut lines = std::io::BufReader::new(std::io::Read::take(file, 1 << 16));
    if std::io::BufRead::read_line(&mut lines, &mut head).is_err() {
        return false;
    }
    let names: Vec<String> = head
        .trim_start_matches('\u{feff}')
        .split([',', ';', '\t'])
        .map(|n| n.trim().trim_matches('"').to_lowercase())
        .collect();
    names.len() > 1
        && (kind(&names) != Kind::Own
            || names
                .iter()
                .any(|n| n.contains("energy") || n.contains("joule") || n.ends_with("wh")))
}

/// The columns of a run table's factors, with `+` between them, and each run's levels; `None` where a file is no
/// table of experiment-runner's.
pub(crate) fn runs(path: &Path) -> Option<(String, BTreeMap<String, String>)> {
    let sheet = sheet(path).ok().filter(|sheet| sheet.kind == Kind::ExperimentRunner)?;
    let id = sheet.column("__run_id")?;
    let factors = Layout::factors_of_runs(&sheet)?;
    let group = |row: &Line| Some((row.cell(id)?.to_owned(), sheet.group(row, &factors.group)));
    Some((factors.told, sheet.rows.iter().filter_map(group).collect()))
}

fn kind(names: &[String]) -> Kind {
    let has = |name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    if has("__run_id") {
        Kind::ExperimentRunner
    } else if has("energy_consumed") && has("duration") && has("emissions") {
        Kind::CodeCarbon
    } else {
        Kind::Own
    }
}

/// Reads tables of one kind together; those of another kind, and what are no tables, are passed over.
///
/// # Errors
///
/// `--columns` names what is not there, nothing stands for energy, or what does cannot be one.
pub(crate) fn find(root: &Path, files: &[PathBuf], asked: &Columns) -> Result<Found, String> {
    let mut found = Found::default();
    let Some(sheet) = of_one_kind(files, &mut found.ignored) else { return Ok(found) };
    let mut layout = Layout::of(&sheet, asked)?;
    let replaced = along_the_way(&sheet, &layout);
    let copied = copies::in_other_files(&sheet, &layout);
    layout.tell_files_apart(&sheet, asked, copied.iter().any(Option::is_some));
    found.ignored.extend(copies::told(&sheet, &copied));
    let mut blocks: BTreeMap<String, u64> = BTreeMap::new();
    let all: Vec<Option<String>> =
        sheet.rows.iter().map(|row| block(&sheet, row, &layout)).collect();
    let numbers = all.iter().flatten().all(|b| b.parse::<u64>().is_ok_and(|n| n < 1 << 53));
    let single = sheet.files.len() == 1;
    let mut place = 0;
    for (((row, block), replaced), copied) in sheet.rows.iter().zip(all).zip(replaced).zip(&copied)
    {
        if copied.is_some() {
            continue;
        }
        let file = &sheet.files[row.file];
        let of = layout.warm_up.map(|column| (&sheet.names[column], row.cell(column)));
        if of.is_some_and(|(name, cell)| cell.is_some_and(|cell| is_warm_up(name, cell))) {
            let reason = format!("row {} is a warm-up", row.line);
            found.ignored.push(Ignored { file: file.clone(), reason });
            continue;
        }
        if replaced {
            let reason = format!(
                "row {} was written along the way: a later row of the same run_id holds all of it",
                row.line
            );
            found.ignored.push(Ignored { file: file.clone(), reason });
            continue;
        }
        let next = blocks.len() as u64;
        let number = block.as_ref().and_then(|name| {
            if numbers {
                name.parse().ok()
            } else {
                Some(*blocks.entry(name.clone()).or_insert(next))
            }
        });
        let name = if single { String::new() } else { format!("{}:", relative(root, file)) };
        found.trials.push(Tabled {
            trial: format!("{name}row {}", row.line),
            group: sheet.group(row, &layout.group),
            block: number,
            file: file.clone(),
            row: values(&sheet, row, &layout, block, place),
        });
        place += 1;
    }
    possible::check(&mut found.trials, &sheet, &layout, asked)?;
    found.trials.sort_by(|a, b| a.group.cmp(&b.group));
    found.counted = layout.counted(&sheet);
    let tool = sheet.kind.tool().map(|tool| format!("{tool}: ")).unwrap_or_default();
    found.by = format!("the table's columns, {tool}{}", layout.told);
    Ok(found)
}

/// The tables of the kind that most rows are of, as one; the others are ignored.
fn of_one_kind(files: &[PathBuf], ignored: &mut Vec<Ignored>) -> Option<Sheet> {
    let mut sheets: Vec<Sheet> = Vec::new();
    for file in files {
        match sheet(file) {
            Ok(new) => match sheets.iter_mut().find(|known| alike(known, &new)) {
                Some(known) => known.append(new),
                None => sheets.push(new),
            },
            Err(reason) => ignored.push(Ignored { file: file.clone(), reason }),
        }
    }
    let most = (0..sheets.len()).rev().max_by_key(|i| sheets[*i].rows.len())?;
    let sheet = sheets.remove(most);
    for file in sheets.into_iter().flat_map(|other| other.files) {
        let reason = "is a table of another kind than most; name it by itself".to_owned();
        ignored.push(Ignored { file, reason });
    }
    Some(sheet)
}

/// Whether two tables are of one kind: the same tool wrote them, or they share a column of energy.
fn alike(known: &Sheet, new: &Sheet) -> bool {
    known.kind == new.kind
        && match known.kind {
            Kind::Own => new.names.iter().any(|n| is_energy(n) && known.names.contains(n)),
            Kind::ExperimentRunner => !prepared(known, new),
            Kind::CodeCarbon => true,
        }
}

/// Whether one of two run tables was made of the other: it has the same runs and other columns of energy.
fn prepared(one: &Sheet, other: &Sheet) -> bool {
    let runs = |sheet: &Sheet| -> BTreeSet<String> {
        let id = sheet.column("__run_id");
        id.map(|id| sheet.levels(id).into_iter().map(str::to_owned).collect()).unwrap_or_default()
    };
    let energies = |sheet: &Sheet| -> BTreeSet<String> {
        sheet.names.iter().filter(|name| is_energy(name)).cloned().collect()
    };
    let (first, second) = (runs(one), runs(other));
    let shared = first.intersection(&second).count();
    2 * shared > first.len().min(second.len()) && energies(one) != energies(other)
}

fn block(sheet: &Sheet, row: &Line, layout: &Layout) -> Option<String> {
    let words: Vec<String> = layout.block.iter().filter_map(|from| sheet.text(row, from)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Rows that CodeCarbon wrote while a run was still going: each later row of that `run_id` includes the earlier
/// ones.
fn along_the_way(sheet: &Sheet, layout: &Layout) -> Vec<bool> {
    let mut replaced = vec![false; sheet.rows.len()];
    let (Some(run), Some((time, _)), Kind::CodeCarbon) =
        (sheet.column("run_id"), layout.time, sheet.kind)
    else {
        return replaced;
    };
    let mut runs: BTreeMap<(usize, &str, String), Vec<usize>> = BTreeMap::new();
    for (at, row) in sheet.rows.iter().enumerate() {
        if let Some(id) = row.cell(run) {
            runs.entry((row.file, id, sheet.group(row, &layout.group))).or_default().push(at);
        }
    }
    for rows in runs.into_values().filter(|rows| rows.len() > 1) {
        let value = |at: usize| {
            let energy = layout.energy.and_then(|(c, _)| sheet.rows[at].number(c));
            (sheet.rows[at].number(time), energy)
        };
        let grows = rows.windows(2).all(|pair| {
            let ((t, e), (later_t, later_e)) = (value(pair[0]), value(pair[1]));
            t.is_some() && t < later_t && e <= later_e
        });
        if grows {
            rows[..rows.len() - 1].iter().for_each(|at| replaced[*at] = true);
        }
    }
    replaced
}

fn values(
    sheet: &Sheet,
    row: &Line,
    layout: &Layout,
    block: Option<String>,
    place: u64,
) -> TableRow {
    let scaled = |(column, factor): (usize, f64)| row.number(column).map(|n| n * factor);
    let seconds = layout.time.and_then(scaled);
    let at = layout.start.and_then(|column| instant(row.cell(column)?));
    let gpu = sheet.kind == Kind::CodeCarbon
        && sheet.column("gpu_count").is_none_or(|c| row.number(c).is_none_or(|n| n == 0.0));
    let mut joules = BTreeMap::new();
    for (domain, column, factor) in &layout.parts {
        let value = scaled((*column, *factor));
        // CodeCarbon writes 0 for a card that the machine does not have.
        let absent = gpu && *domain == crate::samples::Domain::Gpu(0) && value == Some(0.0);
        joules.extend(value.filter(|_| !absent).map(|j| (*domain, j)));
    }
    let watts = layout.powers.iter().filter_map(|(d, c)| Some((*d, row.number(*c)?)));
    let watts = watts.filter(|(domain, _)| joules.contains_key(domain)).collect();
    let others = layout.others.iter();
    let others =
        others.filter_map(|(n, c, factor)| Some((n.clone(), scaled((*c, *factor))?))).collect();
    let text = |column: Option<usize>| column.and_then(|c| row.cell(c)).map(str::to_owned);
    let machine: Vec<&str> = layout.machine.iter().filter_map(|c| row.cell(*c)).collect();
    let done = sheet.column("__done").and_then(|c| row.cell(c));
    let unfinished = done.filter(|d| !d.eq_ignore_ascii_case("done"));
    let mut hasher = DefaultHasher::new();
    row.cells.hash(&mut hasher);
    TableRow {
        line: row.line,
        place,
        start_unix_s: at.map(|at| if layout.ends { at - seconds.unwrap_or(0.0) } else { at }),
        seconds,
        total_j: layout.energy.and_then(scaled),
        joules,
        watts,
        others,
        tool: sheet.kind.tool().map(str::to_owned),
        version: text(layout.version),
        machine: (!machine.is_empty()).then(|| machine.join(", ")),
        tracking: text(layout.tracking),
        block,
        unfinished: unfinished.map(|d| format!("the table says '{d}' of it, not DONE")),
        impossible: None,
        // Exact in JSON and in a float.
        content: hasher.finish() >> 11,
    }
}

/// One file.
fn sheet(path: &Path) -> Result<Sheet, String> {
    let bytes = crate::files::read(path, LARGEST).map_err(|e| format!("cannot be read ({e})"))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let count = |c: char| head.matches(c).count();
    let delimiter =
        [',', ';', '\t'].into_iter().max_by_key(|c| (count(*c), *c == ',')).unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter as u8)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| format!("its header cannot be read ({e})"))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    if names.len() < 2 {
        return Err("is not a table: its first line has fewer than two columns".to_owned());
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| format!("is not a table ({e})"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let known = |c: &str| {
            !["", "na", "nan", "none", "null", "n/a", "-"].contains(&c.to_lowercase().as_str())
        };
        let comma = delimiter == ';';
        let cell = |c: &str| if comma && !c.contains('.') { decimal(c) } else { c.to_owned() };
        let cells =
            (0..names.len()).map(|at| record.get(at).filter(|c| known(c)).map(cell)).collect();
        rows.push(Line { file: 0, line, cells });
    }
    if rows.is_empty() {
        return Err("is a table without a row".to_owned());
    }
    Ok(Sheet { kind: kind(&names), names, rows, files: vec![path.to_owned()] })
}

#[cfg(test)]
mod tests;
