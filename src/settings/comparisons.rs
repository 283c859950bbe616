//! Which pairs of treatments an experiment is to tell apart, declared before its first trial.

use super::{History, Levels, Settings, Treatment, history};

impl Settings {
    /// The treatments that are compared: all but the A/A twin.
    pub(crate) fn compared(&self) -> impl Iterator<Item = &Treatment> {
        self.treatments.iter().filter(|t| self.control.as_ref() != Some(t))
    }

    /// The history that the treatments are, where they are one.
    pub(crate) fn history(&self) -> Option<History> {
        history::of(self.compared())
    }

    /// The pairs of treatments that the experiment is to tell apart, the first of each the base: at each
    /// combination of levels all against one where `compare_to` names it, neighbours where the treatments
    /// are a history, else every pair. A treatment that is varied by itself is compared with itself at the
    /// neighbouring level. The A/A twin is in none.
    pub fn comparisons(&self) -> Vec<[String; 2]> {
        let of_one = self.compare_to.as_ref().filter(|_| self.commands.is_some());
        if let Some(base) = of_one.and_then(|base| self.compared().find(|t| t.name == *base)) {
            let others = self.compared().filter(|other| other.name != base.name);
            return others.map(|other| [base.name.clone(), other.name.clone()]).collect();
        }
        let mut cells: Vec<(&Levels, Vec<&Treatment>)> = Vec::new();
        for treatment in self.compared() {
            match cells.iter_mut().find(|(levels, _)| *levels == &treatment.levels) {
                Some((_, cell)) => cell.push(treatment),
                None => cells.push((&treatment.levels, vec![treatment])),
            }
        }
        if cells.len() > 1 && cells.iter().all(|(_, cell)| cell.len() == 1) {
            return self.between_levels();
        }
        let neighbours = self.compare_to.is_none() && self.history().is_some();
        cells.iter().flat_map(|(_, cell)| self.within(cell, neighbours)).collect()
    }

    /// The pairs among treatments at the same levels.
    fn within(&self, cell: &[&Treatment], neighbours: bool) -> Vec<[String; 2]> {
        let pair = |a: &Treatment, b: &Treatment| [a.name.clone(), b.name.clone()];
        if let Some(base) = &self.compare_to {
            let is_base = |t: &&&Treatment| t.name == *base || t.without_levels() == *base;
            let Some(base) = cell.iter().find(is_base) else { return Vec::new() };
            let others = cell.iter().filter(|other| other.name != base.name);
            return others.map(|other| pair(base, other)).collect();
        }
        if neighbours {
            return cell.windows(2).map(|two| pair(two[0], two[1])).collect();
        }
        let each = cell.iter().enumerate();
        each.flat_map(|(i, a)| cell[i + 1..].iter().map(move |b| pair(a, b))).collect()
    }

    /// One treatment at levels that differ by one step of one factor.
    fn between_levels(&self) -> Vec<[String; 2]> {
        let all: Vec<&Treatment> = self.compared().collect();
        let mut pairs = Vec::new();
        for factor in &self.factors {
            for two in factor.levels.windows(2) {
                for low in all.iter().filter(|t| t.levels.get(&factor.factor) == Some(&two[0])) {
                    let mut levels = low.levels.clone();
                    levels.insert(factor.factor.clone(), two[1].clone());
                    let high = all.iter().find(|t| t.levels == levels);
                    pairs.extend(high.map(|high| [low.name.clone(), high.name.clone()]));
                }
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::duration::tests::example;
    use crate::settings::{Factor, factors::at_all_levels};

    fn told(settings: &Settings) -> Vec<String> {
        settings.comparisons().iter().map(|pair| pair.join(" ")).collect()
    }

    fn of(treatments: Vec<Treatment>, factors: &[&str]) -> Settings {
        let factors: Vec<Factor> = factors.iter().map(|f| Factor::parse(f).unwrap()).collect();
        let treatments = at_all_levels(treatments, &factors).unwrap();
        Settings { treatments, factors, ..example() }
    }

    fn release(version: &str) -> Treatment {
        Treatment::new("jax", None, Some(version.to_owned()), Levels::new())
    }

    #[test]
    fn comparisons_are_all_pairs_or_all_against_one_and_never_with_the_twin() {
        let mut settings = example();
        assert_eq!(told(&settings), ["keras torch", "keras jax", "torch jax"]);
        let twin = Treatment { name: "jax-control".into(), ..Treatment::of("jax") };
        settings.treatments.push(twin.clone());
        settings.control = Some(twin);
        assert_eq!(told(&settings).len(), 3);
        settings.compare_to = Some("torch".into());
        assert_eq!(told(&settings), ["torch keras", "torch jax"]);
    }

    #[test]
    fn of_a_history_neighbours_are_compared() {
        let settings = of(["0.4.9", "0.4.30", "0.5.0"].map(release).to_vec(), &[]);
        assert_eq!(told(&settings), ["jax@0.4.9 jax@0.4.30", "jax@0.4.30 jax@0.5.0"]);
        let history = settings.history().unwrap();
        assert_eq!(
            (history.package.as_str(), history.releases[1].release.as_str()),
            ("jax", "0.4.30")
        );
        let two = of(["0.4.9", "0.4.30"].map(release).to_vec(), &[]);
        assert_eq!((told(&two).len(), two.history()), (1, None));
        let mixed = vec![release("0.4.9"), release("0.5.0"), Treatment::of("jax")];
        assert_eq!((told(&of(mixed.clone(), &[])).len(), of(mixed, &[]).history()), (3, None));
    }

    #[test]
    fn treatments_are_compared_within_levels() {
        let two = vec![Treatment::of("torch"), Treatment::of("jax")];
        let mut settings = of(two, &["epochs=1,2"]);
        let pairs = ["torch[epochs=1] jax[epochs=1]", "torch[epochs=2] jax[epochs=2]"];
        assert_eq!(told(&settings), pairs);
        settings.compare_to = Some("jax".to_owned());
        let pairs = ["jax[epochs=1] torch[epochs=1]", "jax[epochs=2] torch[epochs=2]"];
        assert_eq!(told(&settings), pairs);
        let history = of(["0.4.9", "0.4.30", "0.5.0"].map(release).to_vec(), &["epochs=1,2"]);
        assert_eq!(told(&history).len(), 4);
        assert_eq!(history.history().unwrap().releases.len(), 6);
    }

    #[test]
    fn one_treatment_is_compared_with_itself_at_the_next_level() {
        let settings = of(vec![Treatment::of("torch")], &["batch-size=32,64,128", "threads=1,2"]);
        let pairs = told(&settings);
        assert_eq!(pairs.len(), 2 * 2 + 3);
        assert_eq!(pairs[0], "torch[batch-size=32,threads=1] torch[batch-size=64,threads=1]");
        assert_eq!(pairs[6], "torch[batch-size=128,threads=1] torch[batch-size=128,threads=2]");
    }
}
