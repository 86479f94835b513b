//! Clients that ask for much and do not read it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use trill::prost::Message;
use trill_proto::ResponseProtocol;
use trill_tests::raw;

use super::offender::Offender;
use super::peers::ELSEWHERE;
use super::victim::{SOME_TIME, Victim};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn answers_that_nobody_reads_stay_inside_the_budget_and_the_rest_are_refused() {
    const CALLS: u32 = 200;
    let victim = Victim::start(|server| server.max_unsent(32 * MIB)).await;
    let mut offender = Offender::connect_from(&victim, ELSEWHERE).await;
    let asked: Vec<_> =
        (1..=CALLS).flat_map(|id| raw::call(id, "Unary", "large 1000000")).collect();
    offender.insist(&asked).await;
    let mut greatest = 0;
    // The system takes some megabytes, and then all that is made waits.
    let growing = async {
        while greatest < 12 * MIB {
            greatest = greatest.max(victim.handle.buffered().unsent);
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOME_TIME, growing).await.expect("what waits counts");
    victim.serves_others().await;
    greatest = greatest.max(victim.handle.buffered().unsent);
    assert!(greatest < 32 * MIB + 2 * MIB, "{greatest} of 200 MB");

    let mut refused = 0;
    for _ in 0..CALLS {
        let came = offender.next().await;
        let answer = ResponseProtocol::decode(&came.payload[..came.header]).unwrap();
        if answer.ret != 0 {
            let said = String::from_utf8_lossy(&answer.error_msg).into_owned();
            assert!(
                answer.ret == 31 && said.contains("of 33554432 bytes"),
                "{}: {said}",
                answer.ret
            );
            assert!(said.contains("not sent yet (max_unsent)"), "{said}");
            refused += 1;
        }
    }
    assert!(refused < CALLS, "those that had room are answered: {refused} were refused");
    drop(offender);
    victim.serves_others().await;
    victim.is_as_before().await;
}
