//! The settings that `joulerace compare` asks for.

use super::{check_comparisons, check_percents, check_shard, common, ranges};
use crate::cli::CompareArgs;
use crate::error::Error;
use crate::settings::commands::{mark, treatments, vary};
use crate::settings::{
    CommandLine, Commands, Factor, Problem, Settings, SettingsError, Shell, Treatment, is_label,
};
use crate::{clean, settings};

/// Checks the flags against each other and fills in what was left out.
pub(in crate::commands) fn resolve(args: &CompareArgs) -> Result<Settings, Error> {
    ranges(&args.design, &args.meter, &args.failures)?;
    check_percents(args.pairs.margin, args.pairs.until_precise)?;
    let Made { mut treatments, factors, shell } = commands(args)?;
    let control = twin(&treatments, args.pairs.control.as_deref())?;
    treatments.extend(control.clone());
    let settings = Settings {
        iterations: args.runs,
        treatments,
        factors,
        control,
        commands: Some(Commands {
            shell,
            same_output: args.same_output,
            ignore_failure: args.ignore_failure,
            repetitions: args.repetitions,
            trial_s: None,
            folder: std::env::current_dir().map_err(|e| Error::Other(e.into()))?,
        }),
        compare_to: args.pairs.compare_to.as_deref().map(label),
        margin_pct: args.pairs.margin,
        until_precise: args.pairs.until_precise,
        ..common(&args.design, &args.meter, &args.failures)
    };
    check_comparisons(&settings, "--runs")?;
    check_shard(&settings, &args.design)?;
    Ok(settings)
}

/// A label as it is recorded: without this user's home.
fn label(text: &str) -> String {
    clean::private(&clean::line(text.trim()))
}

/// What is compared, by which factors it varies, and what runs it.
struct Made {
    treatments: Vec<Treatment>,
    factors: Vec<Factor>,
    shell: Shell,
}

fn commands(args: &CompareArgs) -> Result<Made, SettingsError> {
    if args.name.len() > args.commands.len() {
        return Err(SettingsError::Names { names: args.name.len(), commands: args.commands.len() });
    }
    let names = args.name.iter().cloned().map(Some).chain(std::iter::repeat(None));
    let around = CommandLine {
        line: String::new(),
        setup: args.setup.clone(),
        prepare: args.prepare.clone(),
        cleanup: args.cleanup.clone(),
        check: args.check.clone(),
    };
    let lines =
        args.commands.iter().map(|line| CommandLine { line: line.clone(), ..around.clone() });
    let commands: Vec<(Option<String>, CommandLine)> = names.zip(lines).collect();
    let factors = factors(args)?;
    let mut found = treatments(&commands, &factors);
    for treatment in &mut found {
        treatment.name = label(&treatment.name);
    }
    let all = || found.iter().filter_map(|t| t.command.as_ref()).flat_map(|c| c.all());
    let shell = Shell::choose(&args.shell, all())
        .map_err(|why| SettingsError::Shell { why: why.into() })?;
    for line in all() {
        shell
            .words(line)
            .map_err(|why| SettingsError::Command { line: line.clone(), why: why.into() })?;
    }
    for (at, treatment) in found.iter().enumerate() {
        if !is_label(&treatment.name) {
            return Err(SettingsError::NoLabel(treatment.name.clone()));
        }
        let earlier = &found[..at];
        if let Some(same) = earlier.iter().find(|other| other.name == treatment.name) {
            return Err(match same.command == treatment.command {
                true => SettingsError::SameCommand(treatment.name.clone()),
                false => SettingsError::SameName(treatment.name.clone()),
            });
        }
        if let Some(other) = settings::same_folder(earlier, &treatment.name) {
            let one = treatment.name.clone();
            return Err(SettingsError::Collides { flag: "name", one, other });
        }
    }
    let factors = if vary(&commands, &factors) { factors } else { Vec::new() };
    Ok(Made { treatments: found, factors, shell })
}

