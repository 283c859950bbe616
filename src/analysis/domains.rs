//! Which domains are compared: those that all usable trials have.
//!
//! A total that holds a graphics card and one that does not are different things. So totals, phases and
//! power are made anew over the domains that are in every usable trial; the others stand beside them. What
//! stands for the computer must be the same in all of them: the processor's package, the whole system,
//! or an estimate. Where it is not, nothing is compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::samples::Domain;

/// What is compared and what stands beside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Domains {
    /// What the totals hold; empty where the groups cannot be compared.
    pub compared: Vec<Domain>,
    /// What some trials have and the totals leave out.
    pub beside: Vec<Domain>,
    /// What was asked for.
    pub asked: Option<Vec<String>>,
    /// A sentence that says why it is these.
    pub why: String,
    /// What stands for the computer in each group: `package`, `system`, `estimated`, or the names of other
    /// domains.
    pub kinds: BTreeMap<String, String>,
    /// Each group's own domains, where the groups cannot be compared.
    #[serde(skip)]
    pub apart: BTreeMap<String, Vec<Domain>>,
}

/// What is known of a trial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured<'a> {
    pub group: &'a str,
    /// Whether its energy can be used.
    pub usable: bool,
    /// The domains in its file.
    pub present: Vec<Domain>,
    /// The domains of its own total.
    pub total: &'a [Domain],
}

/// Share of a group's usable trials that must be of one kind for the others to be left out.
const KIND_FROM: f64 = 2.0 / 3.0;

/// Why nothing is compared.
fn unlike(kinds: &BTreeMap<String, String>, compared: &[Domain]) -> String {
    let distinct: BTreeSet<&String> = kinds.values().collect();
    let listed: Vec<String> =
        kinds.iter().map(|(group, kind)| format!("{group}: {kind}")).collect();
    let shared = if compared.is_empty() {
        String::new()
    } else {
        format!("; --domains {} compares what all trials have", list_plain(compared))
    };
    if distinct.len() > 1 {
        format!("different things were measured ({}){shared}", shorten(&listed))
    } else {
        format!("no domain was measured in all trials{shared}")
    }
}

/// Why these are compared; `beside` are those that only some trials have.
fn alike(compared: &[Domain], beside: &[Domain], judged: &[&Measured<'_>]) -> String {
    if beside.is_empty() && compared == [Domain::Estimated] {
        // Nothing was measured, and the sentence must not claim that.
        "an estimate from processor time; nothing was measured".to_owned()
    } else if beside.is_empty() && compared.contains(&Domain::Estimated) {
        format!("{}; the processor's part is an estimate", list(compared))
    } else if beside.is_empty() {
        format!("{}: all that was measured", list(compared))
    } else {
        let lacking: Vec<String> = beside.iter().map(|d| lacks(*d, judged)).collect();
        format!("{}, which all trials have; {}", list(compared), lacking.join(", "))
    }
}

impl Domains {
    /// Decides for these trials; `asked` is what `--domains` lists.
    ///
    /// # Errors
    ///
    /// What was asked for is in no trial, or cannot be added up.
    pub(crate) fn decide(
        trials: &[Measured<'_>],
        asked: Option<&[String]>,
    ) -> Result<Domains, String> {
        let any = trials.iter().any(|t| t.usable);
        let judged: Vec<&Measured<'_>> = trials.iter().filter(|t| t.usable || !any).collect();
        let all: BTreeSet<Domain> = judged.iter().flat_map(|t| t.present.iter().copied()).collect();
        let added: BTreeSet<Domain> = judged.iter().flat_map(|t| t.total.iter().copied()).collect();
        if let Some(asked) = asked {
            let compared = asked_for(asked, trials)?;
            let kinds = judged.iter().map(|t| (t.group.to_owned(), kind(&compared))).collect();
            let beside = added.iter().filter(|d| !compared.contains(d)).copied().collect();
            let why = format!("{} as asked with --domains", list(&compared));
            let asked = Some(asked.to_vec());
            return Ok(Domains { compared, beside, asked, why, kinds, apart: BTreeMap::new() });
        }
        let kinds = group_kinds(&judged);
        let regular = |t: &&&Measured<'_>| kinds[t.group].split('+').any(|k| k == kind(t.total));
        let regular: Vec<&&Measured<'_>> = judged.iter().filter(regular).collect();
        let common = |of: &dyn Fn(&Measured<'_>) -> bool| -> Vec<Domain> {
            let of = || regular.iter().filter(|t| of(t));
            let every = all.iter().filter(|d| of().all(|t| t.present.contains(d)));
            Domain::in_total(&every.copied().collect::<Vec<_>>())
        };
        let compared = common(&|_| true);
        let mut apart = BTreeMap::new();
        let lead = |domains: &[Domain]| domains.iter().any(|d| leads(*d));
        // What all have must hold something that stands for the computer, if any total does.
        if compared.is_empty()
            || (!lead(&compared) && lead(&added.iter().copied().collect::<Vec<_>>()))
        {
            for group in kinds.keys() {
                apart.insert(group.clone(), common(&|t| t.group == group));
            }
            let why = unlike(&kinds, &compared);
            let beside = added.into_iter().collect();
            return Ok(Domains { compared: Vec::new(), beside, asked: None, why, kinds, apart });
        }
        let kinds = kinds.into_keys().map(|group| (group, kind(&compared))).collect();
        let beside: Vec<Domain> = added.iter().filter(|d| !compared.contains(d)).copied().collect();
        let why = alike(&compared, &beside, &judged);
        Ok(Domains { compared, beside, asked: None, why, kinds, apart })
    }

    /// What a trial of `group` with these domains is restricted to; empty for no restriction.
    pub(crate) fn of(&self, group: &str) -> &[Domain] {
        if self.compared.is_empty() {
            self.apart.get(group).map_or(&[], Vec::as_slice)
        } else {
            &self.compared
        }
    }
}

impl std::fmt::Display for Domains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.compared.is_empty() { "Not comparable" } else { "Compared" };
        write!(f, "{what}: {}", self.why)
    }
}

