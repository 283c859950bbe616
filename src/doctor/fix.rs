//! What to put right first: the findings that matter, those of the same cause together.

use super::finding::{Finding, Level, Report};

/// Something to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fix {
    /// The worst of what it explains.
    pub level: Level,
    /// What is wrong, in a clause.
    pub what: String,
    /// What to do, where something can be done.
    pub remedy: Option<String>,
    /// The command that does it, where one is known.
    pub command: Option<String>,
}

/// The checks that a machine without counters of its own fails together.
const NO_COUNTER: [&str; 4] = ["meter", "meter.estimate", "virtual_machine", "container"];

/// Failures first, then what makes the energy an estimate, then the warnings as they stand.
pub(crate) fn fix_first(report: &Report) -> Vec<Fix> {
    let bad = |id: &str| report.get(id).is_some_and(|finding| finding.level >= Level::Warning);
    let estimated = report.get("meter").is_some_and(estimates);
    let within: Vec<&str> =
        [("virtual_machine", "a virtual machine"), ("container", "a container")]
            .into_iter()
            .filter(|(id, _)| bad(id))
            .map(|(_, name)| name)
            .collect();
    let one_cause = estimated && !within.is_empty();
    let mut fixes = Vec::new();
    if one_cause {
        fixes.push(Fix {
            level: Level::Warning,
            what: format!(
                "no energy counter is seen from within {}: the energy is an estimate, and nothing is \
                 measured",
                within.join(" in ").replace("machine in a container", "machine, in a container")
            ),
            remedy: Some(if within.contains(&"a container") {
                "measure on the machine itself; a container needs its counters mounted (--powercap DIR)"
                    .to_owned()
            } else {
                "measure on the machine itself".to_owned()
            }),
            command: None,
        });
    }
    let rest = report.findings.iter().filter(|finding| finding.level >= Level::Warning);
    let rest = rest.filter(|finding| !(one_cause && NO_COUNTER.contains(&finding.id)));
    fixes.extend(rest.map(|finding| Fix {
        level: finding.level,
        what: format!("{}: {}", finding.title, clause(&finding.found)),
        remedy: finding.remedy.as_deref().and_then(first_sentence),
        command: finding.remedy.as_deref().and_then(first_command),
    }));
    // Stable: what stands first among equals stays there.
    fixes.sort_by_key(|fix| std::cmp::Reverse(fix.level));
    fixes
}

/// Whether a finding about the chosen meter says that it estimates.
pub(super) fn estimates(finding: &Finding) -> bool {
    finding.says("estimated")
}

/// Under an estimate nobody knows how small a difference shows: it follows processor time alone.
pub(super) fn effect_of_an_estimate(finding: Finding) -> Finding {
    if finding.id != "plan.effect" || !finding.tells("percent") {
        return finding;
    }
    if finding.level >= Level::Warning {
        let found = format!("{}; under an estimate even that is unknown", finding.found);
        return Finding { found, ..finding };
    }
    let found = format!(
        "unknown under an estimate, which follows processor time and not what the work draws. With a \
         counter: {}",
        finding.found
    );
    Finding { found, level: Level::Unknown, ..finding }
}

/// The beginning of a text, up to where it begins to explain.
fn clause(text: &str) -> &str {
    let end = [": ", "; ", " ("].iter().filter_map(|mark| text.find(mark)).min();
    text[..end.unwrap_or(text.len())].trim_end()
}

fn first_sentence(remedy: &str) -> Option<String> {
    let prose = remedy.lines().find(|line| !line.starts_with("  "))?;
    let mut letters = prose.trim().chars();
    let first = letters.next()?;
    let rest = letters.as_str();
    // A flag or a name keeps its letters.
    let lower = rest.starts_with(|c: char| c.is_lowercase());
    Some(if lower { first.to_lowercase().chain(rest.chars()).collect() } else { prose.to_owned() })
}

fn first_command(remedy: &str) -> Option<String> {
    remedy.lines().find_map(|line| line.strip_prefix("  ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &'static str, level: Level) -> Finding {
        Finding::new(id, "Title", level, "so and so: because").remedy("Do this\n  command")
    }

    #[test]
    fn a_guest_in_a_container_with_an_estimate_is_one_thing_to_put_right() {
        let meter = finding("meter", Level::Warning).with("estimated", true);
        let findings = vec![
            meter,
            finding("virtual_machine", Level::Warning),
            finding("container", Level::Warning),
            finding("processes", Level::Warning),
            finding("disk", Level::Failure),
            finding("clock", Level::Unknown),
        ];
        let fixes = fix_first(&Report::new(findings, 0.0));
        let told: Vec<&str> = fixes.iter().map(|fix| fix.what.as_str()).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!((told[0], told[2]), ("Title: so and so", "Title: so and so"));
        assert!(told[1].contains("a virtual machine, in a container"), "{told:?}");
        assert_eq!(fixes[0].remedy.as_deref(), Some("do this"));
        assert_eq!(fixes[0].command.as_deref(), Some("command"));
    }

    #[test]
    fn a_guest_that_measures_keeps_its_own_warning() {
        let findings =
            vec![finding("meter", Level::Ok), finding("virtual_machine", Level::Warning)];
        let fixes = fix_first(&Report::new(findings, 0.0));
        assert_eq!(fixes.len(), 1);
        assert!(fixes[0].what.starts_with("Title"));
    }

    #[test]
    fn the_smallest_effect_of_an_estimate_is_unknown() {
        let effect =
            Finding::new("plan.effect", "Smallest effect", Level::Ok, "a difference of 3%")
                .with("percent", 3.0);
        let told = effect_of_an_estimate(effect);
        assert_eq!(told.level, Level::Unknown);
        assert!(
            told.found.starts_with("unknown") && told.found.ends_with("of 3%"),
            "{}",
            told.found
        );
    }
}
