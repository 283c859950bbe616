//! From what was typed to treatments: `NAME[:VARIANT][@ENVIRONMENT]`, each checked against what there is.

use super::factors::at_all_levels;
use super::release::{Place, place, same_place};
use super::scripts::{Known, Script};
use super::{Factor, Levels, SettingsError, Treatment, history, is_label, is_name, same_folder};

/// The environment that the project ships for its own study: the lock at its root.
pub(crate) const STUDY: &str = "study";

/// Distinct treatments, the A/A twin of `control` last, and that twin by itself. Releases of one package are put
/// in their order.
///
/// # Errors
///
/// Names the first treatment that is unknown, missing or doubled, and what is known.
pub(crate) fn treatments(
    typed: &[String],
    control: Option<&str>,
    factors: &[Factor],
    known: &Known,
) -> Result<(Vec<Treatment>, Option<Treatment>), SettingsError> {
    let mut treatments: Vec<Treatment> = Vec::new();
    for name in typed.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
        let treatment = one(name, known)?;
        if let Some(other) = treatments.iter().find(|other| same(other, &treatment)) {
            let (one, other) = (name.to_owned(), other.name.clone());
            return Err(if one == other {
                SettingsError::Twice(one)
            } else {
                SettingsError::Same { one, other }
            });
        }
        if let Some(other) = same_folder(&treatments, &treatment.name) {
            let one = treatment.name;
            return Err(SettingsError::Collides { flag: "treatments", one, other });
        }
        treatments.push(treatment);
    }
    if treatments.is_empty() {
        return Err(SettingsError::NoTreatment);
    }
    history::in_order(&mut treatments);
    let treatments = at_all_levels(treatments, factors)?;
    with_twin(treatments, control)
}

fn with_twin(
    mut treatments: Vec<Treatment>,
    control: Option<&str>,
) -> Result<(Vec<Treatment>, Option<Treatment>), SettingsError> {
    let Some(control) = control else { return Ok((treatments, None)) };
    let Some(twin) = treatments.iter().find(|t| t.name == control).cloned() else {
        let all: Vec<&str> = treatments.iter().map(|t| t.name.as_str()).collect();
        return Err(SettingsError::Control(control.to_owned(), all.join(", ")));
    };
    let twin = Treatment { name: format!("{control}-control"), ..twin };
    if !is_label(&twin.name) {
        return Err(SettingsError::NoName(twin.name));
    }
    if let Some(other) = same_folder(&treatments, &twin.name) {
        let one = format!("the twin of {control}");
        return Err(SettingsError::Collides { flag: "control", one, other });
    }
    treatments.push(twin.clone());
    Ok((treatments, Some(twin)))
}

/// Whether two treatments run the same script in the same way in the same environment. The study's
/// environment is what a treatment without one has.
fn same(one: &Treatment, other: &Treatment) -> bool {
    let place = |t: &Treatment| t.environment.clone().unwrap_or_else(|| STUDY.to_owned());
    one.framework == other.framework
        && one.variant == other.variant
        && same_place(&place(one), &place(other))
}

fn one(typed: &str, known: &Known) -> Result<Treatment, SettingsError> {
    let (way, environment) = match typed.split_once('@') {
        Some((way, environment)) => (way, Some(environment)),
        None => (typed, None),
    };
    let (framework, variant) = match way.split_once(':') {
        Some((framework, variant)) => (framework, Some(variant)),
        None => (way, None),
    };
    let Some(script) = known.script(framework) else {
        return Err(SettingsError::UnknownFramework {
            name: framework.to_owned(),
            known: known.frameworks(),
        });
    };
    if let Some(why) = &script.broken {
        return Err(SettingsError::Script(why.clone()));
    }
    if !is_name(framework) || framework.contains('+') {
        return Err(SettingsError::NoName(framework.to_owned()));
    }
    if let Some(variant) = variant {
        known_variant(script, variant)?;
    }
    let environment =
        environment.map(|typed| known_environment(script, typed, known)).transpose()?;
    Ok(Treatment::new(framework, variant.map(str::to_owned), environment, Levels::new()))
}

fn known_variant(script: &Script, variant: &str) -> Result<(), SettingsError> {
    if script.variants.contains_key(variant) && is_name(variant) {
        return Ok(());
    }
    let names: Vec<&str> = script.variants.keys().map(String::as_str).collect();
    Err(SettingsError::UnknownVariant {
        framework: script.framework.clone(),
        variant: variant.to_owned(),
        known: if names.is_empty() { "none".to_owned() } else { names.join(", ") },
    })
}

