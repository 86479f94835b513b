//! The reading side: turns what the scan found into the steps of a push.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::hash;
use crate::scan::{FileEntry, Problem};
use crate::wire::{Action, Begin, CHUNK, Standing, Step, Target};

/// Where the steps go, and the bar that shows how far they are. For blocking threads.
pub(crate) struct Outbox {
    steps: mpsc::Sender<Step>,
    bar: ProgressBar,
}

/// Why a file was not sent.
#[derive(Debug)]
pub(crate) enum Stop {
    /// This file cannot be sent; the next may.
    Skip(Problem),
    /// The stream has ended, so nothing can be sent.
    Hangup,
}

impl Outbox {
    pub(crate) fn new(steps: mpsc::Sender<Step>, bar: ProgressBar) -> Self {
        Self { steps, bar }
    }

    /// Waits for room, and sends.
    ///
    /// # Errors
    ///
    /// `Hangup` if nobody takes steps any more.
    pub(crate) fn send(&self, action: Action) -> Result<(), Stop> {
        self.steps.blocking_send(action.into()).map_err(|_| Stop::Hangup)
    }

    /// Sends what the server lacks of `file`, given what it holds.
    ///
    /// # Errors
    ///
    /// `Skip` if the file cannot be read or changes meanwhile; `Hangup` if nobody takes steps any
    /// more.
    pub(crate) fn send_file(&self, file: &FileEntry, standing: &Standing) -> Result<(), Stop> {
        let start = self.bar.position();
        let result = self.send_content(file, standing).map_err(|failure| match failure {
            Failure::Read(why) => Stop::Skip(Problem { path: file.on_disk.clone(), why }),
            Failure::Hangup => Stop::Hangup,
        });
        self.bar.set_position(start + file.size);
        result
    }

    fn send_content(&self, file: &FileEntry, standing: &Standing) -> Result<(), Failure> {
        let mut content = File::open(&file.on_disk)?;
        let before = content.metadata()?;
        if !before.is_file() {
            return Err(changed().into());
        }
        let size = before.len();
        let start = self.bar.position();
        if let Some(whole) = &standing.whole {
            let mut hasher = Sha256::new();
            hash::absorb(&mut hasher, &mut content, size, |n| self.advance(n))?;
            if hash::digest(&hasher) == *whole {
                return self
                    .step(Action::Same(Target { path: file.path.clone(), mode: file.mode }));
            }
            self.bar.set_position(start);
            content.seek(SeekFrom::Start(0))?;
        }
        let (offset, hasher) = self.agree(&mut content, size, standing)?;
        self.bar.set_position(start + offset);
        content.seek(SeekFrom::Start(offset))?;
        self.step(Action::Begin(Begin { path: file.path.clone(), mode: file.mode, size, offset }))?;
        let sent = self.send_chunks(&mut content, size - offset, hasher).and_then(|sha256| {
            let after = content.metadata()?;
            let same = after.len() == size && after.modified()? == before.modified()?;
            if same { Ok(sha256) } else { Err(changed().into()) }
        });
        match sent {
            Ok(sha256) => self.step(Action::End(sha256)),
            Err(failure) => {
                self.step(Action::Abandon(()))?;
                Err(failure)
            }
        }
    }

    /// How many bytes both sides have alike, and the hash of those.
    fn agree(
        &self,
        content: &mut File,
        size: u64,
        standing: &Standing,
    ) -> Result<(u64, Sha256), Failure> {
        let mut hasher = Sha256::new();
        if let Some(part) = standing.part.as_ref().filter(|part| part.len <= size) {
            hash::absorb(&mut hasher, content, part.len, |n| self.advance(n))?;
            if hash::digest(&hasher) == part.sha256 {
                return Ok((part.len, hasher));
            }
        }
        Ok((0, Sha256::new()))
    }

