//! `docs/schema/fields.txt`: which fields each file has, as a page for people, as a JSON Schema, and held
//! against real values.

use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The folder of documentation.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// One field.
#[derive(Clone, Debug)]
struct Field {
    /// `pairs[].p_holm` as segments: `pairs[]`, `p_holm`.
    path: Vec<String>,
    /// Whether it may be absent.
    optional: bool,
    kind: String,
    null: bool,
    unit: String,
    meaning: String,
}

/// The fields of one file.
pub struct Fields {
    /// `trials.csv`.
    pub name: String,
    file: String,
    about: String,
    fields: Vec<Field>,
}

/// All files of the list.
pub fn files() -> Vec<Fields> {
    let text = std::fs::read_to_string(docs().join("schema/fields.txt")).unwrap();
    let mut files: Vec<Fields> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut cells =
            line.trim_start_matches("## ").split('|').map(|cell| cell.trim().to_owned());
        let mut next = || cells.next().unwrap_or_default();
        if line.starts_with("## ") {
            let (name, file, about) = (next(), next(), next());
            files.push(Fields { name, file, about, fields: Vec::new() });
        } else if !line.starts_with('#') {
            let (path, kind, unit, meaning) = (next(), next(), next(), next());
            files.last_mut().expect("a heading first").add(&path, &kind, unit, meaning);
        }
    }
    files
}

fn split(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

impl Fields {
    fn add(&mut self, path: &str, kind: &str, unit: String, meaning: String) {
        let optional = path.ends_with('?');
        let path = split(path.trim_end_matches('?'));
        if let Some(other) = kind.strip_prefix("= ") {
            let other = split(other);
            let like = self.fields.iter().filter(|f| f.path.starts_with(&other) && f.path != other);
            let like: Vec<Field> = like.cloned().collect();
            assert!(!like.is_empty(), "{kind} has no fields");
            self.fields.extend(like.into_iter().map(|field| {
                let path = [path.clone(), field.path[other.len()..].to_vec()].concat();
                Field { path, optional: optional || field.optional, ..field }
            }));
            return;
        }
        let (kind, null) = (kind.trim_end_matches('?').to_owned(), kind.ends_with('?'));
        assert!(["text", "number", "bool", "any"].contains(&kind.as_str()), "{kind}");
        self.fields.push(Field { path, optional, kind, null, unit, meaning });
    }

    /// A section of the page.
    pub fn page(&self) -> String {
        let mut page = format!(
            "\n## {}\n\n`{}`: {}\n\n| field | type | unit | meaning |\n|---|---|---|---|\n",
            self.name, self.file, self.about
        );
        for field in &self.fields {
            let absent = if field.optional { " ?" } else { "" };
            let null = if field.null { ", null" } else { "" };
            let path = field.path.join(".");
            page += &format!(
                "| `{path}`{absent} | {}{null} | {} | {} |\n",
                field.kind, field.unit, field.meaning
            );
        }
        page
    }

    /// The file's JSON Schema; a table's and a journal's is that of the list of its rows.
    pub fn schema(&self) -> Value {
        let fields: Vec<&Field> = self.fields.iter().collect();
        let mut item = object(&fields, 0);
        let rows = self.name.ends_with(".csv") || self.name == "journal";
        let about = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.file,
            "description": self.about,
        });
        let Value::Object(mut schema) = about else { unreachable!() };
        if rows {
            schema.insert("type".into(), json!("array"));
            schema.insert("items".into(), item);
        } else {
            schema.append(item.as_object_mut().expect("an object"));
        }
        Value::Object(schema)
    }

    /// What real values have and the list has not, or the other way round.
    pub fn faults(&self, values: &[Value]) -> Vec<String> {
        let mut seen = vec![false; self.fields.len()];
        let mut faults = Vec::new();
        for value in values {
            self.walk(value, &mut Vec::new(), &mut seen, &mut faults);
        }
        faults.sort();
        faults.dedup();
        for (field, seen) in self.fields.iter().zip(seen) {
            if !seen && !field.optional {
                faults.push(format!(
                    "{}: {} is documented and never written",
                    self.name,
                    field.path.join(".")
                ));
            }
        }
        faults
    }

    fn walk(
        &self,
        value: &Value,
        path: &mut Vec<String>,
        seen: &mut [bool],
        faults: &mut Vec<String>,
    ) {
        let fits = |field: &Field| {
            let deep = path.len() == field.path.len()
                || field.kind == "any" && path.len() > field.path.len();
            deep && field.path.iter().zip(path.iter()).all(|(a, b)| alike(a, b))
        };
        // The first that fits exactly describes the value; what stands below `any` is not described.
        let exact =
            |field: &&Field| field.path.len() == path.len() && field.path.last() == path.last();
        let fitting = || self.fields.iter().filter(|field| fits(field));
        let found = fitting().find(|f| exact(f)).or_else(|| fitting().next());
        for (field, seen) in self.fields.iter().zip(seen.iter_mut()) {
            *seen |= fits(field);
        }
        let holds_others = self.fields.iter().any(|field| {
            field.path.len() > path.len() && path.iter().zip(&field.path).all(|(a, b)| alike(b, a))
                || list_of(path).is_some_and(|list| {
                    field.path.len() >= list.len()
                        && list.iter().zip(&field.path).all(|(a, b)| alike(b, a))
                })
        });
        let place = || format!("{}: {}", self.name, path.join("."));
        match (value, found) {
            (_, None) if path.is_empty() => {}
            (Value::Object(_) | Value::Array(_), None) if holds_others => {}
            (_, None) => {
                faults.push(format!("{} is written and not documented", place()));
                return;
            }
            (Value::Object(_) | Value::Array(_), Some(field))
                if field.kind == "any" && !holds_others =>
            {
                return;
            }
            (value, Some(field)) if !field.allows(value) => {
                faults.push(format!("{} is not {}: {value}", place(), field.kind));
            }
            _ => {}
        }
        self.walk_within(value, path, seen, faults);
    }

    /// What stands within a value.
    fn walk_within(
        &self,
        value: &Value,
        path: &mut Vec<String>,
        seen: &mut [bool],
        faults: &mut Vec<String>,
    ) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    path.push(name.clone());
                    self.walk(value, path, seen, faults);
                    path.pop();
                }
            }
            Value::Array(items) => {
                let Some(last) = path.last_mut() else { return };
                last.push_str("[]");
                for item in items {
                    self.walk(item, path, seen, faults);
                }
                if let Some(last) = path.last_mut() {
                    last.truncate(last.len() - 2);
                }
            }
            _ => {}
        }
    }
}