/// The A/A twin of the command that `control` names.
fn twin(
    treatments: &[Treatment],
    control: Option<&str>,
) -> Result<Option<Treatment>, SettingsError> {
    let Some(control) = control.map(label) else { return Ok(None) };
    let Some(own) = treatments.iter().find(|t| t.name == control) else {
        let all: Vec<&str> = treatments.iter().map(|t| t.name.as_str()).collect();
        return Err(SettingsError::Control(control, all.join(", ")));
    };
    let twin = Treatment { name: format!("{control} (control)"), ..own.clone() };
    match settings::same_folder(treatments, &twin.name) {
        Some(other) => {
            let one = format!("the twin of {control}");
            Err(SettingsError::Collides { flag: "control", one, other })
        }
        None => Ok(Some(twin)),
    }
}

/// The factors of the scans, each with its levels.
fn factors(args: &CompareArgs) -> Result<Vec<Factor>, SettingsError> {
    let mut factors: Vec<Factor> = Vec::new();
    for pair in args.parameter_list.chunks(2) {
        let [name, values] = pair else { continue };
        let levels: Vec<String> =
            values.split(',').map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect();
        factors.push(Factor { factor: name.clone(), levels });
    }
    for scan in &args.parameter_scan {
        factors.push(scanned(scan)?);
    }
    for (at, factor) in factors.iter().enumerate() {
        let Factor { factor: name, levels } = factor;
        let wrong = |why: Problem| Err(SettingsError::Parameter { name: name.clone(), why });
        let mark = mark(factor);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(plain) {
            return wrong("a name is a word of letters, digits, '_' and '-'".into());
        }
        if !args.commands.iter().any(|command| command.contains(&mark)) {
            return wrong(format!("no command has {mark} in it").into());
        }
        if levels.is_empty() {
            return wrong(Problem::advised("it has no values", "write them like 1,2,3"));
        }
        if let Some(twice) = levels.iter().enumerate().find(|(n, l)| levels[..*n].contains(l)) {
            return wrong(format!("it has {} twice", twice.1).into());
        }
        if factors[..at].iter().any(|other| other.factor == *name) {
            return wrong("it is there twice".into());
        }
    }
    Ok(factors)
}

/// `NAME FROM TO [STEP]` as numbers with as many decimals as were typed.
fn scanned(text: &str) -> Result<Factor, SettingsError> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.first().copied().unwrap_or_default().to_owned();
    let wrong = |why: Problem| SettingsError::Parameter { name: name.clone(), why };
    let (from, to, step) = match words[..] {
        [_, from, to] => (from, to, "1"),
        [_, from, to, step] => (from, to, step),
        _ => return Err(wrong("write --parameter-scan NAME FROM TO [STEP]".into())),
    };
    let number = |word: &str| word.parse::<f64>().ok().filter(|number| number.is_finite());
    let (Some(first), Some(last), Some(by)) = (number(from), number(to), number(step)) else {
        return Err(wrong("FROM, TO and STEP are numbers".into()));
    };
    if !(by > 0.0 && first <= last) {
        return Err(wrong("it goes up from FROM to TO by a STEP above 0".into()));
    }
    let decimals = [from, step].iter().map(|word| decimals(word)).max().unwrap_or_default();
    let count = ((last - first) / by + 1e-9).floor();
    if count >= MOST_LEVELS {
        return Err(wrong(Problem::advised("it has more than 100 values", "take a larger STEP")));
    }
    let level = |n: u32| format!("{:.decimals$}", first + f64::from(n) * by);
    Ok(Factor { factor: name, levels: (0..=count as u32).map(level).collect() })
}

/// A scan has no more levels.
const MOST_LEVELS: f64 = 100.0;

fn decimals(word: &str) -> usize {
    word.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_has_both_its_ends_and_the_decimals_that_were_typed() {
        let levels = |text: &str| scanned(text).unwrap().levels;
        assert_eq!(levels("n 1 3"), ["1", "2", "3"]);
        assert_eq!(levels("n 0 0.3 0.1"), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(levels("n,-1,1,0.75"), ["-1.00", "-0.25", "0.50"]);
        for wrong in ["n", "n 1", "n 1 x", "n 3 1", "n 1 3 0", "n 1 1000", "n 1 2 3 4"] {
            assert!(scanned(wrong).is_err(), "{wrong}");
        }
    }
}
