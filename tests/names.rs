//! A type's name stands once in the library: whoever reads it needs not know in which room he is.

mod sources;

use std::collections::BTreeMap;
use std::fs;

use sources::{code_files, root, without_tests};

/// The names that stand more than once, how often, and why.
const TWINS: [(&str, usize, &str); 11] = [
    ("CallTag", 2, "`wires::CallTag` is one of the wires' own"),
    ("Children", 2, "a trait and its seal"),
    ("Decoder", 3, "`wires::Decoder` is one of the wires' own; `__bench` shows one"),
    ("Frame", 2, "`trill::codec::trpc::Frame` is the public face of the wire's frame"),
    ("Inbox", 2, "`__bench` shows it"),
    ("Inputs", 2, "a trait and its seal"),
    ("Link", 2, "`trill::testing::Link` is public, and a connection of the network in memory"),
    ("Messages", 2, "`__bench` shows them"),
    ("Response", 2, "`trill::Response` is an answer, `trill::codec::trpc::Response` its header"),
    ("Sealed", 2, "the seals of `Message` and `JsonMessage`"),
    ("Side", 2, "`trill::testing::Side` is public, and an end of the network in memory"),
];

/// The type that a line of code names first, if it defines one. Those that belong to a trait are
/// none.
fn defined(line: &str) -> Option<&str> {
    let is_inside = line.starts_with(' ');
    let code = line.trim_start();
    let code = match code.strip_prefix("pub(") {
        Some(scoped) => scoped.split_once(')')?.1,
        None => code.strip_prefix("pub ").unwrap_or(code),
    };
    let mut words = code.split_whitespace();
    let keyword = words.next()?;
    let is_type = match keyword {
        "struct" | "enum" | "trait" | "union" => true,
        "type" => !is_inside,
        _ => false,
    };
    let name = words.next().filter(|_| is_type)?;
    let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    Some(&name[..end.unwrap_or(name.len())]).filter(|name| name.starts_with(char::is_uppercase))
}

/// The faults of a list of twins: the names that stand more often than it says, and those that do
/// not stand as often any more.
fn faults(definitions: &BTreeMap<String, Vec<String>>, listed: &[(&str, usize, &str)]) -> String {
    let allowed =
        |name: &str| listed.iter().find(|(twin, ..)| *twin == name).map_or(1, |twin| twin.1);
    let more = definitions
        .iter()
        .filter(|(name, files)| files.len() > allowed(name))
        .map(|(name, files)| format!("{name} stands in {}\n", files.join(", ")));
    let fewer = listed
        .iter()
        .filter(|(name, count, _)| definitions.get(*name).map_or(0, Vec::len) < *count)
        .map(|(name, count, _)| format!("{name} does not stand {count} times any more\n"));
    more.chain(fewer).collect()
}

#[test]
fn each_name_of_a_type_stands_once() {
    let sources = root().join("sdk/src");
    let mut definitions = BTreeMap::<_, Vec<_>>::new();
    for file in code_files(&sources) {
        let inside = file.strip_prefix(&sources).unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&file).unwrap();
        for name in without_tests(&source).lines().filter_map(defined) {
            definitions.entry(name.to_owned()).or_default().push(inside.clone());
        }
    }
    assert!(definitions.len() > 300, "only {} types were found", definitions.len());
    let faults = faults(&definitions, &TWINS);
    assert!(faults.is_empty(), "give each the noun for its thing:\n{faults}");
}

#[test]
fn types_are_found_and_associated_types_are_not() {
    let lines = [
        ("pub(super) struct Queue<T> {", Some("Queue")),
        ("    enum Kind {", Some("Kind")),
        ("pub(in crate::conn) trait Look: Send {", Some("Look")),
        ("pub union Bits {", Some("Bits")),
        ("struct Pair(u8, u8);", Some("Pair")),
        ("type Work<F> = CatchUnwind<F>;", Some("Work")),
        ("    type Output = Result<()>;", None),
        ("/// struct Words in a comment", None),
        ("        struct $name {", None),
        ("let structs = 1;", None),
    ];
    for (line, name) in lines {
        assert_eq!(defined(line), name, "{line}");
    }
}

#[test]
fn names_that_stand_too_often_and_too_seldom_are_found() {
    let files = |count| vec!["a.rs".to_owned(); count];
    let definitions = ["Once", "Twice", "Thrice"].into_iter().zip(1..);
    let definitions = definitions
        .map(|(name, count)| (name.to_owned(), files(count)))
        .collect::<BTreeMap<_, _>>();
    assert_eq!(faults(&definitions, &[("Twice", 2, "why"), ("Thrice", 3, "why")]), "");
    assert_eq!(
        faults(&definitions, &[("Once", 2, "why"), ("Thrice", 2, "why")]),
        "Thrice stands in a.rs, a.rs, a.rs\nTwice stands in a.rs, a.rs\n\
         Once does not stand 2 times any more\n"
    );
}