/// Whether a domain can stand for the computer.
fn leads(domain: Domain) -> bool {
    matches!(domain, Domain::Package | Domain::System | Domain::Estimated)
}

/// What stands for the computer in a total.
fn kind(total: &[Domain]) -> String {
    match total.iter().find(|d| leads(**d)) {
        Some(domain) => domain.to_string(),
        None => list_plain(total),
    }
}

/// Each group's kind: that of most of its trials, or all its kinds where none is that of most.
fn group_kinds(trials: &[&Measured<'_>]) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for trial in trials {
        *counts.entry(trial.group).or_default().entry(kind(trial.total)).or_default() += 1;
    }
    let choose = |kinds: BTreeMap<String, usize>| {
        let all: usize = kinds.values().sum();
        let most = kinds.iter().find(|(_, n)| **n as f64 >= KIND_FROM * all as f64);
        match most {
            Some((kind, _)) => kind.clone(),
            None => kinds.into_keys().collect::<Vec<_>>().join("+"),
        }
    };
    counts.into_iter().map(|(group, kinds)| (group.to_owned(), choose(kinds))).collect()
}

fn lacks(domain: Domain, trials: &[&Measured<'_>]) -> String {
    let without = trials.iter().filter(|t| !t.present.contains(&domain)).count();
    if without == 0 {
        format!("{domain} is not part of that")
    } else {
        format!("{domain} is missing in {without} of {}", trials.len())
    }
}

/// The domains that `--domains` lists; `gpu` stands for all graphics cards.
fn asked_for(asked: &[String], trials: &[Measured<'_>]) -> Result<Vec<Domain>, String> {
    let all: BTreeSet<Domain> = trials.iter().flat_map(|t| t.present.iter().copied()).collect();
    let there = || list_plain(&all.iter().copied().collect::<Vec<_>>());
    let mut compared: Vec<Domain> = Vec::new();
    for name in asked {
        let found: Vec<Domain> = if name == "gpu" {
            all.iter().filter(|d| matches!(d, Domain::Gpu(_))).copied().collect()
        } else {
            let domain: Domain = name.parse().map_err(|e| format!("--domains: {e}"))?;
            all.get(&domain).copied().into_iter().collect()
        };
        if found.is_empty() {
            return Err(format!("--domains: no trial has '{name}'; there are {}", there()));
        }
        compared
            .extend(found.iter().filter(|d| !compared.contains(d)).copied().collect::<Vec<_>>());
    }
    overlap(&compared).map_or(Ok(compared), Err)
}

/// What cannot be added up: one domain holds another.
fn overlap(domains: &[Domain]) -> Option<String> {
    let has = |d| domains.contains(&d);
    let whole = [Domain::System, Domain::Platform].into_iter().find(|d| has(*d));
    let part = if domains.len() > 1
        && let Some(whole) = whole
    {
        domains.iter().find(|d| **d != whole).map(|part| (*part, whole))
    } else if has(Domain::Package) {
        let within = |d: &&Domain| matches!(d, Domain::Core | Domain::Uncore | Domain::Estimated);
        domains.iter().find(within).map(|part| (*part, Domain::Package))
    } else {
        None
    };
    part.map(|(part, whole)| {
        format!(
            "--domains: {part} and {whole} cover the same and cannot be added up; name one of them"
        )
    })
}

fn list_plain(domains: &[Domain]) -> String {
    domains.iter().map(Domain::to_string).collect::<Vec<_>>().join(",")
}

fn list(domains: &[Domain]) -> String {
    domains.iter().map(Domain::to_string).collect::<Vec<_>>().join(" + ")
}

fn shorten(all: &[String]) -> String {
    const NAMED: usize = 6;
    let more = all.len().saturating_sub(NAMED);
    let named = all[..all.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Domain::*;

    fn trials<'a>(all: &[(&'a str, &'static [Domain])]) -> Vec<Measured<'a>> {
        let measured = |(group, total): &(&'a str, &'static [Domain])| Measured {
            group,
            usable: true,
            present: total.to_vec(),
            total,
        };
        all.iter().map(measured).collect()
    }

    fn decide(all: &[(&str, &'static [Domain])]) -> Domains {
        Domains::decide(&trials(all), None).unwrap()
    }

    #[test]
    fn an_estimate_is_not_called_measured() {
        let alone = decide(&[("a", &[Estimated]), ("b", &[Estimated])]);
        assert!(alone.why.contains("nothing was measured"), "{}", alone.why);
        let card = decide(&[("a", &[Estimated, Gpu(0)]), ("b", &[Estimated, Gpu(0)])]);
        assert!(card.why.contains("part is an estimate"), "{}", card.why);
        assert!(!card.why.contains("all that was measured"), "{}", card.why);
    }

    #[test]
    fn what_all_trials_have_is_compared() {
        let found = decide(&[
            ("bare", &[Package, Dram]),
            ("bare", &[Package]),
            ("card", &[Package, Dram, Gpu(0)]),
        ]);
        assert_eq!(found.compared, [Package]);
        assert_eq!(found.beside, [Dram, Gpu(0)]);
        let why =
            "package, which all trials have; dram is missing in 1 of 3, gpu0 is missing in 2 of 3";
        assert_eq!(found.why, why);
        assert_eq!(found.kinds["card"], "package");
        let same = decide(&[("a", &[Package, Dram]), ("b", &[Package, Dram])]);
        assert_eq!((same.compared, same.beside), (vec![Package, Dram], vec![]));
    }

    #[test]
    fn totals_of_different_kinds_are_not_compared() {
        let found = decide(&[("laptop", &[System]), ("tower", &[Package, Dram])]);
        assert_eq!(found.compared, []);
        assert_eq!(found.why, "different things were measured (laptop: system, tower: package)");
        assert_eq!(found.of("tower"), [Package, Dram]);
        let guess = decide(&[("a", &[Estimated]), ("b", &[Package])]);
        assert_eq!(guess.compared, []);
        // A graphics card that both have does not stand for the computer.
        let cards = decide(&[("a", &[System]), ("b", &[Package, Gpu(0)])]);
        assert_eq!(cards.compared, []);
    }

    #[test]
    fn one_file_of_another_kind_does_not_decide_for_its_group() {
        let mut all: Vec<(&str, &'static [Domain])> = vec![("a", &[Package]); 5];
        all.extend([("b", &[Package] as &[Domain]); 5]);
        all.push(("b", &[System]));
        assert_eq!(decide(&all).compared, [Package]);
    }

    #[test]
    fn a_trial_that_cannot_be_used_has_no_say() {
        let mut all =
            trials(&[("a", &[Package, Dram]), ("b", &[Package, Dram]), ("b", &[Package])]);
        all[2].usable = false;
        assert_eq!(Domains::decide(&all, None).unwrap().compared, [Package, Dram]);
    }

    #[test]
    fn what_is_asked_for_must_be_there_and_add_up() {
        let all = trials(&[("a", &[Package, Dram, Gpu(0), Gpu(1)]), ("b", &[Package, Dram])]);
        let asked = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            Domains::decide(&all, Some(&names)).map(|d| d.compared)
        };
        assert_eq!(asked(&["dram"]), Ok(vec![Dram]));
        assert_eq!(asked(&["package", "gpu"]), Ok(vec![Package, Gpu(0), Gpu(1)]));
        let none = asked(&["system"]).unwrap_err();
        assert_eq!(none, "--domains: no trial has 'system'; there are package,dram,gpu0,gpu1");
        assert!(asked(&["memory"]).unwrap_err().starts_with("--domains: 'memory' is no energy"));
        assert!(overlap(&[Package, Core]).is_some() && overlap(&[System, Gpu(0)]).is_some());
        assert!(overlap(&[Package, Dram, Gpu(3)]).is_none() && overlap(&[Core]).is_none());
    }
}
