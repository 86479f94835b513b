//! The documents and the code agree: each rule of PROTOCOL.md is cited where the code carries it
//! out, no other number is cited, and the files that the documents name exist.

mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sources::{code_files, root, rust_files, without_tests};

/// A citation: a comment of its own, `// PROTOCOL 12` or `// PROTOCOL 3, 12`.
const CITATION: &str = "// PROTOCOL ";

/// An error code of HTTP/2, which cites nothing.
const NO_CITATION: &str = "PROTOCOL_ERROR";

/// The hidden modules are for tools, and carry out no rule.
const TOOLS: [&str; 2] = ["__bench.rs", "__fuzz"];

/// The numbers of the rules, in their order.
fn rules(protocol: &str) -> Vec<u32> {
    let starts = protocol.lines().filter_map(|line| line.split_once(". "));
    starts.filter_map(|(number, _)| number.parse().ok()).collect()
}

/// The rules that a file cites. `Err` is a line that names the protocol in another form.
fn cited(source: &str) -> Result<BTreeSet<u32>, String> {
    let mut cited = BTreeSet::new();
    let cites = |line: &&str| line.replace(NO_CITATION, "").contains("PROTOCOL");
    for line in without_tests(source).lines().filter(cites) {
        let numbers = line.trim_start().strip_prefix(CITATION).ok_or(line)?;
        for number in numbers.split(", ") {
            cited.insert(number.parse().map_err(|_| line)?);
        }
    }
    Ok(cited)
}

#[test]
fn each_rule_of_the_protocol_is_cited_where_it_is_carried_out_and_no_other_is() {
    let rules = rules(&fs::read_to_string(root().join("PROTOCOL.md")).unwrap());
    assert!(rules.len() >= 42, "a rule keeps its number for good, and there were 42");
    assert!(rules.iter().copied().eq(1..=rules.len() as u32), "they count up from 1: {rules:?}");

    let sources = root().join("sdk/src");
    let mut cited_anywhere = BTreeSet::new();
    for file in code_files(&sources) {
        if TOOLS.iter().any(|tool| file.strip_prefix(&sources).unwrap().starts_with(tool)) {
            continue;
        }
        let cited = cited(&fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|line| panic!("{}: cite as `{CITATION}1, 2`: {line}", file.display()));
        let unknown: Vec<_> = cited.iter().filter(|rule| !rules.contains(rule)).collect();
        assert!(unknown.is_empty(), "{} cites {unknown:?}, which do not exist", file.display());
        cited_anywhere.extend(cited);
    }
    let uncited: Vec<_> = rules.iter().filter(|rule| !cited_anywhere.contains(rule)).collect();
    assert!(uncited.is_empty(), "no code cites {uncited:?}");
}

#[test]
fn rules_and_citations_are_found() {
    let protocol = "# Title\n\n1. One. `a_test`\n   It is 2. not\n2. Two.\n\n## More\n\n10. Ten.\n";
    assert_eq!(rules(protocol), [1, 2, 10]);
    let source = "fn f() {\n    // PROTOCOL 12\n    // Why.\n    // PROTOCOL 3, 4\n}\n";
    assert_eq!(cited(source), Ok(BTreeSet::from([3, 4, 12])));
    assert_eq!(cited("const PROTOCOL_ERROR: u32 = 1;\n"), Ok(BTreeSet::new()));
    let test = "\nmod tests {\n    // PROTOCOL 99\n}\n";
    assert_eq!(cited(test), Ok(BTreeSet::new()));
    for wrong in ["// PROTOCOL two", "// see PROTOCOL 2", "/// PROTOCOL 2", "// PROTOCOL 1 2"] {
        assert_eq!(cited(wrong), Err(wrong.to_owned()));
    }
}

/// The names of Rust files in a document, each with its line. In the table of old names, only the
/// new ones count.
fn named_files(document: &str) -> Vec<(&str, &str)> {
    let (mut files, mut is_history) = (Vec::new(), false);
    for line in document.lines() {
        if line.starts_with("## ") {
            is_history = line == "## Names that changed";
        }
        let text = if is_history && line.starts_with('|') {
            line.split('|').nth(2).unwrap_or_default()
        } else {
            line
        };
        let code = text.split('`').skip(1).step_by(2);
        files.extend(code.filter(|code| code.ends_with(".rs")).map(|file| (file, line)));
    }
    files
}

#[test]
fn the_files_that_the_documents_name_exist() {
    let folders = ["sdk/src", "macros/src", "proto/src", "examples", "tests"];
    let there = folders.map(|folder| rust_files(&root().join(folder))).concat();
    let exists = |file: &str| there.iter().any(|path| path.ends_with(Path::new(file)));
    let (mut count, mut gone) = (0, Vec::new());
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "PROTOCOL.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for (file, line) in named_files(&text) {
            count += 1;
            if !exists(file) {
                gone.push(format!("{document}: {file} in: {line}"));
            }
        }
    }
    assert!(count > 40, "only {count} files were found");
    assert!(gone.is_empty(), "these files do not exist:\n{}", gone.join("\n"));
}

#[test]
fn files_are_found_in_documents_and_old_names_are_not() {
    let map = "`a/b.rs` and `c`\n## Names that changed\n| `old.rs` | `new.rs`, `x` |\ntext `in.rs`\n\
               ## Next\n| `one.rs` | `two.rs` |\n";
    let names: Vec<_> = named_files(map).into_iter().map(|(file, _)| file).collect();
    assert_eq!(names, ["a/b.rs", "new.rs", "in.rs", "one.rs", "two.rs"]);
}
