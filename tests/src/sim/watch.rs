//! Those who look on: bounds, pace, and what is left at the end.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use trill::testing::{Census, Link, Side};

use super::message::Parcel;
use super::model::World;
use super::plan;

/// The bytes that wait for the socket before writers wait (`conn/config.rs`).
const OUTBOX: usize = 256 * 1024;

/// The bytes that one writer may hold beyond it (`driver/send_buffer.rs`).
const SEND_BUFFER_SIZE: usize = 16 * 1024;

/// Frames that are no messages: they wait for no room.
const CONTROL: usize = 64 * 1024;

/// The bytes that a stream without flow control may hold before its connection is not read
/// (`conn/inbound.rs`), and those that one read may bring on top.
const WITHOUT_WINDOW: usize = 512 * 1024;

/// How long the last bytes and tasks may take to go. A connection that nobody holds has 10 s to
/// write what is queued.
const SETTLING: Duration = Duration::from_secs(30);

/// A client has let go of a stream: its handler must be over within a round trip, if the network
/// stays well.
pub(super) fn handler_must_end(world: &Arc<World>, call: usize) {
    let Some(link) = world.link_of(call) else { return };
    // Rule 21 of the protocol: without flow control a slow reader holds the connection back, and
    // the news with it.
    let of = world.links()[link].0;
    if world.plan.is_without_flow_control(of) {
        return;
    }
    let knobs = world.knobs(link);
    let queued = knobs.census(Side::Client).map_or(0, |census| census.unwritten);
    let (since, limit) = (world.now(), world.time_for(link, queued));
    let world = Arc::clone(world);
    tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        if world.was_well_since(link, since) && world.has_handler(call) {
            world.violate(&format!(
                "call {call}: its client is gone, and {limit:?} later its handler goes on"
            ));
        }
    });
}

/// Calls at a steady pace, on a stream and without one.
pub(super) async fn keep_pace(world: Arc<World>, of: usize) {
    while !world.is_over() && !world.has_failed() {
        let Some((link, client)) = world.client(of) else { return };
        let pinging = async {
            let mut rw =
                in_time(&world, link, of, "opening a stream", client.pings().into_future()).await?;
            for number in 0..5 {
                let ping_pong = async {
                    rw.write(ping(number)).await?;
                    rw.read().await
                };
                if in_time(&world, link, of, "a ping on a stream", ping_pong).await?
                    != Some(ping(number))
                {
                    world.violate("a ping came back as something else");
                }
                tokio::time::sleep(Duration::from_millis(13)).await;
            }
            in_time(&world, link, of, "the end of a stream", rw.finish()).await?;
            let called = client.ping(ping(7)).into_future();
            if in_time(&world, link, of, "a unary ping", called).await? != ping(7) {
                world.violate("a ping came back as something else");
            }
            Ok::<_, trill::Error>(())
        };
        if let Err(error) = pinging.await {
            if !world.may_be_lost(link) {
                world.violate(&format!("a ping failed without a cause: {error}"));
            }
            return;
        }
    }
}

fn ping(number: u32) -> Parcel {
    Parcel::new(usize::MAX & 0xffff, false, number, 5)
}

/// Waits for something that depends on nobody but the network. It must not take long while the
/// network is well.
async fn in_time<T>(
    world: &World,
    link: usize,
    of: usize,
    what: &str,
    work: impl Future<Output = T>,
) -> T {
    // It waits behind what is queued, and behind one message of each stream that waits for room,
    // each way.
    let queued = OUTBOX + world.plan.largest(of) * world.plan.calls.len();
    let limit = 2 * world.time_for(link, queued);
    let mut work = pin!(work);
    loop {
        let since = world.now();
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(limit) => {}
        }
        if !world.plan.is_without_flow_control(of) && world.was_well_since(link, since) {
            world.violate(&format!(
                "{what} beside the others took more than {limit:?} on connection {link}"
            ));
        }
    }
}

/// Looks again and again at what the connections hold.
pub(super) async fn measure(world: Arc<World>) {
    while !world.is_over() {
        for (number, (of, link)) in world.links().into_iter().enumerate() {
            measure_one(&world, number, of, &link);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

fn measure_one(world: &World, number: usize, of: usize, link: &Link) {
    let largest = world.plan.largest(of);
    for side in [Side::Client, Side::Server] {
        let Some(census) = link.census(side) else { continue };
        let window = plan::most(match side {
            Side::Client => world.plan.links[of].window,
            Side::Server => world.plan.server_window,
        });
        let unread = largest
            + if world.plan.is_without_flow_control(of) { WITHOUT_WINDOW } else { window as usize };
        let unwritten = OUTBOX + largest + SEND_BUFFER_SIZE * census.streams + CONTROL;
        if census.unread_of_one > unread || census.unwritten > unwritten {
            let text = format!(
                "connection {number} holds too much at the {side:?}: {census:?}; {unread} and {unwritten} are allowed"
            );
            world.violate(&text);
        }
    }
}

/// Waits until nothing goes on any more on connections that are still open.
pub(super) async fn quiet(world: &World) {
    settle(world, "on open connections", || {
        let mut left = handlers(world);
        for (name, census) in ends(world) {
            if census != Census::default() {
                left.push(format!("{name}: {census:?}"));
            }
        }
        left
    })
    .await;
}

/// Waits until nothing is left at all.
pub(super) async fn gone(world: &World) {
    settle(world, "after the last channel", || {
        let mut left = handlers(world);
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        if tasks > 0 {
            left.push(format!("{tasks} tasks"));
        }
        left.extend(ends(world).map(|(name, census)| format!("{name}: {census:?}")));
        left
    })
    .await;
}

async fn settle(world: &World, when: &str, left: impl Fn() -> Vec<String>) {
    let until = world.now() + SETTLING;
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        if world.now() > until {
            return world.violate(&format!(
                "{SETTLING:?} later there is still {when}: {}",
                left.join(", ")
            ));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn handlers(world: &World) -> Vec<String> {
    let handlers = world.handlers();
    if handlers > 0 { vec![format!("{handlers} handlers")] } else { Vec::new() }
}

/// The ends of connections that still hold something.
fn ends(world: &World) -> impl Iterator<Item = (String, Census)> {
    world.links().into_iter().enumerate().flat_map(|(number, (_, link))| {
        [Side::Client, Side::Server].into_iter().filter_map(move |side| {
            link.census(side).map(|census| (format!("connection {number} at the {side:?}"), census))
        })
    })
}
