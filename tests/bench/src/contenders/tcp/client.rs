//! The calling side. A connection is one conversation: each stream has its own, but for the
//! workload of many streams on one.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::frame::{FrameReader, FrameWriter, Kind};
use crate::contenders::{Reader, Streams, Unary, Writer};
use crate::message::{Check, Echo, Source, check_answer};

/// Knows where the server is, and keeps a connection for calls one at a time.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    // The workloads call one at a time, so the lock is never contended.
    calls: Arc<Mutex<(FrameWriter, FrameReader)>>,
}

impl Client {
    async fn new_connection(&self) -> Result<(FrameWriter, FrameReader)> {
        connect(self.address).await
    }
}

async fn connect(address: SocketAddr) -> Result<(FrameWriter, FrameReader)> {
    let socket = TcpStream::connect(address).await.context("connecting")?;
    socket.set_nodelay(true)?;
    let (read, write) = socket.into_split();
    Ok((FrameWriter::new(write), FrameReader::new(read)))
}

impl Unary for Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, calls: Arc::new(Mutex::new(connect(address).await?)) })
    }

    /// One system call each way.
    async fn call(&mut self, request: Echo) -> Result<Echo> {
        let mut connection = self.calls.lock().await;
        let (writer, reader) = &mut *connection;
        writer.push(Kind::Echo, 0, &request)?;
        writer.flush().await?;
        let answer = reader.next().await?.context("the server went away")?;
        Ok(answer.echo)
    }

    /// One task keeps that many requests on the way: for each answer of a read goes the next
    /// request, all of them in one write.
    async fn call_many(&self, in_flight: u64, count: u64, payload: Bytes) -> Result<()> {
        let (mut writer, mut reader) = self.new_connection().await?;
        let mut requests = Source::new(count, payload.clone());
        for echo in requests.by_ref().take(usize::try_from(in_flight)?) {
            writer.push(Kind::Echo, u32::try_from(echo.seq % in_flight)?, &echo)?;
        }
        // The id of an answer is the slot of its request.
        let mut slots: Vec<u64> = (0..in_flight).collect();
        let mut answered = 0;
        while answered < count {
            writer.flush().await?;
            let mut next = Some(reader.next().await?.context("the server went away")?);
            while let Some(frame) = next {
                let slot = slots.get_mut(frame.stream as usize).context("an answer to nothing")?;
                check_answer(&frame.echo, *slot, &payload)?;
                answered += 1;
                if let Some(echo) = requests.next() {
                    *slot = echo.seq;
                    writer.push(Kind::Echo, frame.stream, &echo)?;
                }
                next = reader.ready()?;
            }
        }
        Ok(())
    }
}

impl Streams for Client {
    type Reader = FrameReader;
    type Writer = FrameWriter;

    async fn download(&mut self, request: Echo) -> Result<Self::Reader> {
        let (mut writer, reader) = self.new_connection().await?;
        writer.push(Kind::Download, 0, &request)?;
        writer.flush().await?;
        // Closing this direction does not hurt: the server notices at its next read.
        Ok(reader)
    }

    async fn upload(&mut self, source: Source) -> Result<Echo> {
        let (mut writer, mut reader) = self.new_connection().await?;
        for echo in source {
            writer.push(Kind::Upload, 0, &echo)?;
            if writer.is_full() {
                writer.flush().await?;
            }
        }
        writer.push(Kind::UploadEnd, 0, &Echo::default())?;
        writer.flush().await?;
        Ok(reader.next().await?.context("the server went away")?.echo)
    }

    async fn talk(&mut self, source: Source) -> Result<Self::Reader> {
        let (writer, reader) = self.new_connection().await?;
        // If a write fails, the connection is over, and the reader misses messages.
        tokio::spawn(send(writer, 1, source));
        Ok(reader)
    }

    async fn open(&mut self) -> Result<(Self::Writer, Self::Reader)> {
        self.new_connection().await
    }

    /// The streams take turns on one connection.
    async fn talk_many(&self, streams: usize, count: u64, payload: Bytes) -> Result<()> {
        let (writer, mut reader) = self.new_connection().await?;
        tokio::spawn(send(writer, u32::try_from(streams)?, Source::new(count, payload.clone())));
        let mut checks: Vec<Check> = (0..streams).map(|_| Check::new(payload.clone())).collect();
        let mut open = streams;
        while open > 0 {
            let frame = reader.next().await?.context("the server went away")?;
            let check = checks.get_mut(frame.stream as usize).context("a message of no stream")?;
            match frame.kind {
                Kind::Echo => check.accept(&frame.echo)?,
                Kind::End => {
                    check.finish(count)?;
                    open -= 1;
                }
                kind => bail!("{kind:?} is nothing that a server sends"),
            }
        }
        Ok(())
    }
}

/// Sends the messages, each on all streams, and then the ends.
async fn send(mut writer: FrameWriter, streams: u32, source: Source) -> Result<()> {
    for echo in source {
        for stream in 0..streams {
            writer.push(Kind::Echo, stream, &echo)?;
            if writer.is_full() {
                writer.flush().await?;
            }
        }
    }
    for stream in 0..streams {
        writer.push(Kind::End, stream, &Echo::default())?;
    }
    writer.flush().await
}

impl Reader for FrameReader {
    async fn read(&mut self) -> Result<Option<Echo>> {
        let frame = self.next().await?.context("the server went away")?;
        match frame.kind {
            Kind::Echo => Ok(Some(frame.echo)),
            Kind::End => Ok(None),
            kind => bail!("{kind:?} is nothing that a server sends"),
        }
    }
}

impl Writer for FrameWriter {
    async fn write(&mut self, echo: Echo) -> Result<()> {
        self.push(Kind::Echo, 0, &echo)?;
        self.flush().await
    }

    async fn finish(mut self) -> Result<()> {
        ensure!(!self.is_full(), "something was not flushed");
        self.push(Kind::End, 0, &Echo::default())?;
        self.flush().await
    }
}
