//! The rooms of `src` (its files and folders) know each other one way only: none comes back to itself. The same
//! holds for the rooms within a room; only a room's own face and what it is made of know each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module's path: `store`, `journal`.
type Module = Vec<String>;

/// What a file names: where the path begins, and the words of it.
type Named = (Module, Vec<String>);

/// Which room names which, and in which file it does so.
type Doors = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// Every module with its file and what that names.
struct House {
    modules: BTreeMap<Module, (PathBuf, Vec<Named>)>,
    /// What a module hands on of those below it, by name.
    handed: BTreeMap<Module, BTreeMap<String, Named>>,
}

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

/// A file's code, comments and tests left out.
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n").split("#[cfg(test)]\nmod ").next().unwrap().to_owned()
}

/// The paths that begin here, `a::{b, c::d}` for `a::b` and `a::c::d`, and what follows them.
fn paths<'t>(mut rest: &'t str, before: &[String], found: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = before.to_vec();
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    loop {
        if let Some(mut list) = rest.trim_start().strip_prefix('{') {
            loop {
                list = list.trim_start_matches(|c: char| c == ',' || c == '*' || c.is_whitespace());
                match list.chars().next() {
                    None => return list,
                    Some('}') => return &list[1..],
                    Some(c) if !c.is_alphanumeric() && c != '_' => return list,
                    Some(_) => list = paths(list, &path, found),
                }
            }
        }
        let next = word(rest);
        if next.is_empty() {
            break;
        }
        rest = &rest[next.len()..];
        path.push(next);
        match rest.strip_prefix("::") {
            Some(more) => rest = more,
            None => break,
        }
    }
    found.push(path);
    match rest.trim_start().strip_prefix("as ") {
        Some(renamed) => &renamed[word(renamed).len()..],
        None => rest,
    }
}

impl House {
    fn of(src: &Path) -> House {
        let mut files = Vec::new();
        rust_files(src, &mut files);
        let module = |file: &Path| -> Module {
            let path = file.strip_prefix(src).unwrap().with_extension("");
            let mut words: Module =
                path.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            words.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
            words
        };
        // The program's face only hands on.
        let own = files
            .iter()
            .filter(|file| !file.ends_with("tests.rs") && **file != src.join("main.rs"));
        let all: BTreeMap<Module, PathBuf> = own.map(|file| (module(file), file.clone())).collect();
        let mut house = House { modules: BTreeMap::new(), handed: BTreeMap::new() };
        for (module, file) in &all {
            let code = code(file);
            let mut named = Vec::new();
            for (place, _) in code.match_indices("::") {
                let root = ["crate", "super", "self"].into_iter().find(|root| {
                    let before = code[..place].strip_suffix(root);
                    before.is_some_and(|b| {
                        !b.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                    })
                });
                if let Some(root) = root {
                    paths(&code[place - root.len()..], &[], &mut named);
                }
            }
            // What lies below a module is named without a root.
            let mut below = Vec::new();
            for (place, _) in code.match_indices("use ") {
                paths(&code[place + "use ".len()..], &[], &mut below);
            }
            let child = |word: &String| {
                all.contains_key(&[&module[..], std::slice::from_ref(word)].concat())
            };
            below.retain(|path| path.first().is_some_and(child));
            let rooted = named.into_iter().map(|path| from_root(module, &path));
            let below: Vec<Named> = below.into_iter().map(|path| (module.clone(), path)).collect();
            for (at, path) in &below {
                let handed = house.handed.entry(module.clone()).or_default();
                handed.insert(path.last().unwrap().clone(), (at.clone(), path.clone()));
            }
            house.modules.insert(module.clone(), (file.clone(), rooted.chain(below).collect()));
        }
        house
    }

    /// The module that a path leads to, also by way of one that hands it on.
    fn module_of(&self, (at, path): &Named) -> Module {
        let mut at = at.clone();
        for (n, word) in path.iter().enumerate() {
            let next = [&at[..], std::slice::from_ref(word)].concat();
            if self.modules.contains_key(&next) {
                at = next;
            } else {
                let handed = self.handed.get(&at).and_then(|handed| handed.get(word));
                return match handed.filter(|(from, rest)| (from, &rest[..]) != (&at, &path[n..])) {
                    Some((from, rest)) if !rest.is_empty() => {
                        self.module_of(&(from.clone(), rest.clone()))
                    }
                    _ => at,
                };
            }
        }
        at
    }

