//! Clients that end in the middle of anything, and clients that go on after the end.

use trill_tests::process::Process;
use trill_tests::raw;

use crate::PEER;

use super::offender::Offender;
use super::victim::Victim;

/// The bytes that a client has sent when it ends.
fn states() -> Vec<(&'static str, Vec<u8>)> {
    let init = |method| raw::init(100, method, 65_535);
    let open = |method, message| [init(method), raw::data(100, message)].concat();
    vec![
        ("nothing", Vec::new()),
        ("half a header", init("Talk")[..9].to_vec()),
        ("half an INIT", init("Talk")[..20].to_vec()),
        ("an INIT", init("Talk")),
        ("a refused INIT", init("Nothing")),
        ("a call", raw::call(1, "Unary", "hang")),
        ("a one-way call", raw::call(1, "Notify", "sleep 20")),
        (
            "a call and half of another",
            [raw::call(1, "Unary", "hang"), raw::claim(100, 2)].concat(),
        ),
        ("an upload", open("Upload", "hello")),
        ("an upload that is not read", open("Upload", "hang")),
        ("an upload and half a message", [open("Upload", "hello"), raw::claim(100, 100)].concat()),
        ("an upload at its end", [open("Upload", "hello"), raw::close(100)].concat()),
        ("a download that hangs", open("Download", "count 3;hang")),
        ("a download that is held back", open("Download", "fill 1000 1000")),
        ("a talk", open("Talk", "hello")),
        ("a talk that is half closed", [open("Talk", "hang"), raw::close(100)].concat()),
        ("a talk that is reset", [open("Talk", "hang"), raw::reset(100, 161)].concat()),
    ]
}

#[tokio::test]
async fn connections_that_are_reset_leave_nothing_in_any_state() {
    let victim = Victim::start(|server| server).await;
    for (state, bytes) in states() {
        for answered in [false, true] {
            let mut offender = Offender::connect(&victim).await;
            offender.send(&bytes).await;
            if answered {
                // Time for handlers to begin and to answer; none of it is read.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            offender.cut();
        }
        eprintln!("after {state}:");
        victim.is_as_before().await;
    }
    victim.serves_others().await;
}

#[tokio::test]
async fn clients_that_are_killed_leave_nothing_in_any_state() {
    let victim = Victim::start(|server| server).await;
    for kind in ["unary", "upload", "talk", "download", "flood"] {
        let mut process = Process::start_other(PEER, &["hold", &victim.address, kind]).await;
        process.kill().await;
        eprintln!("after {kind}:");
        victim.is_as_before().await;
    }
    victim.serves_others().await;
}

#[tokio::test]
async fn frames_after_a_close_end_the_stream_if_it_is_open_and_nothing_if_it_is_over() {
    let victim = Victim::start(|server| server).await;
    let mut offender = Offender::connect(&victim).await;
    // Half closed: only messages are wrong.
    let hang = [raw::init(100, "Talk", 65_535), raw::data(100, "hang"), raw::close(100)].concat();
    offender.send(&[hang, raw::close(100), raw::feedback(100, 1)].concat()).await;
    assert_eq!(offender.next().await.kind, 1, "it is open");
    offender.send(&raw::data(100, "late")).await;
    let (code, why) = offender.next().await.reset().expect("the stream is broken off");
    assert_eq!(code, 1000, "{why}");
    // Over: every frame is dropped, so that the next answer is the next stream's.
    for late in
        [raw::data(100, "late"), raw::feedback(100, 1), raw::close(100), raw::reset(100, 161)]
    {
        offender.send(&late).await;
    }
    offender.send(&[raw::init(101, "Talk", 65_535), raw::data(101, "hello")].concat()).await;
    let (opened, answer) = (offender.next().await, offender.next().await);
    assert_eq!((opened.kind, opened.id), (1, 101), "the connection lives, and nothing came before");
    assert_eq!((answer.kind, answer.id), (2, 101));
    victim.serves_others().await;
    drop(offender);
    victim.is_as_before().await;
}