    fn send_chunks(
        &self,
        content: &mut File,
        len: u64,
        mut hasher: Sha256,
    ) -> Result<Vec<u8>, Failure> {
        let mut left = len;
        while left > 0 {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
            content.read_exact(&mut chunk).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => changed(),
                _ => error,
            })?;
            hasher.update(&chunk);
            left -= chunk.len() as u64;
            self.advance(chunk.len() as u64)?;
            self.step(Action::Chunk(chunk.into()))?;
        }
        Ok(hash::digest(&hasher))
    }

    fn step(&self, action: Action) -> Result<(), Failure> {
        self.send(action).map_err(|_| Failure::Hangup)
    }

    /// Moves the bar, and notices a hang-up while a long file is only hashed.
    fn advance(&self, bytes: u64) -> Result<(), Failure> {
        self.bar.inc(bytes);
        if self.steps.is_closed() { Err(Failure::Hangup) } else { Ok(()) }
    }
}

enum Failure {
    Read(io::Error),
    Hangup,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::wire::Prefix;

    /// The actions sent for a file with this content to a server where it stands so.
    fn sent(content: &[u8], standing: &Standing) -> Vec<Action> {
        let dir = tempfile::tempdir().expect("a directory");
        let on_disk = dir.path().join("f");
        fs::write(&on_disk, content).expect("a file");
        let file =
            FileEntry { path: b"f".into(), on_disk, size: content.len() as u64, mode: 0o644 };
        let (steps, mut taken) = mpsc::channel(100);
        let bar = ProgressBar::hidden();
        Outbox::new(steps, bar.clone()).send_file(&file, standing).expect("the file can be read");
        assert_eq!(bar.position(), content.len() as u64);
        std::iter::from_fn(|| taken.try_recv().ok()?.action).collect()
    }

    fn sha(bytes: &[u8]) -> Vec<u8> {
        Sha256::digest(bytes).to_vec()
    }

    fn begin(size: u64, offset: u64) -> Action {
        Action::Begin(Begin { path: b"f".into(), mode: 0o644, size, offset })
    }

    fn part(bytes: &[u8]) -> Option<Prefix> {
        Some(Prefix { len: bytes.len() as u64, sha256: sha(bytes) })
    }

    #[test]
    fn a_new_file_is_sent_in_chunks() {
        let content: Vec<u8> = (0..CHUNK + 10).map(|i| (i % 253) as u8).collect();
        let (first, second) = content.split_at(CHUNK);
        assert_eq!(
            sent(&content, &Standing::default()),
            [
                begin(content.len() as u64, 0),
                Action::Chunk(first.to_vec().into()),
                Action::Chunk(second.to_vec().into()),
                Action::End(sha(&content)),
            ]
        );
    }

    #[test]
    fn an_empty_file_is_sent_without_chunks() {
        assert_eq!(sent(b"", &Standing::default()), [begin(0, 0), Action::End(sha(b""))]);
    }

    #[test]
    fn a_file_that_is_there_is_not_sent() {
        let standing = Standing { whole: Some(sha(b"abc")), part: part(b"ab") };
        assert_eq!(
            sent(b"abc", &standing),
            [Action::Same(Target { path: b"f".into(), mode: 0o644 })]
        );
    }

    #[test]
    fn a_begun_file_goes_on_behind_what_is_there() {
        let standing = Standing { whole: Some(sha(b"xyz")), part: part(b"ab") };
        let rest = [begin(3, 2), Action::Chunk("c".into()), Action::End(sha(b"abc"))];
        assert_eq!(sent(b"abc", &standing), rest);
        let all_but_the_end = Standing { whole: None, part: part(b"abc") };
        assert_eq!(sent(b"abc", &all_but_the_end), [begin(3, 3), Action::End(sha(b"abc"))]);
    }

    #[test]
    fn a_begun_file_that_is_another_one_is_sent_whole() {
        for part in [part(b"xy"), part(b"longer than the file")] {
            let all = [begin(3, 0), Action::Chunk("abc".into()), Action::End(sha(b"abc"))];
            assert_eq!(sent(b"abc", &Standing { whole: None, part }), all);
        }
    }

    #[test]
    fn a_missing_file_is_skipped_and_a_hangup_ends_everything() {
        let (steps, taken) = mpsc::channel(1);
        let outbox = Outbox::new(steps, ProgressBar::hidden());
        let file =
            FileEntry { path: b"f".into(), on_disk: "/nowhere/f".into(), size: 1, mode: 0o644 };
        assert!(matches!(outbox.send_file(&file, &Standing::default()), Err(Stop::Skip(_))));
        drop(taken);
        assert!(matches!(outbox.send(Action::Abandon(())), Err(Stop::Hangup)));
    }
}