    /// The doors between the rooms within `room`.
    fn doors(&self, room: &[String]) -> Doors {
        let mut doors = Doors::new();
        let within = |module: &Module| {
            module.starts_with(room).then(|| module.get(room.len()).cloned()).flatten()
        };
        for (module, (file, named)) in &self.modules {
            let Some(from) = within(module) else { continue };
            for to in named.iter().filter_map(|named| within(&self.module_of(named))) {
                if to != from {
                    doors
                        .entry(from.clone())
                        .or_default()
                        .entry(to)
                        .or_insert_with(|| file.clone());
                }
            }
        }
        doors
    }

    /// A circle of rooms, at the top or within a room.
    fn circle(&self) -> Option<Vec<String>> {
        let rooms: BTreeSet<&[String]> =
            self.modules.keys().filter(|m| !m.is_empty()).map(|m| &m[..m.len() - 1]).collect();
        rooms.into_iter().find_map(|room| circle(&self.doors(room)))
    }
}

/// `super::a` of `x::y` is `a` of `x`.
fn from_root(module: &Module, path: &[String]) -> Named {
    let mut at = module.clone();
    let mut path = path;
    while let Some((root, rest)) = path.split_first() {
        match root.as_str() {
            "crate" => at.clear(),
            "super" => drop(at.pop()),
            "self" => {}
            _ => break,
        }
        path = rest;
    }
    (at, path.to_vec())
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
    let house = House::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(house.doors(&[]).len() > 8, "the walk found too little: {:?}", house.doors(&[]));
    assert!(house.doors(&["env".to_owned()]).len() > 5, "the walk found too little within");
    if let Some(circle) = house.circle() {
        panic!("a circle of rooms:\n  {}", circle.join("\n  "));
    }
}

#[test]
fn no_file_of_a_crate_comes_back_to_itself() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let circles: Vec<String> = std::fs::read_dir(crates)
        .unwrap()
        .filter_map(|each| House::of(&each.unwrap().path().join("src")).circle())
        .map(|circle| circle.join("\n  "))
        .collect();
    assert!(circles.is_empty(), "circles:\n  {}", circles.join("\n  "));
}

/// The head of `src/run/mod.rs` tells a reader where each step is.
#[test]
fn the_way_of_a_trial_leads_to_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let head = std::fs::read_to_string(root.join("src/run/mod.rs")).unwrap();
    let paths: Vec<&str> = head
        .lines()
        .filter(|line| line.starts_with("//! |"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        assert!(root.join(path).is_file(), "there is no {path}");
    }
}

/// What circle these files make.
fn circle_of(files: &[(&str, &str)]) -> Option<String> {
    let src = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = src.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    House::of(src.path()).circle().map(|circle| circle.join("\n"))
}

#[test]
fn a_circle_is_found_whatever_the_imports_look_like() {
    let mut files = vec![
        ("attic.rs", "use crate::{cellar::{shelf, jar}, stairs};\n"),
        ("stairs/mod.rs", "// crate::attic is above\nfn down() { crate::cellar::jar() }\n"),
        ("cellar.rs", "fn jar() {}\n#[cfg(test)]\nmod tests { use crate::attic; }\n"),
    ];
    assert_eq!(circle_of(&files), None);
    files.push(("cellar/shelf.rs", "use crate::attic;\n"));
    let found = circle_of(&files).unwrap();
    assert!(found.contains("cellar -> attic") && found.contains("shelf.rs"), "{found}");
}

#[test]
fn a_circle_within_a_room_is_found_by_way_of_its_face_as_well() {
    let mut files = vec![
        (
            "cellar.rs",
            "mod shelf;\nmod jar;\npub use jar::{Jar, Lid as Top};\npub use shelf::Shelf;\n",
        ),
        ("cellar/shelf.rs", "use super::{Jar, wine};\nfn on() { self::wine() }\n"),
        ("cellar/jar.rs", "use super::lamp;\n"),
        // What a room is made of may know its face, and the face it.
        ("cellar/jar/lid.rs", "use super::screw;\n"),
    ];
    assert_eq!(circle_of(&files), None);
    files.push(("cellar/jar/seal.rs", "fn up() -> crate::cellar::Shelf { todo() }\n"));
    let found = circle_of(&files).unwrap();
    assert!(found.contains("shelf -> jar") && found.contains("jar -> shelf"), "{found}");
}
