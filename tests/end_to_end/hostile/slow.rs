//! Clients that take their time, or never say anything.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;
use trill_tests::raw;

use super::offender::Offender;
use super::victim::{SOME_TIME, Victim};

/// The number of offenders of each sort.
const MANY: usize = 100;

async fn offenders(victim: &Victim) -> Vec<Offender> {
    join_all((0..MANY).map(|_| Offender::connect(victim))).await
}

async fn are_closed(offenders: &mut [Offender]) {
    for (number, offender) in offenders.iter_mut().enumerate() {
        assert!(offender.is_closed().await, "connection {number} lives");
    }
}

#[tokio::test]
async fn headers_that_come_byte_by_byte_lose_their_connections_after_the_first_frames_time() {
    let victim =
        Victim::start(|server| server.first_frame_timeout(Duration::from_millis(300))).await;
    let mut offenders = offenders(&victim).await;
    let bytes = raw::init(100, "Talk", 65_535);
    for at in 0..10 {
        for offender in &mut offenders {
            // It may be closed already.
            offender.press(&bytes[at..=at]).await;
        }
        sleep(Duration::from_millis(50)).await;
    }
    victim.serves_others().await;
    are_closed(&mut offenders).await;
    victim.is_as_before().await;
}

#[tokio::test]
async fn giant_sizes_cost_their_connection_and_the_largest_allowed_costs_no_memory() {
    let victim =
        Victim::start(|server| server.first_frame_timeout(Duration::from_millis(300))).await;
    let mut giants = offenders(&victim).await;
    for offender in &mut giants {
        offender.send(&raw::claim(u32::MAX, 100)).await;
    }
    are_closed(&mut giants).await;
    let mut large = offenders(&victim).await;
    for offender in &mut large {
        let mut bytes = raw::claim(10_000_000, 100);
        bytes.extend([0; 100]);
        offender.send(&bytes).await;
    }
    victim.serves_others().await;
    let held = victim.handle.buffered();
    assert!(held.unread < 1_000_000, "nothing has come but claims of 1 GB: {held:?}");
    are_closed(&mut large).await;
    victim.is_as_before().await;
}

#[tokio::test]
async fn connections_that_say_nothing_make_room_when_they_are_too_many() {
    let victim = Victim::start(|server| {
        server.max_new_connections(MANY).new_connection_grace(Duration::from_millis(200))
    })
    .await;
    let mut older = offenders(&victim).await;
    let _newer = offenders(&victim).await;
    // Each newcomer makes room, once the others have been silent for long enough.
    let come_and_go = async {
        while victim.handle.refused().too_many_silent < MANY as u64 {
            drop(Offender::connect(&victim).await);
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOME_TIME, come_and_go).await.expect("there are too many");
    are_closed(&mut older).await;
    victim.serves_others().await;
}

/// The server's own client is idle as well, so it is not asked whether others are served.
#[tokio::test]
async fn connections_that_say_nothing_are_closed_when_they_are_idle_for_too_long() {
    let victim = Victim::start(|server| server.idle_timeout(Duration::from_millis(500))).await;
    let mut silent = offenders(&victim).await;
    are_closed(&mut silent).await;
}

/// A connection that says that it sends no more is at its end, unless a call waits for its answer.
#[tokio::test]
async fn half_open_connections_leave_nothing_in_any_state() {
    let victim = Victim::start(|server| server).await;
    let init = |method| raw::init(100, method, 65_535);
    let hang = [init("Talk"), raw::data(100, "hang")].concat();
    for (state, bytes) in [
        ("nothing", Vec::new()),
        ("half a header", init("Talk")[..9].to_vec()),
        ("half a frame", init("Talk")[..20].to_vec()),
        ("an upload", init("Upload")),
        ("a talk whose handler does not read", hang),
        (
            "a download that is held back",
            [init("Download"), raw::data(100, "fill 1000 1000")].concat(),
        ),
    ] {
        let mut offender = Offender::connect(&victim).await;
        offender.send(&bytes).await;
        offender.half_close().await;
        assert!(offender.is_closed().await, "{state}");
        victim.serves_others().await;
        victim.is_as_before().await;
    }
}
