//! `--list-treatments`: what `--treatments` can name here.

use crate::error::Error;
use crate::paths;
use crate::screen::width;
use crate::settings::{Known, STUDY, SettingsError};

/// What `--treatments` can name, for `--list-treatments`.
pub(super) fn list(known: &Known) -> Result<String, Error> {
    let columns = usize::from(width()).max(40);
    let mut text = String::from("Scripts and their variants:\n");
    for script in &known.scripts {
        if let Some(why) = &script.broken {
            return Err(SettingsError::Script(why.clone()).into());
        }
        text += &format!("  {}\n", script.framework);
        for (variant, sentence) in &script.variants {
            let name = format!("    {}:{variant}  ", script.framework);
            let indent = " ".repeat(6);
            let options =
                textwrap::Options::new(columns).initial_indent(&name).subsequent_indent(&indent);
            text += &(textwrap::fill(&crate::clean::line(sentence), options) + "\n");
        }
    }
    text += "Environments:\n";
    for (name, folder) in &known.environments {
        let what = if name == STUDY { " (what a treatment without one runs in)" } else { "" };
        text += &format!("  @{name}{what}  {}\n", paths::shown(&folder.join("poetry.lock")));
    }
    // Not every script's framework is a package that has versions.
    let named = known.scripts.iter().find(|script| script.packages.contains(&script.framework));
    let example = named.map_or("torch", |script| &script.framework);
    text += &textwrap::fill(
        &format!(
            "A version on the spot: {example}@1.2.3, or {example}@PACKAGE==1.2.3 for a package that it needs.",
        ),
        columns,
    );
    Ok(text + "\n")
}
