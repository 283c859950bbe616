//! What a comparison of frameworks came to, and how it is shown.

use crate::units;
use comfy_table::{CellAlignment, LineStyle, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the comparison came to, as `verify.compare` tells it and `--json` prints it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename = "result")]
pub(in crate::commands) struct Comparison {
    /// The framework that differences are measured from.
    pub(super) reference: String,
    /// So many steps were compared; none where a script does its whole job itself.
    pub(super) steps: Option<u32>,
    pub(super) rows: Vec<Row>,
    /// What columns must be, by the workload's specification: which there are, and of what kind, is its matter.
    pub(super) expected: Map<String, Value>,
    /// The largest difference that is allowed, by column, in the specification's order.
    pub(super) tolerances: Map<String, Value>,
    pub(super) identical: bool,
    /// Each names the framework, what differs, by how much, and what is allowed.
    pub(super) reasons: Vec<String>,
}

/// What one framework did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) framework: String,
    /// Which there are is the workload's matter.
    #[serde(flatten)]
    pub(super) columns: Map<String, Value>,
}

/// Columns of the comparison as people read them; those without a tolerance must be equal.
const COLUMNS: [(&str, &str); 14] = [
    ("parameters", "parameters"),
    ("batches", "batches in an epoch"),
    ("images", "images in an epoch"),
    ("dtype", "data type"),
    ("start_difference", "initial weights"),
    ("logit_difference", "logits before training"),
    ("first_update_difference", "first update"),
    ("first_loss_difference", "first loss"),
    ("early_loss_difference", "first 3 losses"),
    ("short_weight_difference", "weights after a short call"),
    ("loss_difference", "losses of all steps"),
    ("weight_difference", "weights after them"),
    ("accuracy", "accuracy after an epoch"),
    ("accuracy_difference", "accuracy apart"),
];

/// What the table leaves free beside the text of a column.
const BETWEEN: usize = 3;

/// One column of the comparison: its title, a cell for each treatment, and what is allowed.
struct Compared {
    title: String,
    cells: Vec<String>,
    allowed: String,
}

impl Compared {
    /// The width that it cannot do without, and the space beside it.
    fn width(&self) -> usize {
        let cells = self.cells.iter().chain([&self.allowed]).map(String::as_str);
        cells.chain(self.title.split(' ')).map(|word| word.chars().count()).max().unwrap_or(0)
            + BETWEEN
    }
}

/// The comparison, a row for each treatment: what is exactly the same in all is said once, the rest stands
/// in as many tables as it takes to be at most `columns` wide.
pub(in crate::commands) fn table(found: &Comparison, columns: u16) -> String {
    let Comparison { reference, steps, rows, tolerances, .. } = found;
    let names: Vec<&str> = rows.iter().map(|row| row.framework.as_str()).collect();
    let (mut same, mut apart) = (Vec::new(), Vec::new());
    for (key, title) in titles(rows) {
        let key = key.as_str();
        let cells: Vec<String> = rows.iter().map(|row| show(key, row.columns.get(key))).collect();
        let allowed = match tolerances.get(key).and_then(Value::as_f64) {
            _ if key == "accuracy" => String::new(),
            Some(tolerance) if tolerance > 0.0 => format!("{tolerance:.1e}"),
            _ => "equal".to_owned(),
        };
        if allowed == "equal" && cells.iter().all(|cell| *cell == cells[0]) {
            let alike = if cells[0] == "0" { "equal".to_owned() } else { cells[0].clone() };
            same.push(format!("{title} {alike}"));
        } else {
            apart.push(Compared { title, cells, allowed });
        }
    }
    let mut text = String::new();
    let columns = usize::from(columns);
    if !same.is_empty() {
        let all = format!("The same in all: {}.", same.join(", "));
        text = format!("{}\n\n", textwrap::fill(&all, columns));
    }
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(7) + BETWEEN;
    let mut rest = apart.as_slice();
    while !rest.is_empty() {
        let mut taken = first;
        let fits = rest.iter().take_while(|column| {
            taken += column.width();
            taken <= columns
        });
        let (part, later) = rest.split_at(fits.count().max(1));
        text += &format!("{}\n\n", part_of_table(&names, part));
        rest = later;
    }
    let verdict =
        if found.identical { "The work is the same." } else { "The work is NOT the same." };
    let note = match steps {
        None => verdict.to_owned(),
        Some(steps) => format!(
            "Differences are from {reference}: of logits and accuracy the largest, of losses and weights \
             relative; over the first {steps} steps. {verdict}"
        ),
    };
    format!("{text}{}\n", textwrap::fill(&note, columns))
}

