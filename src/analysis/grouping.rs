//! Which group, session and number each file of a folder has, from where it lies and how it is called.
//!
//! Everything that varies from file to file is a *factor*: each level of folders, and the part of
//! the files' names that is left without the number that counts the trials. Factors that are called
//! like repetitions (`session_2`, `2026-02-19`, `3`) are sessions; the one that is left is the group.
//! Two that are left are told to the user, who has to choose.

mod numbers;
pub(super) mod runner;

use std::collections::{BTreeMap, BTreeSet};

use numbers::{Numbers, numbers};

use super::names::{Kind, Part, is_repetition, label, parts};

/// What a file's place and name say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placed {
    pub group: String,
    /// What repeats above the numbers; trials of different sessions never share a block.
    pub session: Option<String>,
    /// The number that counts trials.
    pub number: Option<u64>,
    /// Whether the name tells a time instead.
    pub stamp: bool,
}

/// The files' places, and what was looked at to find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grouping {
    /// `folders`, `the files' names`, …
    pub by: String,
    /// In the files' order; `None` for a file that belongs to no group, with the reason.
    pub placed: Vec<Result<Placed, String>>,
}

/// Two things that may be the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Such as `the folders`.
    pub what: String,
    /// The groups' names.
    pub groups: Vec<String>,
    /// What `--group-by` takes it.
    pub flag: String,
}

/// How many groups a message names.
const NAMED: usize = 6;

/// Something that varies over the files.
struct Factor {
    /// Level of folders below the common one; `None` for the files' names.
    level: Option<usize>,
    values: Vec<String>,
    repeats: bool,
}

/// One file's place taken apart.
struct File<'a> {
    /// Folders below the ones that all share.
    folders: Vec<&'a str>,
    stem: &'a str,
    parts: Vec<Part<'a>>,
    /// Whether the name ends as that of a copy, `run (1)`.
    copy: bool,
}

/// Finds the groups of files with these paths (relative, with `/`); `root` names the one group of
/// files that do not differ.
///
/// # Errors
///
/// What the groups may be, where that is not clear.
pub(super) fn by_names(paths: &[&str], root: &str) -> Result<Grouping, Vec<Choice>> {
    let (files, above) = take_apart(paths);
    let in_folders = files.iter().filter(|f| !f.folders.is_empty()).count();
    let mixed = in_folders > 0 && in_folders < files.len();
    // A few strays beside folders are no group; a few folders beside many files are none either.
    let folders_count = in_folders * 2 >= files.len();
    let counts = |f: &File<'_>| !mixed || f.folders.is_empty() != folders_count;
    let kept: Vec<&File<'_>> = files.iter().filter(|f| counts(f)).collect();
    let roles = Numbers::of(&kept);
    let depth = kept.iter().map(|f| f.folders.len()).min().unwrap_or(0);
    let mut factors: Vec<Factor> = (0..depth).filter_map(|level| folder(&kept, level)).collect();
    factors.extend(names(&kept, &roles));
    let chosen = choose(&factors, &kept, above)?;
    let lone = paths.first().and_then(|p| p.rsplit('/').nth(1)).unwrap_or(root);
    let mut placed: Vec<Placed> = (0..kept.len())
        .map(|at| Placed {
            group: chosen.map_or(lone, |f| &factors[f].values[at]).to_owned(),
            session: session(kept[at], depth, &factors, chosen, at, &roles),
            number: roles.number(kept[at]),
            stamp: kept[at].parts.iter().any(|p| p.kind == Kind::Stamp),
        })
        .collect();
    choose_numbers(&mut placed, &kept, &roles);
    let by = match chosen.map(|f| factors[f].level) {
        None => "one group: nothing in the files' names tells them apart",
        Some(None) => "the files' names",
        Some(Some(_)) => "folders",
    };
    let mut placed = placed.into_iter();
    let beside = if folders_count {
        "lies beside the groups' folders, not in one of them"
    } else {
        "lies in a folder below the other files"
    };
    let placed = files
        .iter()
        .map(|f| if counts(f) { placed.next() } else { None })
        .map(|placed| placed.ok_or_else(|| beside.to_owned()))
        .collect();
    Ok(Grouping { by: by.to_owned(), placed })
}

/// The files, and how many folders all of them share.
fn take_apart<'a>(paths: &[&'a str]) -> (Vec<File<'a>>, usize) {
    let split: Vec<Vec<&str>> = paths.iter().map(|p| p.split('/').collect()).collect();
    let folders = |p: &Vec<&'a str>| p[..p.len() - 1].to_vec();
    let shared = split.iter().map(folders).reduce(|a, b| {
        let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        a[..same].to_vec()
    });
    let above = shared.map_or(0, |s| s.len());
    let file = |p: &Vec<&'a str>| {
        let name = p[p.len() - 1];
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let mut parts = parts(stem);
        let copy = is_copy(stem);
        if copy {
            parts.pop();
        }
        File { folders: p[above..p.len() - 1].to_vec(), stem, parts, copy }
    };
    (split.iter().map(file).collect(), above)
}

