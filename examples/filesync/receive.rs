//! The writing side: carries out the steps of a push on the destination.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::hash;
use crate::scan::permissions;
use crate::tree::Tree;
use crate::wire::{Action, Begin, Failure, Link, Step, Summary, Target};

/// Takes the steps of one push, in order. Nothing here waits for the network, so it belongs on a
/// blocking thread.
pub(crate) struct Receiver<'a> {
    tree: &'a Tree,
    file: Option<Incoming>,
    summary: Summary,
}

/// The file that is arriving.
struct Incoming {
    begin: Begin,
    target: PathBuf,
    part: PathBuf,
    out: File,
    len: u64,
    hasher: Sha256,
}

/// The destination can store nothing more, so that going on makes no sense.
#[derive(Debug)]
pub(crate) struct NoRoom(pub(crate) io::Error);

impl<'a> Receiver<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree, file: None, summary: Summary::default() }
    }

    /// Carries out one step. The failure of one file is noted in the summary, and the others go on.
    ///
    /// # Errors
    ///
    /// If the disk is full.
    pub(crate) fn step(&mut self, step: Step) -> Result<(), NoRoom> {
        let Some(action) = step.action else { return Ok(()) };
        let path = self.path_of(&action);
        match self.perform(action) {
            Ok(()) => Ok(()),
            Err(error) if is_no_room(&error) => Err(NoRoom(error)),
            Err(error) => {
                // Without the file its other chunks fall on the floor: one failure is reported, not
                // thousands.
                self.file = None;
                self.note(path, &error);
                Ok(())
            }
        }
    }

    /// The summary of the steps. A file that has not ended keeps its partial file for the next
    /// push.
    pub(crate) fn finish(self) -> Summary {
        self.summary
    }

    fn perform(&mut self, action: Action) -> io::Result<()> {
        match action {
            Action::Enter(path) => self.enter(&path),
            Action::Leave(dir) => self.leave(&dir),
            Action::Link(link) => self.link(&link),
            Action::Same(file) => self.same(&file),
            Action::Begin(begin) => self.begin(begin),
            Action::Chunk(bytes) => self.chunk(&bytes),
            Action::End(sha256) => self.end(&sha256),
            Action::Abandon(()) => {
                self.file = None;
                self.summary.abandoned += 1;
                Ok(())
            }
        }
    }

    fn enter(&mut self, path: &[u8]) -> io::Result<()> {
        let dir = self.tree.locate(path)?;
        match fs::symlink_metadata(&dir) {
            Ok(found) if found.is_dir() => {
                let mode = permissions(&found);
                if mode & OWNER != OWNER {
                    fs::set_permissions(&dir, Permissions::from_mode(mode | OWNER))?;
                }
            }
            Ok(_) => return Err(in_the_way("something that is not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&dir)?,
            Err(error) => return Err(error),
        }
        self.summary.dirs += 1;
        Ok(())
    }

    fn leave(&self, dir: &Target) -> io::Result<()> {
        let Ok(place) = self.tree.locate(&dir.path) else { return Ok(()) };
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => {
                fs::set_permissions(&place, Permissions::from_mode(dir.mode & 0o777))
            }
            // Entering it failed, which has been noted.
            _ => Ok(()),
        }
    }

    fn link(&mut self, link: &Link) -> io::Result<()> {
        let place = self.tree.locate(&link.path)?;
        let target = Path::new(OsStr::from_bytes(&link.target));
        let there = fs::read_link(&place).is_ok_and(|there| there == target);
        if !there {
            // Made aside and moved, so that whatever is there now is replaced in one step.
            let aside = self.tree.part(&link.path);
            remove_if_there(&aside)?;
            symlink(target, &aside)?;
            fs::rename(&aside, &place)?;
        }
        self.summary.links += 1;
        Ok(())
    }

    fn same(&mut self, file: &Target) -> io::Result<()> {
        let place = self.tree.locate(&file.path)?;
        let found = fs::symlink_metadata(&place)?;
        if !found.is_file() {
            return Err(in_the_way("something that is not a file"));
        }
        if permissions(&found) != file.mode & 0o777 {
            fs::set_permissions(&place, Permissions::from_mode(file.mode & 0o777))?;
        }
        self.summary.same += 1;
        Ok(())
    }

    fn begin(&mut self, begin: Begin) -> io::Result<()> {
        self.file = None;
        let target = self.tree.locate(&begin.path)?;
        if fs::symlink_metadata(&target).is_ok_and(|found| found.is_dir()) {
            return Err(in_the_way("a directory"));
        }
        let part = self.tree.part(&begin.path);
        // Only this program writes here; a link is what an interrupted push of a link left.
        if fs::symlink_metadata(&part).is_ok_and(|found| !found.is_file()) {
            remove_if_there(&part)?;
        }
        let mut out =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part)?;
        let mut hasher = Sha256::new();
        hash::absorb(&mut hasher, &mut out, begin.offset, |_| Ok(())).map_err(partial_file)?;
        out.set_len(begin.offset)?;
        out.seek(SeekFrom::Start(begin.offset))?;
        self.file = Some(Incoming { target, part, out, len: begin.offset, hasher, begin });
        Ok(())
    }

    fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if file.len + bytes.len() as u64 > file.begin.size {
            return Err(io::Error::other("more bytes came than were announced"));
        }
        file.out.write_all(bytes)?;
        file.hasher.update(bytes);
        file.len += bytes.len() as u64;
        self.summary.bytes += bytes.len() as u64;
        Ok(())
    }

    fn end(&mut self, sha256: &[u8]) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        if file.len != file.begin.size || hash::digest(&file.hasher) != sha256 {
            remove_if_there(&file.part)?;
            return Err(io::Error::other("what arrived is not what was sent: the SHA-256 differs"));
        }
        file.out.set_permissions(Permissions::from_mode(file.begin.mode & 0o777))?;
        fs::rename(&file.part, &file.target)?;
        self.summary.files += 1;
        Ok(())
    }

    fn path_of(&self, action: &Action) -> Vec<u8> {
        match action {
            Action::Enter(path) => path.clone(),
            Action::Leave(target) | Action::Same(target) => target.path.clone(),
            Action::Link(link) => link.path.clone(),
            Action::Begin(begin) => begin.path.clone(),
            Action::Chunk(_) | Action::End(_) | Action::Abandon(()) => {
                self.file.as_ref().map(|file| file.begin.path.clone()).unwrap_or_default()
            }
        }
    }

    fn note(&mut self, path: Vec<u8>, error: &io::Error) {
        self.summary.failed += 1;
        if self.summary.failures.len() < NOTED_FAILURES {
            self.summary.failures.push(Failure { path, why: error.to_string() });
        }
    }
}