/// The columns that a comparison has, with their titles: a network's, or whatever a script that does its whole
/// job itself returned.
fn titles(rows: &[Row]) -> Vec<(String, String)> {
    let told = |key: &str| rows.iter().any(|row| row.columns.contains_key(key));
    let known = COLUMNS.iter().filter(|(key, _)| told(key));
    let known: Vec<_> = known.map(|(key, title)| ((*key).into(), (*title).into())).collect();
    if told("parameters") {
        return known;
    }
    let mut own: Vec<(String, String)> = Vec::new();
    for key in rows.iter().flat_map(|row| row.columns.keys()) {
        if !own.iter().any(|(known, _)| known == key) {
            own.push((key.clone(), key.replace('_', " ")));
        }
    }
    own
}

/// Some of the columns beside the treatments' names; titles are wrapped.
fn part_of_table(names: &[&str], part: &[Compared]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let titles = part.iter().map(|column| {
        let width = column.width() - BETWEEN;
        textwrap::fill(&column.title, textwrap::Options::new(width).break_words(false))
    });
    table.set_header(std::iter::once(String::new()).chain(titles));
    for (at, name) in names.iter().enumerate() {
        let cells = part.iter().map(|column| column.cells[at].clone());
        table.add_row(std::iter::once((*name).to_owned()).chain(cells));
    }
    let allowed = part.iter().map(|column| column.allowed.clone());
    table.add_row(std::iter::once("allowed".to_owned()).chain(allowed));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn show(key: &str, value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if key == "accuracy" => {
            n.as_f64().map_or_else(String::new, |a| format!("{:.2}%", a * 100.0))
        }
        Some(Value::Number(n)) if n.is_u64() => n.to_string(),
        Some(Value::Number(n)) => match n.as_f64() {
            Some(0.0) => "0".to_owned(),
            Some(x) => format!("{x:.1e}"),
            None => n.to_string(),
        },
        None | Some(Value::Null) => units::digits(f64::NAN),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(names: &[&str]) -> Comparison {
        let row = |name: &&str| {
            let mut row = json!({ "framework": name });
            for (key, _) in COLUMNS {
                row[key] = json!(1.25e-7);
            }
            row["dtype"] = json!("float32");
            row["parameters"] = json!(1_199_882);
            row["start_difference"] = json!(0.0);
            row
        };
        let mut tolerances = json!({});
        for (key, _) in COLUMNS.into_iter().filter(|(key, _)| key.ends_with("difference")) {
            tolerances[key] = json!(if key == "start_difference" { 0.0 } else { 1e-4 });
        }
        let found = json!({
            "rows": names.iter().map(row).collect::<Vec<_>>(), "tolerances": tolerances,
            "steps": 50, "reference": "keras", "identical": true, "expected": {}, "reasons": [],
        });
        serde_json::from_value(found).unwrap()
    }

    #[test]
    fn the_comparison_fits_sixty_columns_with_three_and_eighty_with_twelve() {
        let twelve: Vec<String> = (0..12).map(|n| format!("keras-jax:tutorial@{n:07}")).collect();
        let twelve: Vec<&str> = twelve.iter().map(String::as_str).collect();
        for (names, columns) in
            [(&["keras", "torch", "jax"][..], 60), (&twelve, 80), (&twelve, 120), (&twelve, 300)]
        {
            let text = table(&found(names), columns);
            let wide = text.lines().find(|line| line.chars().count() > usize::from(columns));
            assert!(wide.is_none(), "{wide:?}\n{text}");
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for said in ["data type float32", "1.2e-7", "initial weights equal"] {
                assert!(words.contains(said), "{said}: {text}");
            }
            let named = |name: &&&str| text.lines().any(|line| line.trim().starts_with(**name));
            assert_eq!(names.iter().filter(named).count(), names.len(), "{text}");
        }
    }

    #[test]
    fn what_has_to_be_equal_and_is_not_is_a_column() {
        let mut found = found(&["keras", "torch"]);
        found.rows[1].columns["images"] = json!(120);
        let text = table(&found, 80);
        assert!(text.contains("images") && text.contains("120"), "{text}");
        assert!(!text.contains("images in an epoch 1"), "{text}");
    }
}
