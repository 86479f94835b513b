//! The clients' part of the plan, and what both sides do with their handles.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use trill::stream::{SharedReader, SharedWriter};
use trill::testing::Side;
use trill::{AsyncReader, AsyncWriter, Error, Result, Status};

use super::message::{Parcel, SimClient};
use super::model::World;
use super::plan::{Kind, Party, Style, Then, millis, one_in};
use super::watch;

/// Carries out one call, as its client.
pub(super) async fn call(world: Arc<World>, call: usize) {
    let plan = world.call_plan(call);
    tokio::time::sleep(plan.at).await;
    let Some((link, client)) = world.client(plan.link) else { return };
    world.begins(call, link);
    let actor = Actor { world: &world, call, side: Side::Client, party: &plan.client };
    let work = async {
        let mut rng = Rng::with_seed(plan.seed);
        if let Err(error) = actor.run(&client, &mut rng).await {
            world.failed(call, Side::Client, false, &error);
        }
    };
    if let Some(give_up) = plan.give_up {
        tokio::select! {
            biased;
            () = work => {}
            () = tokio::time::sleep(give_up) => {
                world.gives_up(call);
                world.log(&format!("call {call} is given up"));
            }
        }
    } else {
        work.await;
    }
    if !matches!(plan.kind, Kind::Unary | Kind::OneWay) {
        world.gives_up(call);
        watch::handler_must_end(&world, call);
    }
}

/// One side of a call.
pub(super) struct Actor<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) call: usize,
    pub(super) side: Side,
    pub(super) party: &'a Party,
}