fn in_the_way(what: &str) -> io::Error {
    io::Error::other(format!("{what} is in the way"))
}

/// The client goes on behind bytes that it was told are here.
fn partial_file(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::other("the partial file is gone: push again"),
        _ => error,
    }
}

fn remove_if_there(place: &Path) -> io::Result<()> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// The permissions that the owner needs to fill a directory.
const OWNER: u32 = 0o700;

/// The summary is one message, so it names only so many files.
const NOTED_FAILURES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    struct Destination {
        dir: tempfile::TempDir,
        tree: Tree,
    }

    impl Destination {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let tree = Tree::open(dir.path()).expect("a tree");
            Self { dir, tree }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }

        fn take(&self, actions: impl IntoIterator<Item = Action>) -> Summary {
            let mut receiver = Receiver::new(&self.tree);
            for action in actions {
                receiver.step(action.into()).expect("there is room");
            }
            receiver.finish()
        }
    }

    fn begin(path: &str, size: u64, offset: u64) -> Action {
        Action::Begin(Begin { path: path.into(), mode: 0o640, size, offset })
    }

    fn chunk(text: &'static str) -> Action {
        Action::Chunk(text.as_bytes().into())
    }

    fn end(text: &str) -> Action {
        Action::End(Sha256::digest(text).to_vec())
    }

    fn target(path: &str, mode: u32) -> Target {
        Target { path: path.into(), mode }
    }

    #[test]
    fn a_tree_arrives_with_its_modes() {
        let to = Destination::new();
        let summary = to.take([
            Action::Enter("d".into()),
            begin("d/f", 6, 0),
            chunk("abc"),
            chunk("def"),
            end("abcdef"),
            begin("d/empty", 0, 0),
            end(""),
            Action::Link(Link { path: "d/l".into(), target: "../elsewhere".into() }),
            Action::Leave(target("d", 0o555)),
        ]);
        assert_eq!(
            (summary.files, summary.dirs, summary.links, summary.bytes, summary.failed),
            (2, 1, 1, 6, 0)
        );
        assert_eq!(fs::read(to.at("d/f")).expect("a file"), b"abcdef");
        assert_eq!(fs::read(to.at("d/empty")).expect("a file"), b"");
        assert_eq!(fs::read_link(to.at("d/l")).expect("a link"), Path::new("../elsewhere"));
        assert_eq!(permissions(&fs::metadata(to.at("d/f")).expect("a file")), 0o640);
        assert_eq!(permissions(&fs::metadata(to.at("d")).expect("a directory")), 0o555);
        // A second push opens the directory up again, as it must to write there.
        assert_eq!(
            to.take([Action::Enter("d".into()), begin("d/f", 1, 0), chunk("z"), end("z")]).failed,
            0
        );
        assert_eq!(fs::read(to.at("d/f")).expect("a file"), b"z");
    }

    #[test]
    fn an_interrupted_file_is_not_visible_and_goes_on_where_it_stopped() {
        let to = Destination::new();
        to.take([begin("f", 6, 0), chunk("abcd")]);
        assert!(!to.at("f").exists());
        let summary = to.take([begin("f", 6, 3), chunk("def"), end("abcdef")]);
        assert_eq!((summary.files, summary.bytes, summary.failed), (1, 3, 0));
        assert_eq!(fs::read(to.at("f")).expect("a file"), b"abcdef");
        assert!(!to.tree.part(b"f").exists());
    }

    #[test]
    fn an_abandoned_file_is_counted_and_kept_for_later() {
        let to = Destination::new();
        let summary = to.take([begin("f", 6, 0), chunk("abc"), Action::Abandon(())]);
        assert_eq!((summary.files, summary.failed, summary.abandoned), (0, 0, 1));
        assert!(to.tree.part(b"f").exists());
    }

    #[test]
    fn a_partial_file_that_vanished_is_a_failure() {
        let summary = Destination::new().take([begin("f", 6, 3), chunk("def"), end("abcdef")]);
        assert_eq!((summary.files, summary.failed), (0, 1));
    }

    #[test]
    fn a_wrong_hash_keeps_what_was_there_and_forgets_what_came() {
        let to = Destination::new();
        fs::write(to.at("f"), "old").expect("a file");
        let summary = to.take([
            begin("f", 3, 0),
            chunk("neu"),
            end("new"),
            begin("g", 1, 0),
            chunk("g"),
            end("g"),
        ]);
        assert_eq!((summary.files, summary.failed), (1, 1));
        assert_eq!(fs::read(to.at("f")).expect("a file"), b"old");
        assert!(!to.tree.part(b"f").exists());
    }

    #[test]
    fn one_bad_file_gives_one_failure_however_many_chunks_it_has() {
        let to = Destination::new();
        let long =
            [begin("../f", 9, 0), chunk("abc"), chunk("def"), chunk("ghi"), end("abcdefghi")];
        let summary = to.take(long);
        assert_eq!((summary.files, summary.bytes, summary.failed), (0, 0, 1));
        assert_eq!(summary.failures[0].path, b"../f");
        assert_eq!(
            to.take([begin("f", 2, 0), chunk("abc"), end("abc")]).failed,
            1,
            "longer than announced"
        );
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let to = Destination::new();
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("f"), "old").expect("a file");
        let lead = outside.path().as_os_str().as_bytes().to_vec();
        let file = outside.path().join("f").as_os_str().as_bytes().to_vec();
        let summary = to.take([
            Action::Link(Link { path: "dir".into(), target: lead }),
            Action::Enter("dir".into()),
            begin("dir/f", 3, 0),
            chunk("new"),
            end("new"),
            Action::Leave(target("dir", 0o777)),
            Action::Link(Link { path: "file".into(), target: file }),
            Action::Same(target("file", 0o777)),
            begin("file", 3, 0),
            chunk("own"),
            end("own"),
        ]);
        assert_eq!((summary.files, summary.failed), (1, 3));
        assert_eq!(fs::read(outside.path().join("f")).expect("a file"), b"old");
        assert_eq!(
            fs::read(to.at("file")).expect("a file"),
            b"own",
            "the link was replaced, not followed"
        );
    }

    #[test]
    fn a_directory_is_never_replaced_by_a_file() {
        let to = Destination::new();
        fs::create_dir(to.at("d")).expect("a directory");
        let link = Link { path: "d".into(), target: "x".into() };
        let summary = to.take([begin("d", 1, 0), chunk("x"), end("x"), Action::Link(link)]);
        assert_eq!((summary.files, summary.links, summary.failed), (0, 0, 2));
        assert!(to.at("d").is_dir());
    }

    #[test]
    fn failures_are_counted_but_not_all_listed() {
        let summary =
            Destination::new().take((0..500).map(|_| Action::Same(target("missing", 0o600))));
        assert_eq!((summary.failed, summary.failures.len()), (500, NOTED_FAILURES));
    }
}
