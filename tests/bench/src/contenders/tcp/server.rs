//! The serving side.

use std::io;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};

use super::frame::{FrameReader, FrameWriter, Kind};
use crate::message::{Check, Echo, Source, payload};
use crate::process::announce;

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            if let Err(error) = converse(socket).await
                && !is_gone(&error)
            {
                eprintln!("tcp server: {error:#}");
            }
        });
    }
}

/// A client may leave in the middle of a stream.
fn is_gone(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset))
}

/// Answers all that one read brought with one write.
async fn converse(socket: TcpStream) -> Result<()> {
    let (read, write) = socket.into_split();
    let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
    let mut upload: Option<Check> = None;
    while let Some(first) = reader.next().await? {
        let mut next = Some(first);
        while let Some(frame) = next {
            match frame.kind {
                Kind::Echo | Kind::End => writer.push(frame.kind, frame.stream, &frame.echo)?,
                Kind::Download => {
                    for echo in Source::asked_for_by(frame.echo) {
                        writer.push(Kind::Echo, frame.stream, &echo)?;
                        if writer.is_full() {
                            writer.flush().await?;
                        }
                    }
                    writer.push(Kind::End, frame.stream, &Echo::default())?;
                }
                Kind::Upload => {
                    let size = frame.echo.payload.len();
                    upload.get_or_insert_with(|| Check::new(payload(size))).accept(&frame.echo)?;
                }
                Kind::UploadEnd => {
                    let seq = upload.take().map_or(0, |check| check.seen());
                    writer.push(Kind::Echo, frame.stream, &Echo { seq, ..Echo::default() })?;
                }
            }
            if writer.is_full() {
                writer.flush().await?;
            }
            next = reader.ready()?;
        }
        writer.flush().await?;
    }
    Ok(())
}
