//! The rooms of `src` (its files and folders) know each other one way only: none comes back to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which room names which, and in which file it does so.
type Doors = BTreeMap<String, BTreeMap<String, PathBuf>>;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a text names: `crate::room` and `crate::{room, …}`, comments and tests left out.
fn named(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap();
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut rooms = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (place, letter) in list.char_indices() {
            match letter {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                letter if begins && letter.is_alphabetic() => {
                    rooms.insert(word(&list[place..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

fn doors(src: &Path) -> Doors {
    let mut files = Vec::new();
    rust_files(src, &mut files);
    let room = |path: &Path| -> String {
        let first = path.strip_prefix(src).unwrap().iter().next().unwrap();
        Path::new(first).file_stem().unwrap().to_string_lossy().into_owned()
    };
    let rooms: BTreeSet<String> = files.iter().map(|path| room(path)).collect();
    let mut doors = Doors::new();
    for file in &files {
        let from = room(file);
        // The crate's face and the program's only hand on.
        if from == "lib" || from == "main" || file.ends_with("tests.rs") {
            continue;
        }
        for to in named(&std::fs::read_to_string(file).unwrap()) {
            if to != from && rooms.contains(&to) {
                let known = doors.entry(from.clone()).or_default();
                known.entry(to).or_insert_with(|| file.clone());
            }
        }
    }
    doors
}

/// A way from `from` to `to`, with the file behind each door.
fn way(doors: &Doors, from: &str, to: &str, seen: &mut BTreeSet<String>) -> Option<Vec<String>> {
    for (next, file) in doors.get(from).into_iter().flatten() {
        let step = format!("{from} -> {next} ({})", file.display());
        if next == to {
            return Some(vec![step]);
        }
        if seen.insert(next.clone())
            && let Some(rest) = way(doors, next, to, seen)
        {
            return Some(std::iter::once(step).chain(rest).collect());
        }
    }
    None
}

fn circle(doors: &Doors) -> Option<Vec<String>> {
    doors.keys().find_map(|room| way(doors, room, room, &mut BTreeSet::new()))
}

#[test]
fn no_room_comes_back_to_itself() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let doors = doors(&src);
    assert!(doors.len() > 8, "the walk found too little: {doors:?}");
    if let Some(circle) = circle(&doors) {
        panic!("a circle of rooms:\n  {}", circle.join("\n  "));
    }
}

#[test]
fn a_circle_is_found_whatever_the_imports_look_like() {
    let src = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = src.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("attic.rs", "use crate::{cellar::{shelf, jar}, stairs};\n");
    put("stairs/mod.rs", "// crate::attic is above\nfn down() { crate::cellar::jar() }\n");
    put("cellar.rs", "fn jar() {}\n#[cfg(test)]\nmod tests { use crate::attic; }\n");
    assert_eq!(circle(&doors(src.path())), None);
    put("cellar/shelf.rs", "use crate::attic;\n");
    let found = circle(&doors(src.path())).unwrap().join("\n");
    assert!(found.contains("cellar -> attic") && found.contains("shelf.rs"), "{found}");
}