impl Field {
    fn allows(&self, value: &Value) -> bool {
        match value {
            Value::Null => self.null || self.kind == "any",
            Value::Bool(_) => ["bool", "any"].contains(&self.kind.as_str()),
            // A CSV's text may look like a number.
            Value::Number(_) => ["number", "any", "text"].contains(&self.kind.as_str()),
            Value::String(_) => ["text", "any"].contains(&self.kind.as_str()),
            Value::Array(_) | Value::Object(_) => self.kind == "any",
        }
    }
}

/// `path` as the path of a list's items.
fn list_of(path: &[String]) -> Option<Vec<String>> {
    let (last, rest) = path.split_last()?;
    Some([rest.to_vec(), vec![format!("{last}[]")]].concat())
}

/// Whether a segment of the list fits a real name: `*` fits any, `phase_<phase>_j` what is alike.
fn alike(listed: &str, real: &str) -> bool {
    if listed == "*" {
        return true;
    }
    match (listed.split_once('<'), listed.split_once('>')) {
        (Some((begin, _)), Some((_, end))) => {
            real.len() > begin.len() + end.len() && real.starts_with(begin) && real.ends_with(end)
        }
        _ => listed == real,
    }
}

/// The schema of an object whose fields these are, from a depth of their paths on.
fn object(fields: &[&Field], depth: usize) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for field in fields.iter().filter(|field| field.path.len() > depth) {
        let name = field.path[depth].trim_end_matches("[]");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let (mut properties, mut patterns, mut required) = (Map::new(), Map::new(), Vec::new());
    let mut rest = json!(false);
    for name in names {
        let of_name = fields.iter().copied().filter(|field| {
            field.path.len() > depth && field.path[depth].trim_end_matches("[]") == name
        });
        let of_name: Vec<&Field> = of_name.collect();
        let described = property(&of_name, depth);
        if name == "*" {
            rest = described;
        } else if let Some((begin, end)) = name.split_once('<') {
            let end = end.split_once('>').map_or("", |(_, end)| end);
            patterns.insert(format!("^{begin}.+{end}$"), described);
        } else {
            if of_name.iter().any(|field| !field.optional) {
                required.push(name);
            }
            properties.insert(name.to_owned(), described);
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    if !patterns.is_empty() {
        schema["patternProperties"] = Value::Object(patterns);
    }
    schema["additionalProperties"] = rest;
    schema
}

fn property(fields: &[&Field], depth: usize) -> Value {
    let leaf = fields.iter().find(|field| field.path.len() == depth + 1);
    let deeper = fields.iter().any(|field| field.path.len() > depth + 1);
    let any = leaf.is_some_and(|field| field.kind == "any");
    let mut value = if deeper {
        object(fields, depth + 1)
    } else {
        let kind = match leaf.map_or("any", |field| field.kind.as_str()) {
            "text" => json!("string"),
            "number" => json!("number"),
            "bool" => json!("boolean"),
            _ => Value::Null,
        };
        match kind {
            Value::Null => json!({}),
            kind if leaf.is_some_and(|field| field.null) => json!({ "type": [kind, "null"] }),
            kind => json!({ "type": kind }),
        }
    };
    if deeper && any {
        value["type"] = json!(["object", "null"]);
        value["additionalProperties"] = json!(true);
    }
    if let Some(field) = leaf {
        let unit = if field.unit.is_empty() { String::new() } else { format!(" [{}]", field.unit) };
        value["description"] = json!(format!("{}{unit}", field.meaning));
    }
    if fields.iter().any(|field| field.path[depth].ends_with("[]")) {
        value = json!({ "type": "array", "items": value });
    }
    value
}
