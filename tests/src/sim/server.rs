//! The handlers' part of the plan.

use std::sync::Arc;

use fastrand::Rng;
use trill::testing::Side;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Status};

use super::client::{Actor, Reader, Writer};
use super::message::{Parcel, Sim};
use super::model::{Outcome, World};
use super::plan::{HandlerEnd, millis};

/// The message of a planned panic, which tells it from one that nobody planned.
pub(super) const PLANNED_PANIC: &str = "a handler panics as planned";

pub(super) struct Handlers(pub(super) Arc<World>);

#[trill::service]
impl Sim for Handlers {
    async fn unary(&self, cx: Context, request: Parcel) -> Result<Parcel> {
        let running = Running::begin(&self.0, &cx)?;
        let (actor, mut rng) = running.actor();
        actor.world.read(actor.call, false, &request);
        tokio::time::sleep(millis(&mut rng, 0..=10)).await;
        let ended = running.end().await;
        running.answers(ended)
    }

    async fn notify(&self, cx: Context, request: Parcel) -> Result<()> {
        let running = Running::begin(&self.0, &cx)?;
        let (actor, mut rng) = running.actor();
        actor.world.read(actor.call, false, &request);
        tokio::time::sleep(millis(&mut rng, 0..=10)).await;
        let ended = running.end().await;
        running.returns(ended)
    }

    async fn upload(&self, cx: Context, reader: AsyncReader<Parcel>) -> Result<Parcel> {
        let running = Running::begin(&self.0, &cx)?;
        let (actor, mut rng) = running.actor();
        let mut ended = actor.read_all(Reader::new(reader, actor.party), &mut rng).await;
        if ended.is_ok() {
            ended = running.end().await;
        }
        running.answers(ended)
    }

    async fn download(
        &self,
        cx: Context,
        request: Parcel,
        writer: AsyncWriter<Parcel>,
    ) -> Result<()> {
        let running = Running::begin(&self.0, &cx)?;
        let (actor, mut rng) = running.actor();
        actor.world.read(actor.call, false, &request);
        let mut ended = actor.write_all(Writer::new(writer, actor.party), &mut rng).await;
        if ended.is_ok() {
            ended = running.end().await;
        }
        running.returns(ended)
    }

    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Parcel, Parcel>) -> Result<()> {
        let running = Running::begin(&self.0, &cx)?;
        let (actor, mut rng) = running.actor();
        let (reader, writer) = rw.split();
        let (reader, writer) = (Reader::new(reader, actor.party), Writer::new(writer, actor.party));
        let mut ended = actor.converse(reader, writer, &mut rng).await;
        if ended.is_ok() {
            ended = running.end().await;
        }
        running.returns(ended)
    }

    async fn ping(&self, _cx: Context, request: Parcel) -> Result<Parcel> {
        Ok(request)
    }

    async fn pings(&self, _cx: Context, mut rw: AsyncReaderWriter<Parcel, Parcel>) -> Result<()> {
        while let Some(parcel) = rw.read().await? {
            rw.write(parcel).await?;
        }
        Ok(())
    }
}

/// A handler at work. Dropping it tells the model that the handler is gone.
struct Running {
    world: Arc<World>,
    call: usize,
}

impl Running {
    fn begin(world: &Arc<World>, cx: &Context) -> Result<Self> {
        let name = cx.metadata().get_str("call").and_then(|name| name.parse().ok());
        let Some(call) = name else {
            world.violate("a call came without its metadata");
            return Err(Status::app(1, "whose call is this?").into());
        };
        world.handler_begins(call);
        Ok(Self { world: Arc::clone(world), call })
    }

    fn actor(&self) -> (Actor<'_>, Rng) {
        let plan = self.world.call_plan(self.call);
        let actor =
            Actor { world: &self.world, call: self.call, side: Side::Server, party: &plan.server };
        (actor, Rng::with_seed(!plan.seed))
    }

    /// The end that was planned for a handler whose work is done.
    async fn end(&self) -> Result<()> {
        match self.world.call_plan(self.call).end {
            HandlerEnd::Ok => Ok(()),
            HandlerEnd::Error(code) => {
                self.world.handler_returns(self.call, Outcome::Error(code));
                Err(Status::app(code, "as planned").into())
            }
            HandlerEnd::Panic => {
                self.world.handler_returns(self.call, Outcome::Panic);
                panic!("{PLANNED_PANIC}");
            }
            HandlerEnd::Hang => {
                let _doing = self.world.doing(self.call, "handler", "hangs as planned");
                std::future::pending().await
            }
        }
    }

    fn returns(&self, ended: Result<()>) -> Result<()> {
        let planned = matches!(self.world.call_plan(self.call).end, HandlerEnd::Error(_))
            && ended.as_ref().is_err_and(|error| error.message() == "as planned");
        if !planned {
            let outcome = if ended.is_ok() { Outcome::Ok } else { Outcome::Failed };
            self.world.handler_returns(self.call, outcome);
        }
        ended
    }

    fn answers(&self, ended: Result<()>) -> Result<Parcel> {
        self.returns(ended)?;
        let size = self.world.call_plan(self.call).server.sizes.first().copied().unwrap_or(0);
        self.world.wrote(self.call, true, 0);
        Ok(Parcel::new(self.call, true, 0, size))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.world.handler_is_gone(self.call);
    }
}