impl Actor<'_> {
    async fn run(&self, client: &SimClient, rng: &mut Rng) -> Result<()> {
        let (world, call) = (self.world, self.call);
        let plan = world.call_plan(call);
        let request = Parcel::new(call, false, 0, self.party.sizes.first().copied().unwrap_or(0));
        let name = call.to_string();
        // The options are the same for each kind, and their types are not.
        macro_rules! start {
            ($call:expr) => {{
                let call = $call.metadata("call", name.clone());
                match plan.deadline {
                    Some(limit) => call.timeout(limit),
                    None => call,
                }
            }};
        }
        match plan.kind {
            Kind::Unary => {
                let _doing = world.doing(call, "client", "waits for the answer");
                world.wrote(call, false, 0);
                let answer = start!(client.unary(request)).await?;
                world.read(call, true, &answer);
                world.answered(call);
            }
            Kind::OneWay => {
                let _doing = world.doing(call, "client", "sends");
                world.wrote(call, false, 0);
                start!(client.notify(request)).await?;
                world.sent(call);
            }
            Kind::Upload => {
                let opening = world.doing(call, "client", "opens");
                let (writer, reply) = start!(client.upload()).await?;
                drop(opening);
                let mut rng_too = rng.fork();
                let reading = async {
                    let _doing = world.doing(call, "reader", "waits for the answer");
                    match reply.await {
                        Ok(answer) => {
                            world.read(call, true, &answer);
                            world.answered(call);
                        }
                        Err(error) => world.failed(call, Side::Client, true, &error),
                    }
                };
                // Errors on a handle were judged where they came; here and below.
                let _ = futures::join!(
                    self.write_all(Writer::new(writer, self.party), &mut rng_too),
                    reading
                );
            }
            Kind::Download => {
                let opening = world.doing(call, "client", "opens");
                world.wrote(call, false, 0);
                world.finishes(call, false);
                let reader = start!(client.download(request)).await?;
                drop(opening);
                let _ = self.read_all(Reader::new(reader, self.party), rng).await;
            }
            Kind::Talk => {
                let opening = world.doing(call, "client", "opens");
                let rw = start!(client.talk()).await?;
                drop(opening);
                let (reader, writer) = rw.split();
                let _ = self
                    .converse(Reader::new(reader, self.party), Writer::new(writer, self.party), rng)
                    .await;
            }
        }
        Ok(())
    }

    /// Reads and writes in the style of the party.
    pub(super) async fn converse(
        &self,
        reader: Reader,
        writer: Writer,
        rng: &mut Rng,
    ) -> Result<()> {
        let mut rng_too = rng.fork();
        match self.party.style {
            Style::Together => {
                let (read, written) = futures::join!(
                    self.read_all(reader, rng),
                    self.write_all(writer, &mut rng_too)
                );
                read.and(written)
            }
            Style::WriteFirst => {
                self.write_all(writer, rng).await?;
                self.read_all(reader, &mut rng_too).await
            }
            Style::Echo => self.echo(reader, writer, rng).await,
        }
    }

    /// Writes all messages, and ends as planned. An error is looked at here; it is given back for a
    /// handler, which ends with it.
    pub(super) async fn write_all(&self, mut writer: Writer, rng: &mut Rng) -> Result<()> {
        let mut number = 0;
        let mut sizes = self.party.sizes.iter();
        while let Some(size) = sizes.next() {
            let second = if self.party.shared && rng.bool() { sizes.next() } else { None };
            let written = self.write(&mut writer, number, *size, second.copied(), rng).await;
            number += 1 + u32::from(second.is_some());
            if let Err(error) = written {
                self.world.failed(self.call, self.side, false, &error);
                self.end_writing(writer, Then::Drop).await?;
                return Err(error);
            }
            self.pause(self.party.write_pause, rng).await;
        }
        self.end_writing(writer, self.party.then).await
    }

    async fn end_writing(&self, writer: Writer, then: Then) -> Result<()> {
        let (world, call) = (self.world, self.call);
        if self.side == Side::Server {
            return Ok(());
        }
        match then {
            Then::Finish => {
                world.finishes(call, false);
                world.log(&format!("call {call} client finishes"));
                let _doing = world.doing(call, "writer", "finishes");
                let finished = writer.finish().await;
                if let Err(error) = &finished {
                    world.failed(call, self.side, false, error);
                }
                return finished;
            }
            Then::Fail(code) if !self.party.shared => {
                world.gives_up(call);
                world.fails_with(call, code);
                world.log(&format!("call {call} client fails its stream"));
                writer.fail(code);
            }
            Then::Drop | Then::Fail(_) => {
                world.gives_up(call);
                world.log(&format!("call {call} client drops its writer"));
                drop(writer);
            }
        }
        watch::handler_must_end(world, call);
        Ok(())
    }

    /// Writes one message, or two at once through a shared handle.
    async fn write(
        &self,
        writer: &mut Writer,
        number: u32,
        size: usize,
        second: Option<usize>,
        rng: &mut Rng,
    ) -> Result<()> {
        let role = "writer";
        let Some(second) = second else {
            let _doing =
                self.world.doing(self.call, role, format!("writes {number}, {size} bytes"));
            return self.write_one(writer, number, size, rng).await;
        };
        let Writer::Shared(writer) = writer else {
            unreachable!("two at once need a shared handle")
        };
        let _doing =
            self.world.doing(self.call, role, format!("writes {number} and the next at once"));
        let (mut one, mut other) = (Writer::Shared(writer.clone()), Writer::Shared(writer.clone()));
        let (mut rng, mut rng_too) = (rng.fork(), rng.fork());
        let (first, second) = futures::join!(
            self.write_one(&mut one, number, size, &mut rng),
            self.write_one(&mut other, number + 1, second, &mut rng_too),
        );
        first.and(second)
    }

    /// Writes one message, sometimes only at the second or third attempt.
    async fn write_one(
        &self,
        writer: &mut Writer,
        number: u32,
        size: usize,
        rng: &mut Rng,
    ) -> Result<()> {
        let parcel = Parcel::new(self.call, self.side == Side::Server, number, size);
        for _ in 0..self.attempts(rng) {
            let limit = millis(rng, 0..=20);
            let written = if rng.bool() {
                writer.write_within(parcel.clone(), limit).await
            } else {
                tokio::select! {
                    biased;
                    written = writer.write(parcel.clone()) => written,
                    () = tokio::time::sleep(limit) => continue,
                }
            };
            match written {
                Err(error) if is_of_the_operation(&error) => {}
                other => return self.wrote(number, other),
            }
        }
        let written = writer.write(parcel).await;
        self.wrote(number, written)
    }

    fn wrote(&self, number: u32, written: Result<()>) -> Result<()> {
        if written.is_ok() {
            self.world.wrote(self.call, self.side == Side::Server, number);
        }
        written
    }

    /// Reads until the end, or as far as planned.
    pub(super) async fn read_all(&self, mut reader: Reader, rng: &mut Rng) -> Result<()> {
        let mut count = 0;
        while self.party.reads.is_none_or(|most| count < most) {
            let _doing =
                self.world.doing(self.call, "reader", format!("waits for message {count}"));
            let read = match &reader {
                Reader::Shared(reader) if rng.bool() => {
                    let (mut one, mut other) =
                        (Reader::Shared(reader.clone()), Reader::Shared(reader.clone()));
                    let (mut rng, mut rng_too) = (rng.fork(), rng.fork());
                    let (first, second) = futures::join!(
                        self.read_one(&mut one, &mut rng),
                        self.read_one(&mut other, &mut rng_too)
                    );
                    first.and(second)
                }
                _ => self.read_one(&mut reader, rng).await,
            };
            count += 1;
            match read {
                Ok(true) => self.pause(self.party.read_pause, rng).await,
                Ok(false) => {
                    if !matches!(self.read_one(&mut reader, rng).await, Ok(false)) {
                        self.world.violate(&format!(
                            "call {}: there is something behind the end",
                            self.call
                        ));
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        if self.party.sits {
            let _doing = self.world.doing(self.call, "reader", "reads no more, as planned");
            return std::future::pending().await;
        }
        self.world.log(&format!("call {} {:?} drops its reader", self.call, self.side));
        if self.side == Side::Client {
            self.world.gives_up(self.call);
        }
        Ok(())
    }

    /// Reads one message, sometimes only at the second or third attempt. Gives whether there was
    /// one.
    async fn read_one(&self, reader: &mut Reader, rng: &mut Rng) -> Result<bool> {
        for _ in 0..self.attempts(rng) {
            let limit = millis(rng, 0..=20);
            let read = if rng.bool() {
                reader.read_within(limit).await
            } else {
                tokio::select! {
                    biased;
                    read = reader.read() => read,
                    () = tokio::time::sleep(limit) => continue,
                }
            };
            match read {
                Err(error) if is_of_the_operation(&error) => {}
                other => return self.read(other),
            }
        }
        let read = reader.read().await;
        self.read(read)
    }

    fn read(&self, read: Result<Option<Parcel>>) -> Result<bool> {
        let down = self.side == Side::Client;
        match read {
            Ok(Some(parcel)) => {
                self.world.read(self.call, down, &parcel);
                Ok(true)
            }
            Ok(None) => {
                self.world.clean_end(self.call, down);
                Ok(false)
            }
            Err(error) => {
                self.world.failed(self.call, self.side, true, &error);
                Err(error)
            }
        }
    }

    async fn echo(&self, mut reader: Reader, mut writer: Writer, rng: &mut Rng) -> Result<()> {
        let mut sizes = self.party.sizes.iter().cycle();
        let mut number = 0;
        while self.party.reads.is_none_or(|most| (number as usize) < most) {
            let reading =
                self.world.doing(self.call, "echo", format!("waits for message {number}"));
            if !self.read_one(&mut reader, rng).await? {
                return Ok(());
            }
            drop(reading);
            self.pause(self.party.read_pause, rng).await;
            let size = sizes.next().copied().unwrap_or(0).min(20_000);
            let _doing =
                self.world.doing(self.call, "echo", format!("writes {number}, {size} bytes"));
            let written = self.write_one(&mut writer, number, size, rng).await;
            if let Err(error) = written {
                self.world.failed(self.call, self.side, false, &error);
                return Err(error);
            }
            number += 1;
        }
        Ok(())
    }

    fn attempts(&self, rng: &mut Rng) -> u32 {
        if self.party.hasty && one_in(rng, 4) { rng.u32(1..=3) } else { 0 }
    }

    async fn pause(&self, most: Duration, rng: &mut Rng) {
        if !most.is_zero() {
            tokio::time::sleep(millis(rng, 0..=u64::try_from(most.as_millis()).unwrap_or(0))).await;
        }
    }
}

/// Tells whether one operation took too long, and the stream goes on.
fn is_of_the_operation(error: &Error) -> bool {
    error.is_timeout() && error.message().contains("timeout of the")
}

pub(super) enum Writer {
    Own(AsyncWriter<Parcel>),
    Shared(SharedWriter<Parcel>),
}

impl Writer {
    pub(super) fn new(writer: AsyncWriter<Parcel>, party: &Party) -> Self {
        if party.shared { Self::Shared(writer.shared()) } else { Self::Own(writer) }
    }

    async fn write(&mut self, parcel: Parcel) -> Result<()> {
        match self {
            Self::Own(writer) => writer.write(parcel).await,
            Self::Shared(writer) => writer.write(parcel).await,
        }
    }

    async fn write_within(&mut self, parcel: Parcel, limit: Duration) -> Result<()> {
        match self {
            Self::Own(writer) => writer.write(parcel).timeout(limit).await,
            Self::Shared(writer) => writer.write(parcel).timeout(limit).await,
        }
    }

    async fn finish(self) -> Result<()> {
        match self {
            Self::Own(writer) => writer.finish().await,
            Self::Shared(writer) => writer.finish().await,
        }
    }

    fn fail(self, code: i32) {
        if let Self::Own(writer) = self {
            writer.fail(Status::app(code, "as planned"));
        }
    }
}

pub(super) enum Reader {
    Own(AsyncReader<Parcel>),
    Shared(SharedReader<Parcel>),
}

impl Reader {
    pub(super) fn new(reader: AsyncReader<Parcel>, party: &Party) -> Self {
        if party.shared { Self::Shared(reader.shared()) } else { Self::Own(reader) }
    }

    async fn read(&mut self) -> Result<Option<Parcel>> {
        match self {
            Self::Own(reader) => reader.read().await,
            Self::Shared(reader) => reader.read().await,
        }
    }

    async fn read_within(&mut self, limit: Duration) -> Result<Option<Parcel>> {
        match self {
            Self::Own(reader) => reader.read().timeout(limit).await,
            Self::Shared(reader) => reader.read().timeout(limit).await,
        }
    }
}
