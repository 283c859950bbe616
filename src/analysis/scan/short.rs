//! What trials are called: as short as tells them apart.

use std::collections::BTreeSet;

use super::Input;

/// Gives each trial its file's name alone where that is enough, else the group's as well, else its path.
pub(super) fn shorten(inputs: &mut [Input]) {
    let last = |i: &Input| i.trial.rsplit('/').next().unwrap_or(&i.trial).to_owned();
    let grouped = |i: &Input| format!("{}/{}", i.group, last(i));
    for short in [&last as &dyn Fn(&Input) -> String, &grouped] {
        let names: Vec<String> = inputs.iter().map(short).collect();
        if names.iter().collect::<BTreeSet<_>>().len() == inputs.len() {
            inputs.iter_mut().zip(names).for_each(|(input, name)| input.trial = name);
            return;
        }
    }
    // Two files may differ in the case of their ending only.
    let names: BTreeSet<&String> = inputs.iter().map(|i| &i.trial).collect();
    if names.len() < inputs.len() {
        for input in inputs {
            let ending = input.csv.as_ref().and_then(|c| c.extension()).unwrap_or_default();
            input.trial = format!("{}.{}", input.trial, ending.to_string_lossy());
        }
    }
}
