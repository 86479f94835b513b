//! The destination: where a path of the wire lies on disk, and what is there already.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::hash;
use crate::wire::{Offer, Prefix, Standing};

/// The directory, at the root of the destination, where files grow until they are complete.
pub(crate) const STAGING: &str = ".filesync";

/// The directory a server copies into. Nothing outside of it is ever read or written.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// # Errors
    ///
    /// If the directory or the one for partial files cannot be made.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let tree = Self { root: root.canonicalize()? };
        tree.prepare()?;
        Ok(tree)
    }

    /// Makes the place for partial files.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or is not a directory of ours.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let staging = self.root.join(STAGING);
        match fs::create_dir(&staging) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => real_dir(&staging),
            result => result,
        }
    }

    /// Forgets all partial files.
    ///
    /// # Errors
    ///
    /// If they cannot be removed.
    pub(crate) fn clear(&self) -> io::Result<()> {
        fs::remove_dir_all(self.root.join(STAGING))
    }

    /// Where `path` lies.
    ///
    /// # Errors
    ///
    /// If the path is not safe, or a directory above it is missing or is not a real directory: a
    /// link inside the tree must not lead out of it.
    pub(crate) fn locate(&self, path: &[u8]) -> io::Result<PathBuf> {
        check(path)?;
        let mut place = self.root.clone();
        let mut names = path.split(|byte| *byte == b'/').peekable();
        while let Some(name) = names.next() {
            place.push(OsStr::from_bytes(name));
            if names.peek().is_some() {
                real_dir(&place)?;
            }
        }
        Ok(place)
    }

    /// Where the file for `path` grows. The name is a hash, so that it is never too long and never
    /// one of the tree's own.
    pub(crate) fn part(&self, path: &[u8]) -> PathBuf {
        self.root.join(STAGING).join(format!("{}.part", hash::name_of(path)))
    }

    /// The state of an offered file here. A file that cannot be read counts as not there.
    pub(crate) fn standing(&self, offer: &Offer) -> Standing {
        let Ok(target) = self.locate(&offer.path) else { return Standing::default() };
        let whole = prefix(&target).ok().filter(|(_, len)| *len == offer.size);
        let part =
            prefix(&self.part(&offer.path)).ok().filter(|(_, len)| (1..=offer.size).contains(len));
        Standing {
            whole: whole.and_then(|(file, len)| sha256(file, len).ok()),
            part: part
                .and_then(|(file, len)| Some(Prefix { len, sha256: sha256(file, len).ok()? })),
        }
    }
}

/// Refuses a path of the wire unless it names something below the root, in the one way there is to
/// write it.
fn check(path: &[u8]) -> io::Result<()> {
    let mut names = path.split(|byte| *byte == b'/').peekable();
    let safe = !path.contains(&0)
        && names.peek() != Some(&STAGING.as_bytes())
        && names.all(|name| !matches!(name, b"" | b"." | b".."));
    if safe {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not safe"))
    }
}

fn real_dir(place: &Path) -> io::Result<()> {
    if fs::symlink_metadata(place)?.is_dir() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{} is in the way: not a directory", place.display())))
    }
}

/// A regular file and its length.
fn prefix(place: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::symlink_metadata(place)?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((File::open(place)?, metadata.len()))
}

fn sha256(mut file: File, len: u64) -> io::Result<Vec<u8>> {
    let mut hasher = Sha256::new();
    hash::absorb(&mut hasher, &mut file, len, |_| io::Result::Ok(()))?;
    Ok(hash::digest(&hasher))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = Tree::open(dir.path()).expect("a tree");
        (dir, tree)
    }

    fn offer(path: &str, size: u64) -> Offer {
        Offer { path: path.into(), size }
    }

    #[test]
    fn only_plain_relative_paths_are_safe() {
        for path in ["a", "a/b", "...", "a/..b", " ", ".filesyncrc", "a/.filesync"] {
            assert!(check(path.as_bytes()).is_ok(), "{path:?}");
        }
        for path in [
            "",
            "/",
            "/etc",
            "a/",
            "a//b",
            ".",
            "..",
            "a/..",
            "../a",
            "a/./b",
            "a\0b",
            ".filesync/x",
        ] {
            assert!(check(path.as_bytes()).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_link_in_the_tree_does_not_lead_out_of_it() {
        let (dir, tree) = tree();
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("secret"), "s").expect("a file");
        symlink(outside.path(), dir.path().join("link")).expect("a link");
        assert!(tree.locate(b"link/secret").is_err());
        assert!(tree.locate(b"link").is_ok(), "the link itself may be replaced");
        assert_eq!(tree.standing(&offer("link/secret", 1)), Standing::default());
    }

    #[test]
    fn standing_tells_what_is_complete_and_what_is_begun() {
        let (dir, tree) = tree();
        fs::write(dir.path().join("f"), "abc").expect("a file");
        fs::write(tree.part(b"f"), "ab").expect("a file");
        let sha = |text: &str| Sha256::digest(text).to_vec();
        let part = Some(Prefix { len: 2, sha256: sha("ab") });
        assert_eq!(
            tree.standing(&offer("f", 3)),
            Standing { whole: Some(sha("abc")), part: part.clone() }
        );
        assert_eq!(tree.standing(&offer("f", 9)), Standing { whole: None, part });
        assert_eq!(
            tree.standing(&offer("f", 1)),
            Standing::default(),
            "longer than what is offered"
        );
        assert_eq!(tree.standing(&offer("missing", 0)), Standing::default());
    }

    #[test]
    fn clearing_forgets_partial_files() {
        let (_dir, tree) = tree();
        fs::write(tree.part(b"f"), "ab").expect("a file");
        tree.clear().expect("removed");
        assert!(!tree.part(b"f").exists());
        tree.prepare().expect("made again");
    }
}
