//! Clients that send more than they may, or more than anybody can want.

use std::time::Duration;
use trill::Limits;

use tokio::time::{sleep, timeout};
use trill_tests::{EverythingClient, raw, text};

use super::offender::Offender;
use super::victim::{SOME_TIME, Victim};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[tokio::test]
async fn more_streams_than_are_allowed_are_refused_one_by_one_with_the_settings_name() {
    let victim =
        Victim::start(|server| server.limits(Limits::default().max_streams_per_connection(50)))
            .await;
    let mut offender = Offender::connect(&victim).await;
    for id in 100..300 {
        offender.send(&raw::init(id, "Talk", 65_535)).await;
    }
    for number in 0..200 {
        let came = offender.next().await;
        assert_eq!((came.kind, came.id), (1, 100 + number), "each is answered");
        let answer: trill_proto::InitMeta =
            trill::prost::Message::decode(&came.payload[..]).unwrap();
        let answer = answer.response_meta.unwrap_or_default();
        assert_eq!(answer.ret, if number < 50 { 0 } else { 22 });
        let text = String::from_utf8_lossy(&answer.error_msg);
        assert!(number < 50 || text.contains("(max_streams_per_connection)"), "{text}");
    }
    victim.serves_others().await;
    drop(offender);
    victim.is_as_before().await;
}

/// Frames that must be answered cannot be held back: a peer that reads no answer is cut off beyond
/// `max_unsent_per_connection`, two messages and 1 MiB.
const UNSENT: usize = 256 * KIB + 2 * 10_000_000 + MIB;

#[tokio::test]
async fn a_hundred_thousand_inits_stay_inside_the_budgets() {
    let victim = Victim::start(|server| {
        server.limits(Limits::default().max_streams_per_connection(1_000)).max_unread(64 * MIB)
    })
    .await;
    let mut offender = Offender::connect(&victim).await;
    let inits: Vec<u8> = (100..100_100).flat_map(|id| raw::init(id, "Talk", 65_535)).collect();
    let taken = offender.press(&inits).await;
    let held = victim.handle.buffered();
    assert!(held.reserved <= 64 * MIB && held.unsent <= UNSENT, "{held:?} after {taken} bytes");
    victim.serves_others().await;
    drop(offender);
    victim.is_as_before().await;
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_leave_nothing() {
    let victim = Victim::start(|server| server).await;
    let mut offender = Offender::connect(&victim).await;
    let pair = |id| [raw::init(id, "Talk", 65_535), raw::reset(id, 161)].concat();
    let pairs: Vec<u8> = (100..20_100).flat_map(pair).collect();
    offender.press(&pairs).await;
    let held = victim.handle.buffered();
    assert!(held.unsent < MIB, "{held:?}");
    victim.serves_others().await;
    drop(offender);
    victim.is_as_before().await;
}

#[tokio::test]
async fn a_client_that_reads_none_of_its_answers_is_cut_off() {
    let victim = Victim::start(|server| {
        server.limits(Limits::default().max_message_sent(10_000).max_calls_per_connection(1_000))
    })
    .await;
    let mut offender = Offender::connect(&victim).await;
    let mut most = 0;
    for id in 0.. {
        let calls: Vec<u8> =
            (0..100).flat_map(|n| raw::call(100 * id + n, "Unary", "large 1000")).collect();
        most = most.max(victim.handle.buffered().unsent);
        if !offender.insist(&calls).await {
            break;
        }
    }
    // The limit for these settings, the answers of calls that came together, and those of a
    // thousand calls that wait for room.
    assert!(most < 3 * MIB, "{most} bytes");
    victim.serves_others().await;
    drop(offender);
    victim.is_as_before().await;
}

/// Its own connection is not read any more, with all that is on it.
#[tokio::test]
async fn a_client_that_ignores_its_window_is_held_back_and_a_hundred_streams_of_another_go_on() {
    let victim =
        Victim::start(|server| server.limits(Limits::default().max_message_received(MIB))).await;
    let mut offender = Offender::connect(&victim).await;
    offender.send(&[raw::init(100, "Talk", 65_535), raw::data(100, "hang")].concat()).await;
    let message = raw::data(100, &"x".repeat(10_000));
    let flood = message.repeat(64 * MIB / message.len());
    let taken = offender.press(&flood).await;
    assert!(taken < flood.len(), "the server stops reading it");
    let held = victim.handle.buffered();
    assert!(held.unread < 4 * MIB, "{held:?} of {taken} bytes");
    let client = victim.another_client().await;
    timeout(SOME_TIME, hundred_talks(&client)).await.expect("the others go on");
    victim.serves_others().await;
    drop(client);
    // Bytes that the system has not delivered yet would hide the offender's end from the server for
    // a while.
    offender.cut();
    victim.is_as_before().await;
}

/// A client that stays within its windows: the stream that nobody reads takes its window and no
/// more, of whatever the others use.
#[tokio::test]
async fn beside_a_stream_whose_window_is_full_a_hundred_others_of_the_channel_go_on() {
    let victim = Victim::start(|server| server).await;
    let client = victim.another_client().await;
    let (mut writer, reply) = client.upload().await.unwrap();
    let flood = tokio::spawn(async move {
        writer.write(text("hang")).await.unwrap();
        while writer.write(text("x".repeat(1_000))).await.is_ok() {}
        drop(reply);
    });
    while victim.handle.buffered().unread < 60_000 {
        sleep(Duration::from_millis(5)).await;
    }
    timeout(SOME_TIME, hundred_talks(&client)).await.expect("the others go on");
    assert!(victim.handle.buffered().unread < 256 * KIB);
    flood.abort();
    drop(flood.await);
    drop(client);
    victim.is_as_before().await;
}

/// A hundred streams that are read as they are written, at the same time.
async fn hundred_talks(client: &EverythingClient) {
    let talks = (0..100).map(|_| async {
        let mut rw = client.talk().await.unwrap();
        for round in 0..50 {
            let message = text(format!("{round} {}", "x".repeat(2_000)));
            rw.write(message.clone()).await.unwrap();
            assert_eq!(rw.read().await.unwrap(), Some(message));
        }
        rw.finish().await.unwrap();
    });
    futures::future::join_all(talks).await;
}
