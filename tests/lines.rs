//! Comments and documents are wrapped at 100 columns, as rustfmt wraps code, and their sentences
//! begin with their subjects.

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

/// The lines of a text that are too long. Tables, drawings and words that are long themselves may
/// be.
fn too_long(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let is_document = path.extension().is_some_and(|extension| extension == "md");
    let mut is_drawing = false;
    let mut long = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let words = if is_document { trimmed } else { trimmed.trim_start_matches(['/', '!']) };
        is_drawing ^= is_document && words.starts_with("```");
        let is_comment = is_document || trimmed.starts_with("//");
        let is_one_word = words.trim().split(' ').any(|word| word.chars().count() > COLUMNS / 2);
        let may_be_long = is_drawing || words.trim_start().starts_with('|') || is_one_word;
        if is_comment && !may_be_long && line.chars().count() > COLUMNS {
            long.push(format!("{}:{}: {line}", path.display(), number + 1));
        }
    }
    long
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
    let text = fs::read_to_string(path).unwrap();
    let is_document = path.extension().is_some_and(|extension| extension == "md");
    let (mut has_ended, mut is_drawing) = (true, false);
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        is_drawing ^= is_document && trimmed.starts_with("```");
        let is_text = if is_document { !is_drawing } else { trimmed.starts_with("//") };
        let words = if is_document { trimmed } else { trimmed.trim_start_matches(['/', '!']) };
        let words = words.trim().trim_start_matches(['-', '|', '*', ' ']);
        let begins = |opening: &str| {
            (has_ended && words.starts_with(opening)) || words.contains(&format!(". {opening}"))
        };
        if is_text && OPENINGS.into_iter().any(begins) {
            wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
        }
        has_ended = !is_text || words.is_empty() || words.ends_with(['.', ':', '?', '!', '|']);
    }
    wrong
}

#[test]
fn sentences_begin_with_their_subjects() {
    let wrong: Vec<_> = texts().iter().flat_map(|path| without_subject(path)).collect();
    assert!(wrong.is_empty(), "{} sentences do not:\n{}", wrong.len(), wrong.join("\n"));
}