/// `run_3 (1)`: what a file manager calls the second file of a name.
fn is_copy(stem: &str) -> bool {
    let inner = stem.strip_suffix(')').and_then(|s| s.rsplit_once('('));
    inner.is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn folder(files: &[&File<'_>], level: usize) -> Option<Factor> {
    let values: Vec<String> = files.iter().map(|f| f.folders[level].to_owned()).collect();
    let distinct: BTreeSet<&String> = values.iter().collect();
    let repeats = distinct.iter().all(|v| {
        let parts = parts(v);
        parts.iter().rfind(|p| p.kind == Kind::Word).is_none_or(|p| is_repetition(p.text))
            && parts.iter().any(|p| matches!(p.kind, Kind::Number | Kind::Stamp))
            // Versions of something are called by hashes as well.
            && parts.iter().all(|p| p.kind != Kind::Id)
    });
    (distinct.len() > 1).then_some(Factor { level: Some(level), values, repeats })
}

/// What is left of the files' names without what counts: the words in which they differ.
fn names(files: &[&File<'_>], roles: &Numbers) -> Option<Factor> {
    let kept: Vec<Vec<usize>> = files
        .iter()
        .map(|f| (0..f.parts.len()).filter(|at| roles.names(f, *at)).collect())
        .collect();
    let texts = |at: usize| kept[at].iter().map(|p| files[at].parts[*p].text).collect::<Vec<_>>();
    let distinct: BTreeSet<Vec<&str>> = (0..files.len()).map(texts).collect();
    if distinct.len() < 2 {
        return None;
    }
    let spare = distinct.iter().map(Vec::len).min().unwrap_or(0).saturating_sub(1);
    let first: &Vec<&str> = distinct.first()?;
    let same = |from_end: bool, n: &usize| {
        let of = |v: &Vec<&str>| {
            let at = if from_end { v.len().checked_sub(n + 1) } else { Some(*n) };
            at.and_then(|at| v.get(at)).map(|s| (*s).to_owned())
        };
        distinct.iter().all(|v| of(v) == of(first))
    };
    let tail = (0..spare).take_while(|n| same(true, n)).count();
    let mut head = (0..spare - tail).take_while(|n| same(false, n)).count();
    // `batch16` and `batch64`, not 16 and 64.
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    while head > 0 && distinct.iter().any(|v| number(v[head])) {
        head -= 1;
    }
    let values = files.iter().zip(&kept).map(|(f, kept)| {
        let own = kept.get(head..kept.len() - tail.min(kept.len())).unwrap_or_default();
        let label = label(f.stem, &f.parts, |at| own.contains(&at));
        if label.is_empty() { "(no name)".to_owned() } else { label }
    });
    Some(Factor { level: None, values: values.collect(), repeats: false })
}

/// Which of the factors is the group.
fn choose(
    factors: &[Factor],
    files: &[&File<'_>],
    above: usize,
) -> Result<Option<usize>, Vec<Choice>> {
    let mut named: Vec<usize> = Vec::new();
    for (at, factor) in factors.iter().enumerate().filter(|(_, f)| !f.repeats) {
        let known = named.iter().any(|k| !adds(&factors[*k], factor));
        if !known {
            named.push(at);
        }
    }
    match named[..] {
        [] => Ok(factors.iter().position(|f| f.repeats)),
        [one] => Ok(Some(one)),
        _ => Err(named.iter().map(|at| choice(&factors[*at], files, above)).collect()),
    }
}

/// Whether an inner factor says something that the outer one does not: its values occur under several of
/// the outer one's, or split them in ways that repeat.
fn adds(outer: &Factor, inner: &Factor) -> bool {
    let mut under: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut holds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (a, b) in outer.values.iter().zip(&inner.values) {
        *under.entry(b).or_default().entry(a).or_default() += 1;
        holds.entry(a).or_default().insert(b);
    }
    let shared = under.values().filter(|outer| outer.len() > 1).count();
    let nested = shared == 0;
    let splits = holds.values().any(|inner| inner.len() > 1);
    let repeated = under.values().all(|outer| outer.values().sum::<usize>() > 1);
    let coarser = holds.values().all(|inner| inner.len() == 1) && shared > 0;
    shared > 1 || (nested && splits && repeated) || coarser
}

fn choice(factor: &Factor, files: &[&File<'_>], above: usize) -> Choice {
    let groups: BTreeSet<&String> = factor.values.iter().collect();
    let groups: Vec<String> = groups.into_iter().cloned().collect();
    let (what, flag) = match factor.level {
        Some(level) => {
            let skip = match above + level {
                0 => String::new(),
                1 => "[^/]+/".to_owned(),
                n => format!("(?:[^/]+/){{{n}}}"),
            };
            let folders = if level == 0 { "the folders" } else { "the folders in them" };
            (folders, format!("^{skip}(?P<group>[^/]+)/"))
        }
        None => {
            let literal =
                files.iter().zip(&factor.values).all(|(f, v)| f.stem.contains(v.as_str()));
            let names: Vec<String> = groups.iter().map(|g| regex::escape(g)).collect();
            // The longest first, or `a` would be found in `ab`.
            let mut names: Vec<&String> = names.iter().collect();
            names.sort_by_key(|n| std::cmp::Reverse(n.len()));
            let flag = if literal && names.len() <= NAMED {
                let names: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
                format!("(?P<group>{})[^/]*$", names.join("|"))
            } else {
                r"(?P<group>[^/]*?)[-_ ]*\d*\.csv$".to_owned()
            };
            ("the files' names", flag)
        }
    };
    Choice { what: what.to_owned(), groups, flag }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = self.groups.len().saturating_sub(NAMED);
        let named = self.groups[..self.groups.len() - more].join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        write!(f, "{} ({named}{more}): --group-by '{}'", self.what, self.flag)
    }
}

/// What repeats above a file's number: folders that count, what lies deeper than all files do, and
/// counting numbers in its name.
fn session(
    file: &File<'_>,
    depth: usize,
    factors: &[Factor],
    chosen: Option<usize>,
    at: usize,
    roles: &Numbers,
) -> Option<String> {
    let folders = factors.iter().enumerate().filter(|(n, f)| f.repeats && Some(*n) != chosen);
    let mut all: Vec<String> = folders.map(|(_, f)| counted(&f.values[at])).collect();
    all.extend(file.folders[depth..].iter().map(|f| (*f).to_owned()));
    for (place, part) in roles.sessions.iter().rev().filter_map(|n| numbers(file).nth(*n)) {
        all.push(format!("{}{}", file.parts[place - 1].text, part.text));
    }
    (!all.is_empty()).then(|| all.join("/"))
}

/// The part of a folder's name that counts: `docker_session_2` and `podman_session_2` are the same session.
fn counted(name: &str) -> String {
    let all = parts(name);
    let from = all.iter().rposition(|p| p.kind == Kind::Word).unwrap_or(0);
    label(name, &all, |at| at >= from)
}

/// A number that is the same for all trials of a group counts nothing; where each session holds one
/// trial, the session's number is the trial's.
fn choose_numbers(placed: &mut [Placed], files: &[&File<'_>], roles: &Numbers) {
    if roles.counter.is_none() {
        let mut seen = BTreeSet::new();
        let once = placed.iter().all(|p| seen.insert((p.group.clone(), p.session.clone())));
        if !once {
            placed.iter_mut().for_each(|p| p.number = None);
        }
        let alone = once && placed.iter().all(|p| p.session.is_some());
        if alone {
            for (placed, file) in placed.iter_mut().zip(files) {
                let folder = file.folders.iter().rev().find_map(|folder| {
                    let parts = parts(folder);
                    parts.iter().rev().find_map(Part::number)
                });
                if let Some(number) = folder {
                    (placed.number, placed.session) = (Some(number), None);
                }
            }
        }
    }
}

/// Groups by what a pattern finds in the files' paths: `group`, and where it has them `block` and
/// `session`.
///
/// # Errors
///
/// The pattern has no group of that name.
pub(super) fn by_pattern(paths: &[&str], pattern: &regex::Regex) -> Result<Grouping, String> {
    let names: Vec<&str> = pattern.capture_names().flatten().collect();
    if !names.contains(&"group") {
        return Err(format!(
            "--group-by: '{pattern}' names no group. Put (?P<group>…) around the part of a file's path \
             that says what was measured, as in '^(?P<group>[^/]+)/'"
        ));
    }
    if let Some(other) = names.iter().find(|n| !["group", "block", "session"].contains(n)) {
        return Err(format!(
            "--group-by: there is no use for (?P<{other}>…); the names are group, block and session"
        ));
    }
    let (files, _) = take_apart(paths);
    let all: Vec<&File<'_>> = files.iter().collect();
    let roles = Numbers::of(&all);
    let block_of = |path: &str| {
        let text = pattern.captures(path)?.name("block")?.as_str().to_owned();
        (!text.is_empty()).then_some(text)
    };
    // Where one is no number they are counted in the order of their names.
    let texts: BTreeSet<String> = paths.iter().filter_map(|p| block_of(p)).collect();
    let numbers = texts.iter().all(|text| text.parse::<u64>().is_ok_and(|n| n < 1 << 53));
    let block = |text: String| {
        if numbers {
            text.parse().ok()
        } else {
            texts.iter().position(|t| *t == text).map(|n| n as u64 + 1)
        }
    };
    let mut placed = Vec::with_capacity(paths.len());
    for (path, file) in paths.iter().zip(&files) {
        let found = pattern.captures(path);
        let text = |name: &str| {
            let text = found.as_ref()?.name(name)?.as_str();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let Some(group) = text("group") else {
            placed.push(Err("has no group by --group-by".to_owned()));
            continue;
        };
        let number = if names.contains(&"block") {
            text("block").and_then(block)
        } else {
            roles.number(file)
        };
        let stamp = file.parts.iter().any(|p| p.kind == Kind::Stamp);
        placed.push(Ok(Placed { group, session: text("session"), number, stamp }));
    }
    Ok(Grouping { by: format!("--group-by '{pattern}'"), placed })
}

#[cfg(test)]
mod tests;
