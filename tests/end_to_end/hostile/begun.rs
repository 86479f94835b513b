//! Clients that begin frames and do not end them, and frames that are larger than the server takes.

use std::time::Duration;

use futures::future::join_all;
use trill::Limits;
use trill::prost::Message;
use trill_proto::ResponseProtocol;
use trill_tests::raw;

use super::offender::{Came, Offender};
use super::peers::ELSEWHERE;
use super::victim::Victim;

const MIB: usize = 1024 * 1024;

/// The server's answer to a call.
fn answer(came: &Came) -> ResponseProtocol {
    // The message of an answer stands behind its header, whose fields it does not have.
    let end = came.payload.len().min(came.header);
    ResponseProtocol::decode(&came.payload[..end]).unwrap()
}

#[tokio::test]
async fn frames_that_are_begun_and_never_end_count_and_do_not_stay() {
    const BUDGET: usize = 40 * MIB;
    // Longer than it takes three of them to begin, on a machine that may be slow.
    let victim =
        Victim::start(|server| server.max_unread(BUDGET).frame_timeout(Duration::from_secs(6)))
            .await;
    let mut offenders = join_all((0..12).map(|_| Offender::connect_from(&victim, ELSEWHERE))).await;
    let frame = raw::call(2, "Unary", &"x".repeat(9_000_000));
    let (mut greatest, mut refused) = (0, 0);
    for offender in &mut offenders {
        // A first frame that is whole.
        offender.send(&raw::call(1, "Unary", "hello")).await;
        assert_eq!(answer(&offender.next().await).ret, 0);
        offender.insist(&frame[..frame.len() - 10]).await;
        greatest = greatest.max(victim.handle.buffered().unread);
    }
    assert!((9_000_000..BUDGET + MIB).contains(&greatest), "{greatest} bytes of 108 MB");
    victim.serves_others().await;
    for offender in &mut offenders {
        let first = offender.try_next().await;
        if let Some(answer) = first.as_ref().map(answer) {
            assert_eq!((answer.request_id, answer.ret), (2, 22));
            assert!(String::from_utf8_lossy(&answer.error_msg).contains("(max_unread)"));
            refused += 1;
        }
        assert!(offender.is_closed().await, "it does not go on");
    }
    assert!((1..12).contains(&refused), "{refused} were refused, the others begun");
    victim.is_as_before().await;
}

#[tokio::test]
async fn one_frame_that_is_too_large_is_answered_and_what_comes_behind_it_as_well() {
    let victim =
        Victim::start(|server| server.limits(Limits::default().max_message_received(MIB))).await;
    let mut offender = Offender::connect(&victim).await;
    offender.send(&raw::init(100, "Talk", 65_535)).await;
    assert_eq!(offender.next().await.kind, 1);
    let large = "x".repeat(20_000_000);
    offender.send(&[raw::call(7, "Unary", &large), raw::call(8, "Unary", "small")].concat()).await;
    for (id, code) in [(7, 1), (8, 0)] {
        let answer = answer(&offender.next().await);
        assert_eq!((answer.request_id, answer.ret), (id, code));
        let said = String::from_utf8_lossy(&answer.error_msg).into_owned();
        assert!(
            code == 0 || said.contains("at most 1048576 are accepted (max_message_received)"),
            "{said}"
        );
    }
    assert!(victim.handle.buffered().unread < MIB);
    offender.send(&raw::data(100, "still here")).await;
    assert_eq!(offender.next().await.kind, 2, "the stream goes on");
    offender.send(&[raw::data(100, &large), raw::data(100, "late")].concat()).await;
    let (code, said) = offender.next().await.reset().expect("that ends it");
    assert!(code == 211 && said.contains("(max_message_received)"), "{code}: {said}");
    offender.send(&raw::call(9, "Unary", "and the connection")).await;
    assert_eq!(answer(&offender.next().await).request_id, 9);
    drop(offender);
    victim.serves_others().await;
    victim.is_as_before().await;
}
