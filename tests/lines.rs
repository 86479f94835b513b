//! Comments and documents are wrapped at 100 columns, as rustfmt wraps code, their sentences begin
//! with their subjects, and no file of the libraries is long.

use std::fs;
use std::path::{Path, PathBuf};

const COLUMNS: usize = 100;

/// No sentence begins so: its subject would come last.
const OPENINGS: [&str; 4] = ["What ", "Who ", "Whether ", "So many "];

/// Texts of the repository, without what is built, recorded, generated, or shown to the compiler as
/// it is.
fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "vectors", "ui"].contains(&&*name) {
                    folders.push(path);
                }
            } else if (name.ends_with(".rs") && !name.ends_with(".expanded.rs"))
                || name.ends_with(".md")
            {
                texts.push(path);
            }
        }
    }
    texts
}

/// A line of a comment or of a document.
struct Line {
    /// The file, the number and the line, for a person.
    shown: String,
    columns: usize,
    /// The line without what makes it a comment.
    words: String,
    /// Code, a drawing or nothing stands before it.
    is_first: bool,
}

/// The lines of a text that are wrapped and have sentences.
fn lines(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap();
    let is_document = path.extension().is_some_and(|extension| extension == "md");
    let (mut is_first, mut is_drawing) = (true, false);
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        is_drawing ^= is_document && trimmed.starts_with("```");
        let is_text = if is_document { !is_drawing } else { trimmed.starts_with("//") };
        if is_text {
            let words = if is_document { trimmed } else { trimmed.trim_start_matches(['/', '!']) };
            lines.push(Line {
                shown: format!("{}:{}: {line}", path.display(), number + 1),
                columns: line.chars().count(),
                words: words.trim().to_owned(),
                is_first,
            });
        }
        is_first = !is_text;
    }
    lines
}

/// The lines of a text that are too long. Tables, drawings and words that are long themselves may
/// be.
fn too_long(path: &Path) -> Vec<String> {
    let mut long = lines(path);
    long.retain(|line| {
        let has_long_word = line.words.split(' ').any(|word| word.chars().count() > COLUMNS / 2);
        line.columns > COLUMNS && !has_long_word && !line.words.starts_with('|')
    });
    long.into_iter().map(|line| line.shown).collect()
}

#[test]
fn comments_and_documents_are_wrapped_at_100_columns() {
    let texts = texts();
    assert!(texts.len() > 300, "only {} texts were found", texts.len());
    let long: Vec<_> = texts.iter().flat_map(|path| too_long(path)).collect();
    assert!(long.is_empty(), "{} lines are too long:\n{}", long.len(), long.join("\n"));
}

/// The lines on which a sentence begins in another way than with its subject.
fn without_subject(path: &Path) -> Vec<String> {
    let mut has_ended = true;
    let mut wrong = lines(path);
    wrong.retain(|line| {
        let words = line.words.trim_start_matches(['-', '|', '*', ' ']);
        let begins = |opening: &str| {
            ((line.is_first || has_ended) && words.starts_with(opening))
                || words.contains(&format!(". {opening}"))
        };
        let is_wrong = OPENINGS.into_iter().any(begins);
        has_ended = words.is_empty() || words.ends_with(['.', ':', '?', '!', '|']);
        is_wrong
    });
    wrong.into_iter().map(|line| line.shown).collect()
}

#[test]
fn sentences_begin_with_their_subjects() {
    let wrong: Vec<_> = texts().iter().flat_map(|path| without_subject(path)).collect();
    assert!(wrong.is_empty(), "{} sentences do not:\n{}", wrong.len(), wrong.join("\n"));
}

/// The most lines of a file of the libraries, its tests included.
const LINES: usize = 500;

/// The files that are longer, and why a part of each would be worse for a reader.
const LONG: [(&str, &str); 0] = [];

/// The faults of a list of long files: those that it lacks, and those that are no longer long.
fn faults(files: &[(String, usize)], listed: &[(&str, &str)]) -> Vec<String> {
    let lacks = files
        .iter()
        .filter(|(file, lines)| *lines > LINES && !listed.iter().any(|(long, _)| long == file))
        .map(|(file, lines)| format!("{file} has {lines} lines: part it by what it does"));
    let is_long = |long: &str| files.iter().any(|(file, lines)| file == long && *lines > LINES);
    let stale = listed
        .iter()
        .filter(|(long, _)| !is_long(long))
        .map(|(long, _)| format!("{long} is not long any more: take it out of the list"));
    lacks.chain(stale).collect()
}

#[test]
fn no_file_of_the_libraries_is_longer_than_500_lines() {
    let root = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let mut files = Vec::new();
    for path in texts() {
        let path = fs::canonicalize(path).unwrap();
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let is_code = ["sdk/src/", "macros/src/", "proto/src/"]
            .iter()
            .any(|folder| file.starts_with(folder) && file.ends_with(".rs"));
        if is_code {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            files.push((file, lines));
        }
    }
    assert!(files.len() > 200, "only {} files were found", files.len());
    let faults = faults(&files, &LONG);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_long_file_that_is_not_listed_and_a_listed_one_that_is_not_long_are_found() {
    let files = [("a.rs".to_owned(), 500), ("b.rs".to_owned(), 501), ("c.rs".to_owned(), 502)];
    let listed = [("a.rs", "why"), ("b.rs", "why"), ("gone.rs", "why")];
    let found = faults(&files, &listed);
    let begins = ["c.rs has 502 lines", "a.rs is not long", "gone.rs is not long"];
    assert_eq!(found.len(), begins.len(), "{found:?}");
    assert!(found.iter().zip(begins).all(|(fault, begin)| fault.starts_with(begin)), "{found:?}");
}
