//! The table in ARCHITECTURE.md of which room may know which is true: nothing imports what its row
//! does not name, no row names what is not imported, and each room stands above all that it knows.

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sources::{code_files, root, without_tests};

/// Not rooms: the crate's front, and what looks behind all doors for tests, tools and generated
/// code.
const FRONT: [&str; 6] = ["lib", "golden", "testing", "__bench", "__fuzz", "__private"];

type Names = BTreeSet<String>;

/// The rows of the table, from the lowest room to the highest: each room and those it may use.
fn table(architecture: &str) -> Vec<(String, Names)> {
    let begin = architecture.find("| room | may use |").expect("ARCHITECTURE.md has the table");
    let rows = architecture[begin..].lines().skip(2).take_while(|line| line.starts_with('|'));
    let names =
        |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Names>();
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        (names(cells[1]).pop_first().expect("a row begins with its room"), names(cells[2]))
    })
    .collect()
}

/// The rooms that a file's code names by `crate::`. Comments link wherever they like, and so do
/// unit tests.
fn named(source: &str) -> Names {
    let lines = without_tests(source).lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1).map(first_name));
    names.filter(|name| !name.is_empty()).collect()
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// The rooms that each room uses, as the sources say.
fn imports(sources: &Path) -> BTreeMap<String, Names> {
    let mut rooms = BTreeMap::<_, Names>::new();
    for file in code_files(sources) {
        let inside = file.strip_prefix(sources).unwrap().with_extension("");
        let room = inside.iter().next().unwrap().to_str().unwrap().to_owned();
        if FRONT.contains(&&*room) {
            continue;
        }
        let mut used = named(&fs::read_to_string(&file).unwrap());
        used.remove(&room);
        rooms.entry(room).or_default().append(&mut used);
    }
    rooms
}

#[test]
fn each_room_knows_what_the_map_says_and_stands_above_it() {
    let root = root();
    let table = table(&fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap());
    let imports = imports(&root.join("sdk/src"));
    let mut below = Names::new();
    for (room, may_use) in &table {
        let uses = imports.get(room).unwrap_or_else(|| panic!("there is no room {room}"));
        let more: Vec<_> = uses.difference(may_use).collect();
        assert!(
            more.is_empty(),
            "{room} uses {more:?}, which its row in ARCHITECTURE.md does not name"
        );
        let fewer: Vec<_> = may_use.difference(uses).collect();
        assert!(
            fewer.is_empty(),
            "{room} does not use {fewer:?}, which its row in ARCHITECTURE.md names"
        );
        let above: Vec<_> = uses.difference(&below).collect();
        assert!(above.is_empty(), "{room} uses {above:?}, which does not stand below it");
        below.insert(room.clone());
    }
    let rooms: Names = imports.into_keys().collect();
    assert_eq!(below, rooms, "each room has a row");
}

#[test]
fn names_are_found_in_code_and_not_in_comments_and_tests() {
    let source = "/// [`a`](crate::linked)\nuse crate::one::Thing;\nfn f(_: crate::two, _: crate::three::It) {}\n\
                  \n#[cfg(test)]\nmod tests {\n    use crate::four;\n}\n";
    assert_eq!(Vec::from_iter(named(source)), ["one", "three", "two"]);
    let map = "text\n\n| room | may use | absent |\n|---|---|---|\n| `a` | | x |\n| `b` | `a`; tokio | `c` |\n\nmore";
    assert_eq!(table(map), [("a".into(), Names::new()), ("b".into(), Names::from(["a".into()]))]);
}
