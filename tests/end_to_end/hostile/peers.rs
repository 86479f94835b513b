//! One peer with many connections, and what it leaves to strangers.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{sleep, timeout};
use trill::prost::Message;
use trill::server::Refused;
use trill::testing::Network;
use trill::{Channel, Limits, Server};
use trill_tests::{EverythingClient, Obedient, raw, text};

use super::offender::Offender;
use super::victim::{SOME_TIME, Victim};

/// Another host than the victim's own clients, as far as the server can tell.
pub(super) const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

async fn offenders(victim: &Victim, count: usize) -> Vec<Offender> {
    join_all((0..count).map(|_| Offender::connect_from(victim, ELSEWHERE))).await
}

/// A one-way call that never ends by itself, and has no deadline.
fn hanging_one(id: u32) -> Vec<u8> {
    let body = text("hang").encode_to_vec();
    raw::Request { id, method: "Notify", body, one_way: true, ..Default::default() }.frame()
}

/// Waits until the server has refused what it must.
async fn refused(victim: &Victim, enough: impl Fn(Refused) -> bool) -> Refused {
    let waiting = async {
        while !enough(victim.handle.refused()) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = timeout(SOME_TIME, waiting).await;
    assert!(waited.is_ok(), "only {:?}", victim.handle.refused());
    victim.handle.refused()
}

#[tokio::test]
async fn one_peer_leaves_half_of_the_places_to_strangers_on_however_many_connections() {
    let victim = Victim::start(|server| server.max_calls(100)).await;
    let mut offenders = offenders(&victim, 4).await;
    for offender in &mut offenders {
        for id in 100..150 {
            offender.send(&raw::init(id, "Talk", 65_535)).await;
        }
    }
    let refused = refused(&victim, |refused| refused.too_many_calls >= 150).await;
    assert_eq!(refused.too_many_calls, 150, "of 200 streams");
    victim.serves_others().await;
    drop(offenders);
    victim.is_as_before().await;
}

#[tokio::test]
async fn one_way_calls_count_for_their_peer_when_its_connections_are_gone() {
    let victim = Victim::start(|server| server.max_calls(100)).await;
    let mut gone = offenders(&victim, 4).await;
    for offender in &mut gone {
        for id in 0..50 {
            offender.send(&hanging_one(id)).await;
        }
    }
    refused(&victim, |refused| refused.too_many_calls == 150).await;
    gone.into_iter().for_each(Offender::cut);
    let mut back = Offender::connect_from(&victim, ELSEWHERE).await;
    back.send(&hanging_one(1)).await;
    refused(&victim, |refused| refused.too_many_calls == 151).await;
    victim.serves_others().await;
}

#[tokio::test(start_paused = true)]
async fn a_one_way_call_is_given_up_some_time_after_its_connection() {
    let (service, mut log) = Obedient::new();
    let host = Network::new(1).serve(Server::builder().service(service)).unwrap();
    let (channel, _) = host.connect(Channel::builder()).unwrap();
    // Its own limit is later than that.
    let hour = Duration::from_secs(3_600);
    EverythingClient::new(channel).notify(text("hang")).timeout(hour).await.unwrap();
    assert_eq!(log.recv().await.unwrap(), "notified hang");
    sleep(Duration::from_secs(299)).await;
    assert_eq!(host.handle().refused().abandoned_calls, 0);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(host.handle().refused().abandoned_calls, 1);
    // Its handler was dropped, and with it the service: nobody else would report.
    drop(host);
    assert_eq!(timeout(Duration::from_secs(1), log.recv()).await, Ok(None));
}

#[tokio::test]
async fn eleven_connections_of_one_peer_leave_half_of_the_memory_to_strangers() {
    const MIB: usize = 1024 * 1024;
    let victim = Victim::start(|server| server.max_unread(32 * MIB)).await;
    let mut offenders = offenders(&victim, 11).await;
    let large = format!("hang {}", "x".repeat(MIB));
    for id in 0..4 {
        let calls = offenders.iter_mut().map(async |offender| {
            assert!(
                offender.insist(&raw::call(id, "Unary", &large)).await,
                "it is read, to hear of refusals"
            );
        });
        join_all(calls).await;
    }
    refused(&victim, |refused| refused.no_room >= 28).await;
    let held = victim.handle.buffered().unread;
    assert!(held < 18 * MIB, "{held} of 32 MiB");
    let stranger = victim.another_client().await;
    let message = text("x".repeat(5 * MIB));
    assert_eq!(stranger.unary(message.clone()).await.unwrap(), message);
    victim.serves_others().await;
    drop((offenders, stranger));
    victim.is_as_before().await;
}

#[tokio::test]
async fn one_peer_leaves_half_of_the_connections_to_strangers() {
    let victim = Victim::start(|server| server.max_connections(20)).await;
    let mut offenders = offenders(&victim, 30).await;
    let refused = refused(&victim, |refused| refused.too_many_connections >= 20).await;
    assert_eq!(refused.too_many_connections, 20, "one was there, and ten are in");
    assert!(offenders[29].is_closed().await);
    victim.serves_others().await;
}

#[tokio::test]
async fn a_peer_is_what_the_application_says() {
    // All are one.
    let victim = Victim::start(|server| server.max_calls(20).peer_key(|_| "all".to_owned())).await;
    let mut offender = Offender::connect_from(&victim, ELSEWHERE).await;
    for id in 0..11 {
        offender.send(&raw::call(id, "Unary", "hang")).await;
    }
    refused(&victim, |refused| refused.too_many_calls == 1).await;
    let error = victim.another_client().await.unary(text("")).await.unwrap_err();
    assert!(error.message().contains("10 of them of this peer"), "{error}");

    // Each connection is one.
    let victim = Victim::start(|server| server.max_calls(20).peer_key(ToString::to_string)).await;
    let mut offenders = offenders(&victim, 2).await;
    for (offender, count) in offenders.iter_mut().zip([1, 1 + 6]) {
        for id in 0..11 {
            offender.send(&raw::call(id, "Unary", "hang")).await;
        }
        refused(&victim, |refused| refused.too_many_calls == count).await;
    }
    victim.serves_others().await;
}

#[tokio::test]
async fn fifteen_hundred_clients_that_were_silent_and_call_at_once_lose_no_call() {
    // Longer than it takes them all to connect, on a machine that may be slow.
    let victim =
        Victim::start(|server| server.new_connection_grace(Duration::from_secs(600))).await;
    let mut clients = Vec::new();
    while clients.len() < 1_500 {
        clients.extend(join_all((0..100).map(|_| victim.another_client())).await);
    }
    let calls = clients.iter().map(|client| client.unary(text("now")).timeout(SOME_TIME));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), text("now"));
    }
    assert_eq!(victim.handle.refused(), Refused::default());
}

#[tokio::test]
async fn what_is_refused_is_counted_by_its_cause() {
    let victim =
        Victim::start(|server| server.limits(Limits::default().max_calls_per_connection(1))).await;
    let mut offender = Offender::connect(&victim).await;
    offender.send(&raw::call(4, "Unknown", "")).await;
    offender.send(&raw::init(100, "Unary", 65_535)).await;
    for id in 1..=3 {
        offender.send(&raw::call(id, "Unary", "hang")).await;
    }
    let mut garbage = raw::init(101, "Talk", 65_535);
    garbage[16..].fill(0xff);
    offender.send(&garbage).await;
    let refused = refused(&victim, |refused| refused.unreadable == 1).await;
    assert_eq!(
        (refused.too_many_calls, refused.unsupported, refused.no_room),
        (2, 2, 0),
        "{refused:?}"
    );
}
