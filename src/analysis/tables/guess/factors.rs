//! Which columns say what is compared, and what repeats over it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Kind;
use super::super::sheet::Sheet;
use super::names::{CODECARBON, lower};
use super::{From, Layout};

/// The fewest runs that a group has on average. With fewer, the factor with most levels becomes the block.
const RUNS: usize = 3;

/// A column with more levels than this does not name groups.
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
    /// What is compared, and what repeats over it.
    pub(super) fn factors(&mut self, sheet: &Sheet, asked_block: &[From]) -> Result<(), String> {
        let taken: BTreeSet<usize> = self.taken().collect();
        let free = |c: &usize| !taken.contains(c) && !asked_block.contains(&From::Column(*c));
        let levels = |c: usize| sheet.levels(c).len();
        let rows = sheet.rows.len();
        if sheet.kind == Kind::ExperimentRunner {
            let mut of: Vec<usize> = columns_of_runs(sheet, free);
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
            let texts: Vec<usize> = (0..sheet.names.len())
                .filter(|c| {
                    possible(c)
                        && !sheet.numeric(*c)
                        && !known(&sheet.names[*c])
                        && !BLOCKS.contains(&lower(&sheet.names[*c]).as_str())
                })
                .collect();
            // A column that counts runs names groups only where no other column does.
            let by_text = texts.iter().find(|c| !is_id(&sheet.names[**c])).or(texts.first());
            self.group = by_name.or(by_text.copied()).map(From::Column).into_iter().collect();
        }
        if self.group.is_empty() {
            let of = |from: &From| {
                sheet.rows.iter().map(|r| sheet.text(r, from)).collect::<BTreeSet<_>>().len()
            };
            self.group =
                [From::Folder, From::File].into_iter().filter(|f| of(f) > 1).take(1).collect();
        }
        if self.group.is_empty() {
            // A single group has nothing to be compared with, but its numbers can still be shown.
            self.group = vec![From::File];
        }
        Ok(())
    }
}

/// The factors of a run table, as groups are made of them.
pub(super) fn of_runs(sheet: &Sheet, free: impl Fn(&usize) -> bool) -> Vec<From> {
    columns_of_runs(sheet, free).into_iter().map(From::Column).collect()
}

/// The columns of a run table's factors: they follow the run's name and state, and measured columns follow them.
fn columns_of_runs(sheet: &Sheet, free: impl Fn(&usize) -> bool) -> Vec<usize> {
    let (rows, levels) = (sheet.rows.len(), |c: usize| sheet.levels(c).len());
    let mut after = sheet.column("__run_id").map_or(0, |id| id + 1);
    // Of several tables that are read as one, another may lack the state.
    after += usize::from(sheet.names.get(after).is_some_and(|name| name == "__done"));
    let factor = |c: &usize| {
        let n = levels(*c);
        free(c) && (1..=MOST_LEVELS).contains(&n) && (rows <= 4 || 2 * n <= rows)
    };
    let varied = (after..sheet.names.len()).take_while(factor).filter(|c| levels(*c) > 1);
    let mut of: Vec<usize> = Vec::new();
    for column in varied {
        let more = [&of[..], &[column]].concat();
        // What the others say together says nothing new.
        if of.is_empty() || sheet.combinations(&more) > sheet.combinations(&of) {
            of = more;
        }
    }
    of
}

/// Whether files that hold the same groups have names that differ in more than numbers: what one is called may be
/// compared as well (`chrome.csv`, `firefox.csv`), while numbered ones (`day1.csv`, `day2.csv`) go on with each
/// other.
pub(super) fn files_differ(sheet: &Sheet, column: usize) -> bool {
    let mut of: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); sheet.files.len()];
    for row in &sheet.rows {
        of[row.file].extend(row.cell(column));
    }
    let word = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        name.replace(|c: char| c.is_ascii_digit(), "")
    };
    let words: BTreeSet<String> = sheet.files.iter().map(word).collect();
    let shared = of.windows(2).any(|pair| pair[0].intersection(&pair[1]).next().is_some());
    words.len() == sheet.files.len() && words.len() > 1 && shared
}

/// A column of a few words of which one is that of warm-ups, or that is called so and says yes or no.
pub(super) fn warm_ups(sheet: &Sheet) -> Option<usize> {
    (0..sheet.names.len()).find(|column| {
        let levels = sheet.levels(*column);
        let says = |level: &&str| is_warm_up(&sheet.names[*column], level);
        // A column in which every row is one says nothing.
        levels.len() <= MOST_KINDS && levels.iter().any(says) && !levels.iter().all(says)
    })
}

/// More kinds of rows than these are no kinds.
const MOST_KINDS: usize = 6;

/// Whether a cell says that its row is a warm-up: by its word, or by a yes in a column of that name.
pub(in crate::analysis::tables) fn is_warm_up(column: &str, cell: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
    };
    let word = |text: &str| {
        ["warmup", "iswarmup", "warmingup", "warmuprun"].contains(&letters(text).as_str())
    };
    word(cell) || (word(column) && ["true", "yes", "1"].contains(&cell.to_lowercase().as_str()))
}

fn is_id(name: &str) -> bool {
    let name = lower(name);
    ["id", "uuid", "no", "nr", "#"].contains(&name.as_str())
        || name.ends_with("_id")
        || name.ends_with(" id")
}

/// A column whose values come back in most groups, once or a few times each.
pub(super) fn guessed_block(sheet: &Sheet, layout: &Layout) -> Option<usize> {
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
    (0..sheet.names.len()).find(fits)
}