/// The environment as it is recorded: a version without the package whose version it is, where that is
/// the framework's own.
fn known_environment(script: &Script, typed: &str, known: &Known) -> Result<String, SettingsError> {
    match place(typed) {
        Some(Place::Folder(name)) if known.environments.contains_key(name) => Ok(name.to_owned()),
        Some(Place::Version { package, version }) => Ok(match package {
            Some(package) if package != script.main_package() => format!("{package}=={version}"),
            _ => version.to_owned(),
        }),
        _ => Err(SettingsError::UnknownEnvironment {
            typed: typed.to_owned(),
            framework: script.framework.clone(),
            known: known.environments.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy as _;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn known() -> Known {
        let script = |framework: &str, text: &str| Script::parse(framework, text).unwrap();
        Known {
            scripts: vec![
                script("jax", "PACKAGES = ('jax', 'jaxlib')\n"),
                script("keras", "PACKAGES = ('tensorflow', 'keras')\n"),
                script("torch", "VARIANTS = {'compile': 'Compiled.', 'tutorial': 'As taught.'}\n"),
            ],
            environments: BTreeMap::from([
                ("study".to_owned(), PathBuf::from("/p")),
                ("current".to_owned(), PathBuf::from("/p/current")),
            ]),
        }
    }

    fn chosen(list: &str) -> Result<Vec<Treatment>, String> {
        let typed: Vec<String> = list.split(',').map(str::to_owned).collect();
        treatments(&typed, None, &[], &known()).map(|(all, _)| all).map_err(|e| e.in_line())
    }

    #[test]
    fn a_treatment_is_a_script_in_a_variant_in_an_environment() {
        let all = chosen("torch, torch:compile,torch@current,torch:tutorial@2.4.1").unwrap();
        let told: Vec<(&str, Option<&str>, Option<&str>)> = all
            .iter()
            .map(|t| (t.name.as_str(), t.variant.as_deref(), t.environment.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("torch", None, None),
                ("torch:compile", Some("compile"), None),
                ("torch@current", None, Some("current")),
                ("torch:tutorial@2.4.1", Some("tutorial"), Some("2.4.1")),
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_told_with_what_is() {
        for (typed, words) in [
            ("caffe", &["'caffe'", "jax, keras, torch"][..]),
            ("torch:fast", &["'fast'", "compile, tutorial"]),
            ("jax:fast", &["'fast'", "none"]),
            ("jax@newest", &["'newest'", "current, study", "jax@1.2.3"]),
            ("jax@", &["''", "current, study"]),
            ("jax@1.x.y", &["'1.x.y'"]),
            ("", &["name at least one"]),
        ] {
            let error = chosen(typed).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{typed}: {error}");
        }
    }

    #[test]
    fn names_that_would_share_a_folder_are_refused() {
        let scripts = ["a", "a-control", "A", "pauses"];
        let scripts = scripts.map(|name| Script::parse(name, "").unwrap()).to_vec();
        let known = Known { scripts, ..Known::default() };
        let refused = |list: &[&str], control| {
            let typed: Vec<String> = list.iter().map(|name| (*name).to_owned()).collect();
            treatments(&typed, control, &[], &known)
        };
        let twin = refused(&["a", "a-control"], Some("a")).unwrap_err().in_line();
        assert!(twin.contains("--control") && twin.contains("'a-control'"), "{twin}");
        let case = refused(&["a", "A"], None).unwrap_err().in_line();
        assert!(case.contains("'A' and 'a'"), "{case}");
        let reserved = refused(&["pauses"], None).unwrap_err();
        assert_eq!(reserved, SettingsError::NoName("pauses".to_owned()));
        assert!(refused(&["a", "a-control"], None).is_ok());
    }

    #[test]
    fn the_same_treatment_twice_is_refused_however_it_is_written() {
        for typed in [
            "torch,torch",
            "torch,torch@study",
            "jax@0.4.30,jax@0.4.30.0",
            "jax@0.4.30,jax@jax==0.4.30",
        ] {
            let error = chosen(typed).unwrap_err();
            assert!(error.contains("same") || error.contains("twice"), "{typed}: {error}");
        }
        chosen("keras@3.8.0,keras@tensorflow==2.18.0").unwrap();
    }

    #[test]
    fn releases_are_put_in_their_order_whatever_was_typed() {
        let all = chosen("jax@0.5.0,jax@0.4.9,jax@0.4.30").unwrap();
        let names: Vec<&str> = all.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["jax@0.4.9", "jax@0.4.30", "jax@0.5.0"]);
    }

    #[test]
    fn a_control_is_a_second_treatment_of_the_same_kind() {
        let typed = ["torch:compile".to_owned(), "jax".to_owned()];
        let (all, twin) = treatments(&typed, Some("torch:compile"), &[], &known()).unwrap();
        let twin = twin.unwrap();
        assert_eq!((all.len(), twin.name.as_str()), (3, "torch:compile-control"));
        assert_eq!(twin.variant.as_deref(), Some("compile"));
        let error = treatments(&typed, Some("keras"), &[], &known()).unwrap_err().in_line();
        assert!(error.contains("'keras'") && error.contains("torch:compile, jax"), "{error}");
    }
}
