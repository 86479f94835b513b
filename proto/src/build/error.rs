//! Why a `.proto` file was not compiled.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why `.proto` files were not compiled.
///
/// `Display` and `Debug` print the same text, since a `build.rs` that returns the error from `main`
/// shows the latter. The wording is not promised.
pub struct Error(Box<Kind>);

enum Kind {
    /// A file to compile is not there.
    Missing { proto: PathBuf, includes: Vec<PathBuf> },
    /// A file is not there that another one imports, or a file to compile is outside of the include
    /// paths.
    NotIncluded { source: protox::Error, includes: Vec<PathBuf> },
    /// A file is wrong.
    Proto(protox::Error),
    /// A name that cannot be one in Rust, or that is there twice.
    Name(String),
    /// prost gave up.
    Generator(String),
    /// The output could not be written.
    Write(io::Error),
}

impl Error {
    pub(super) fn missing(proto: &Path, includes: &[impl AsRef<Path>]) -> Self {
        Self(Box::new(Kind::Missing { proto: proto.to_owned(), includes: owned(includes) }))
    }

    pub(super) fn proto(source: protox::Error, includes: &[impl AsRef<Path>]) -> Self {
        Self(Box::new(if source.is_file_not_found() {
            Kind::NotIncluded { source, includes: owned(includes) }
        } else {
            Kind::Proto(source)
        }))
    }

    pub(super) fn name(text: String) -> Self {
        Self(Box::new(Kind::Name(text)))
    }

    pub(super) fn generator(text: String) -> Self {
        Self(Box::new(Kind::Generator(text)))
    }

    pub(super) fn write(source: io::Error) -> Self {
        Self(Box::new(Kind::Write(source)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Missing { proto, includes } => {
                write!(
                    f,
                    "there is no {}, neither here nor in {}",
                    proto.display(),
                    Paths(includes)
                )
            }
            Kind::NotIncluded { source, includes } => {
                write!(f, "{}; looked in {}", located(source), Paths(includes))
            }
            Kind::Proto(source) => write!(f, "{}", located(source)),
            Kind::Name(text) => write!(f, "{text}"),
            Kind::Generator(text) => write!(f, "no code can be generated: {text}"),
            Kind::Write(_) => write!(f, "the generated code cannot be written"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Write(source) => write!(f, "{self}: {source}"),
            _ => write!(f, "{self}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Write(source) => Some(source),
            // Their text is part of ours.
            Kind::Missing { .. }
            | Kind::NotIncluded { .. }
            | Kind::Proto(_)
            | Kind::Name(_)
            | Kind::Generator(_) => None,
        }
    }
}

/// protox prints file, line and column with `Debug` only, and where a file ends too early not even
/// that.
fn located(error: &protox::Error) -> String {
    let text = format!("{error:?}");
    match error.file() {
        Some(file) if !text.contains(file) => format!("{file}: {text}"),
        _ => text,
    }
}

struct Paths<'a>(&'a [PathBuf]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no include path, for none is given");
        }
        for (index, path) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, path.display())?;
        }
        Ok(())
    }
}

fn owned(paths: &[impl AsRef<Path>]) -> Vec<PathBuf> {
    paths.iter().map(|path| path.as_ref().to_owned()).collect()
}
