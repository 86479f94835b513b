//! How the text of a `.proto` file is read.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use protox::file::{File, FileResolver, IncludeFileResolver};

/// The mark that some editors write before the first letter of a file, and protoc passes over.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Finds files in an include path, as [`IncludeFileResolver`] does. A byte order mark is passed
/// over, and a file with an edition is refused in words that say so.
#[derive(Debug)]
pub(super) struct Include {
    path: PathBuf,
    files: IncludeFileResolver,
}

impl Include {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: IncludeFileResolver::new(path.to_owned()) }
    }
}

impl FileResolver for Include {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.files.resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let path = self.path.join(name);
        // protox has a text for whatever is wrong.
        let Ok(text) = fs::read_to_string(&path) else { return self.files.open_file(name) };
        let unmarked = text.strip_prefix(BYTE_ORDER_MARK);
        if let Some(place) = edition(unmarked.unwrap_or(&text)) {
            return Err(protox::Error::new(Edition { file: name.to_owned(), place }));
        }
        match unmarked {
            // A file that was read from memory has no path to be watched by.
            Some(unmarked) => File::from_source(name, unmarked).inspect(|_| watch(&path)),
            None => self.files.open_file(name),
        }
    }
}

/// Tells cargo to run the build script again when the file changes.
pub(super) fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// A file that begins with `edition = ..`.
struct Edition {
    file: String,
    place: (usize, usize),
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.place;
        write!(
            f,
            "{}:{line}:{column}: editions are not supported; write `syntax = \"proto3\";` in place of the edition, and \
             `optional` before the fields whose presence matters",
            self.file
        )
    }
}

impl fmt::Debug for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Edition {}

/// Line and column of the word `edition`, if the file begins with it.
fn edition(text: &str) -> Option<(usize, usize)> {
    let rest = code(text);
    let after = rest.strip_prefix("edition")?;
    if !code(after).starts_with('=') {
        return None;
    }
    let before = &text[..text.len() - rest.len()];
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some((before.matches('\n').count() + 1, line.chars().count() + 1))
}

/// The text without the comments and the space that it begins with.
fn code(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        if let Some(comment) = text.strip_prefix("//") {
            text = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = text.strip_prefix("/*") {
            text = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::edition;

    #[test]
    fn an_edition_is_found_where_the_code_begins() {
        assert_eq!(edition("edition = \"2023\";"), Some((1, 1)));
        assert_eq!(edition("// A file.\n/* edition = */ edition/**/=\"2023\";"), Some((2, 17)));
        assert_eq!(edition("syntax = \"proto3\"; message edition {}"), None);
        assert_eq!(edition("editions = 3;"), None);
        assert_eq!(edition("// edition = \"2023\";"), None);
        assert_eq!(edition("/* edition"), None);
    }
}
