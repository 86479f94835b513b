//! A call is a future: whatever takes futures takes it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use trill::{Status, try_when_all, when_all, when_any, when_any_ok};
use trill_tests::{in_memory, text};

#[tokio::test]
async fn trills_joins_take_calls_as_they_are() {
    let (client, _log) = in_memory();
    let calls = ["a", "b"].map(|word| client.unary(text(word)));
    let answers: Vec<_> = when_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, ["a", "b"].map(text));

    let limit = Duration::from_secs(60);
    let (answer, whole, (), (writer, reply), mut reader, mut rw) = try_when_all((
        client.unary(text("c")).timeout(limit),
        client.unary(text("d")).response(),
        client.notify(text("e")),
        client.upload(),
        client.download(text("count 1")).timeout(limit),
        client.talk(),
    ))
    .await
    .unwrap();
    assert_eq!((answer, whole.into_message()), (text("c"), text("d")));
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("0 messages, 0 bytes"));
    assert_eq!(reader.read().await.unwrap(), Some(text("0")));
    rw.finish_writing().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), None);

    let calls = || ["hang", "f"].map(|word| client.unary(text(word)));
    let (winner, answer) = when_any(calls()).await.expect("two calls");
    assert_eq!((winner, answer.unwrap()), (1, text("f")));
    assert_eq!(when_any_ok(calls()).await.expect("two calls").unwrap(), (1, text("f")));
}

#[tokio::test]
async fn tasks_and_other_libraries_take_calls_as_they_are() {
    let (client, _log) = in_memory();
    let call = tokio::spawn(client.unary(text("a")));
    let stream = tokio::spawn(client.talk());
    assert_eq!(call.await.unwrap().unwrap(), text("a"));
    assert!(stream.await.unwrap().is_ok());

    let answers = join_all((0..3).map(|_| client.unary(text("b")))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == text("b")));
    let mut calls: FuturesUnordered<_> = (0..3).map(|_| client.unary(text("c"))).collect();
    while let Some(answer) = calls.next().await {
        assert_eq!(answer.unwrap(), text("c"));
    }
}

/// A call that is polled in turns with something else goes on where it was.
#[tokio::test]
async fn a_call_can_be_polled_by_reference() {
    let (client, _log) = in_memory();
    let (mut call, mut stream) = (client.unary(text("a")), client.download(text("count 1")));
    assert!(futures::poll!(&mut call).is_pending());
    assert!(futures::poll!(&mut stream).is_pending());
    assert_eq!((&mut call).await.unwrap(), text("a"));
    assert_eq!((&mut stream).await.unwrap().read().await.unwrap(), Some(text("0")));
}

#[tokio::test]
async fn a_call_that_is_polled_after_its_end_says_so_and_is_not_tried_again() {
    let (client, _log) = in_memory();
    for order in ["done", "error 7 the account is closed"] {
        let mut call = client.unary(text(order));
        let _ = (&mut call).await;
        let panic = AssertUnwindSafe(&mut call).catch_unwind().await.unwrap_err();
        let said = panic.downcast_ref::<String>().expect("it is a text");
        assert_eq!(said, "the call of /test.all.Everything/Unary was polled after it was done");
    }
    let mut call = client.notify(text("once"));
    (&mut call).await.unwrap();
    assert!(AssertUnwindSafe(&mut call).catch_unwind().await.is_err());
}

#[tokio::test]
async fn an_answer_of_a_stream_that_is_polled_after_its_end_says_so() {
    let (client, _log) = in_memory();
    for fails in [false, true] {
        let (writer, mut reply) = client.upload().await.unwrap();
        if fails {
            writer.fail(Status::app(9, "out of paper"));
        } else {
            writer.finish().await.unwrap();
        }
        assert_eq!((&mut reply).await.is_err(), fails);
        let panic = AssertUnwindSafe(&mut reply).catch_unwind().await.unwrap_err();
        let said = panic.downcast_ref::<String>().expect("it is a text");
        assert_eq!(said, "the answer of /test.all.Everything/Upload was polled after it was done");
    }
}
