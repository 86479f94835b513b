//! The files of the repository, for tests that compare them with its documents.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The Rust files of a folder.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The same without those that hold nothing but tests.
pub(crate) fn code_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = rust_files(folder);
    files.retain(|file| {
        let mut names = file.strip_prefix(folder).unwrap().iter();
        !names.any(|name| name == "tests" || name == "tests.rs" || name == "models.rs")
    });
    files
}

/// A file's text without its unit tests, which stand at its end.
pub(crate) fn without_tests(source: &str) -> &str {
    source.split("\nmod tests {").next().unwrap_or_default()
}
