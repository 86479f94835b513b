//! The source tree to copy, walked as it is needed and never held as a whole.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, FilterEntry, WalkDir};

use crate::shown;
use crate::tree::STAGING;
use crate::wire::{Link, Target};

/// One thing in the tree. `path` is relative to the root.
#[derive(Debug)]
pub(crate) enum Entry {
    Enter(Vec<u8>),
    Leave(Target),
    Link(Link),
    File(FileEntry),
}

/// A regular file, as it was when the scan passed.
#[derive(Debug)]
pub(crate) struct FileEntry {
    pub(crate) path: Vec<u8>,
    pub(crate) on_disk: PathBuf,
    pub(crate) size: u64,
    pub(crate) mode: u32,
}

/// Something that will be missing in the copy, and why.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) why: io::Error,
}

/// Walks a tree. Each directory gives `Enter`, its content, `Leave`. Links are never followed.
pub(crate) struct Scan {
    root: PathBuf,
    walk: Peekable<Walk>,
    /// The directories around the walk's place, with their depths.
    open: Vec<(usize, Target)>,
}

type Walk = FilterEntry<walkdir::IntoIter, fn(&DirEntry) -> bool>;

impl Scan {
    pub(crate) fn new(root: &Path) -> Self {
        let walk = WalkDir::new(root).min_depth(1).into_iter();
        Self {
            root: root.to_owned(),
            walk: walk.filter_entry(is_content as fn(&DirEntry) -> bool).peekable(),
            open: Vec::new(),
        }
    }

    fn entry(&mut self, found: &DirEntry) -> Result<Entry, Problem> {
        let on_disk = found.path();
        let problem = |why| Problem { path: on_disk.to_owned(), why };
        let path =
            on_disk.strip_prefix(&self.root).unwrap_or(on_disk).as_os_str().as_bytes().to_vec();
        let metadata = found.metadata().map_err(|error| problem(plain(error)))?;
        let mode = permissions(&metadata);
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.open.push((found.depth(), Target { path: path.clone(), mode }));
            Ok(Entry::Enter(path))
        } else if kind.is_symlink() {
            let target = fs::read_link(on_disk).map_err(problem)?;
            Ok(Entry::Link(Link { path, target: target.into_os_string().as_bytes().to_vec() }))
        } else if kind.is_file() {
            Ok(Entry::File(FileEntry {
                path,
                on_disk: on_disk.to_owned(),
                size: metadata.len(),
                mode,
            }))
        } else {
            Err(problem(io::Error::other("neither a file, a directory nor a link")))
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Entry, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let depth = match self.walk.peek() {
            Some(Ok(found)) => found.depth(),
            Some(Err(error)) => error.depth(),
            None => 0,
        };
        if let Some((_, dir)) = self.open.pop_if(|(open, _)| *open >= depth) {
            return Some(Ok(Entry::Leave(dir)));
        }
        Some(match self.walk.next()? {
            Ok(found) => self.entry(&found),
            Err(error) => Err(Problem {
                path: error.path().unwrap_or(&self.root).to_owned(),
                why: plain(error),
            }),
        })
    }
}

/// Without the path, which a problem has already. The other kind of error, a loop of links, is for
/// walks that follow them.
fn plain(error: walkdir::Error) -> io::Error {
    error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"))
}

/// How much there is, for the progress bar.
pub(crate) fn total_bytes(root: &Path) -> u64 {
    let files = Scan::new(root).filter_map(|entry| match entry {
        Ok(Entry::File(file)) => Some(file.size),
        _ => None,
    });
    files.sum()
}

/// The permission bits alone. Set-uid and its kin are not for the network to set.
pub(crate) fn permissions(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.path.to_string_lossy()), self.why)
    }
}

/// A tree that was itself the destination of a push may hold partial files; they are nobody's
/// content.
fn is_content(found: &DirEntry) -> bool {
    found.depth() != 1 || found.file_name() != OsStr::new(STAGING)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn summary(root: &Path) -> Vec<String> {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        Scan::new(root)
            .map(|entry| match entry {
                Ok(Entry::Enter(path)) => format!("enter {}", text(&path)),
                Ok(Entry::Leave(dir)) => format!("leave {} {:o}", text(&dir.path), dir.mode),
                Ok(Entry::Link(link)) => {
                    format!("link {} {}", text(&link.path), text(&link.target))
                }
                Ok(Entry::File(file)) => {
                    format!("file {} {} {:o}", text(&file.path), file.size, file.mode)
                }
                Err(problem) => format!("problem {problem}"),
            })
            .collect()
    }

    #[test]
    fn a_name_cannot_write_lines_of_its_own_or_colour_them() {
        let problem =
            Problem { path: "it's\nnot copied: \x1b[31mall".into(), why: io::Error::other("gone") };
        assert_eq!(problem.to_string(), "it's\\nnot copied: \\u{1b}[31mall: gone");
    }

    #[test]
    fn every_directory_is_entered_and_left_around_its_content() {
        let root = tempfile::tempdir().expect("a directory");
        let deep = root.path().join("a/b");
        fs::create_dir_all(&deep).expect("directories");
        fs::write(deep.join("f"), "12345").expect("a file");
        fs::set_permissions(deep.join("f"), fs::Permissions::from_mode(0o640)).expect("a mode");
        fs::set_permissions(&deep, fs::Permissions::from_mode(0o500)).expect("a mode");
        fs::set_permissions(root.path().join("a"), fs::Permissions::from_mode(0o755))
            .expect("a mode");
        let seen = summary(root.path());
        fs::set_permissions(&deep, fs::Permissions::from_mode(0o700)).expect("a mode");
        assert_eq!(
            seen,
            ["enter a", "enter a/b", "file a/b/f 5 640", "leave a/b 500", "leave a 755"]
        );
        assert_eq!(total_bytes(root.path()), 5);
    }

    #[test]
    fn a_link_is_reported_as_a_link_and_not_followed() {
        let root = tempfile::tempdir().expect("a directory");
        symlink("/etc", root.path().join("out")).expect("a link");
        assert_eq!(summary(root.path()), ["link out /etc"]);
    }

    #[test]
    fn a_socket_is_a_problem() {
        let root = tempfile::tempdir().expect("a directory");
        let _listener = UnixListener::bind(root.path().join("s")).expect("a socket");
        let seen = summary(root.path());
        assert!(matches!(seen.as_slice(), [only] if only.starts_with("problem ")), "{seen:?}");
    }

    #[test]
    fn partial_files_of_an_earlier_push_are_no_content() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join(STAGING)).expect("a directory");
        fs::write(root.path().join(STAGING).join("x"), "1").expect("a file");
        assert_eq!(summary(root.path()), Vec::<String>::new());
    }
}
