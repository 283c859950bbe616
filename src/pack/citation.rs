//! `CITATION.cff` of an archive (<https://citation-file-format.github.io>, 1.2.0).

use super::Words;

/// Whom to cite for the data, and for the program that made them. JSON's strings are YAML's.
pub(super) fn citation(title: &str, words: &Words, released: &str, version: &str) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut authors: Vec<String> = words.authors.iter().map(|name| text(name)).collect();
    if authors.is_empty() {
        authors.push(text("The authors of the experiment"));
    }
    let authors: String = authors.iter().map(|name| format!("  - name: {name}\n")).collect();
    let license = words.license.as_deref();
    let license = license.map_or(String::new(), |id| format!("license: {}\n", text(id)));
    format!(
        "cff-version: 1.2.0\n\
         message: \"If you use these data, please cite them, and the program and the meter that measured.\"\n\
         title: {}\n\
         type: dataset\n\
         date-released: {released}\n\
         {license}\
         authors:\n{authors}\
         references:\n  \
           - type: software\n    \
             title: joulerace\n    \
             version: {}\n    \
             authors:\n      \
               - name: The joulerace authors\n",
        text(title),
        text(version),
    )
}
