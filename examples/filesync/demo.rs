//! Without arguments: a small tree, copied and compared.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::push::{bar, push};
use crate::scan::{Entry, Scan};
use crate::serve::bind;

/// Makes a tree, pushes it twice, and compares the copy with it. Everything is removed at the end.
///
/// # Errors
///
/// If anything fails or differs.
pub(crate) async fn run() -> Result<()> {
    let work = tempfile::tempdir()?;
    let (from, into) = (work.path().join("from"), work.path().join("into"));
    make_tree(&from)?;

    let server = bind("127.0.0.1:0", &into).await?;
    let address = server.local_addr().to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    for round in ["first push ", "second push"] {
        let report = push(&address, &from, 0, &bar()).await?;
        ensure!(report.problems + report.summary.failed == 0, "{report:?}");
        let done = report.summary;
        println!(
            "{round}: {} files with {} bytes sent, {} were there",
            done.files, done.bytes, done.same
        );
    }
    ensure!(outline(&from)? == outline(&into)?, "the copy differs");
    println!("the copy is the same");

    handle.shutdown(Duration::from_secs(1)).await;
    Ok(serving.await??)
}

/// A tree with something of everything.
///
/// # Errors
///
/// If the disk does not play along.
pub(crate) fn make_tree(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root.join("src/deep/deeper"))?;
    fs::create_dir(root.join("empty directory"))?;
    fs::write(root.join("empty file"), "")?;
    fs::write(root.join("src/small.txt"), "a few words\n")?;
    fs::write(root.join("src/deep/deeper/exactly one chunk"), vec![7; crate::wire::CHUNK])?;
    let large: Vec<u8> =
        (0..3_000_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(root.join("large.bin"), large)?;
    fs::write(root.join("src/run.sh"), "#!/bin/sh\n")?;
    fs::set_permissions(root.join("src/run.sh"), Permissions::from_mode(0o750))?;
    symlink("small.txt", root.join("src/link"))?;
    symlink("nowhere", root.join("dangling"))
}

/// Everything in a tree, content included, in an order that does not depend on the disk.
///
/// # Errors
///
/// If something cannot be read.
pub(crate) fn outline(root: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in Scan::new(root) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        lines.push(match entry.map_err(|problem| problem.why)? {
            Entry::Enter(_) => continue,
            Entry::Leave(dir) => format!("{} directory {:o}", text(&dir.path), dir.mode),
            Entry::Link(link) => format!("{} link to {}", text(&link.path), text(&link.target)),
            Entry::File(file) => {
                let content = crate::hash::name_of(&fs::read(&file.on_disk)?);
                format!("{} file {:o} {content}", text(&file.path), file.mode)
            }
        });
    }
    lines.sort();
    Ok(lines)
}
