//! Cases that the peers are known to stumble over, or to handle differently from what one would
//! expect.
//!
//! Each test speaks for one side byte by byte. Where nothing may be sent, the next frame is asked
//! for instead: it is the answer to something that came later.

use trill::prost::Message;
use trill_proto::FeedbackMeta;
use trill_tests::Ret as _;
use trill_tests::{Text, text};

use super::due;
use super::frame::{Content, Frame, Key};
use super::peer::{Frames, Peer};

fn message(frame: &Frame) -> Text {
    let (Content::Request { body, .. } | Content::Answer { body, .. } | Content::Data(body)) =
        &frame.content
    else {
        panic!("no message: {frame:?}")
    };
    Text::decode(&body[..]).unwrap()
}

#[tokio::test]
async fn a_client_says_nothing_on_a_stream_before_its_opening_is_answered() {
    let (mut server, client) = Peer::of_a_client().await;
    // A server stream has its message from the start; the two others could write at once.
    let opener = client.clone();
    let download =
        tokio::spawn(async move { opener.download(text("order")).await.unwrap().read().await });
    assert!(matches!(server.read().await.content, Content::Init(_)));
    let opener = client.clone();
    let upload = tokio::spawn(async move {
        let (mut writer, reply) = opener.upload().await.unwrap();
        writer.write(text("first")).await.unwrap();
        writer.finish().await.unwrap();
        reply.await
    });
    assert!(matches!(server.read().await.content, Content::Init(_)));
    let opener = client.clone();
    let talk = tokio::spawn(async move {
        let mut rw = opener.talk().await.unwrap();
        rw.write(text("hello")).await.unwrap();
        rw.read().await
    });
    assert!(matches!(server.read().await.content, Content::Init(_)));
    // The connection is not blocked: what comes next is this call, and nothing of the streams.
    let call = tokio::spawn(async move { client.unary(text("call")).await });
    let next = server.read().await;
    assert_eq!((next.key(), message(&next)), (Key::Call(0), text("call")));
    server.send(Frames::default().answer(0, "answer")).await;
    assert_eq!(call.await.unwrap().unwrap(), text("answer"));

    for (id, said) in [(102, "hello"), (101, "first"), (100, "order")] {
        server.send(Frames::default().accept(id)).await;
        let next = loop {
            let next = server.read().await;
            if !next.is_normal_close() {
                break next;
            }
        };
        assert_eq!((next.key(), message(&next)), (Key::Stream(id), text(said)));
        server.send(Frames::default().data(id, "done").close(id)).await;
    }
    assert_eq!(talk.await.unwrap().unwrap(), Some(text("done")));
    assert_eq!(upload.await.unwrap().unwrap(), text("done"));
    assert_eq!(download.await.unwrap().unwrap(), Some(text("done")));
}

#[tokio::test]
async fn a_server_gives_back_the_credit_it_owes_before_its_end() {
    let mut client = Peer::of_a_server().await;
    client.send(Frames::default().open(100, "Talk")).await;
    assert!(matches!(client.read().await.content, Content::Init(_)));
    // Far below a quarter of the window; and the client has not said that it sends no more.
    client.send(Frames::default().data(100, "done")).await;
    let owed =
        FeedbackMeta { window_size_increment: u32::try_from(text("done").encoded_len()).unwrap() };
    assert_eq!(client.read().await.content, Content::Feedback(owed));
    assert!(client.read().await.is_normal_close());
    client.hears_nothing_more().await;
}

#[tokio::test]
async fn a_server_never_answers_a_reset() {
    let mut client = Peer::of_a_server().await;
    client.send(Frames::default().open(100, "Talk")).await;
    assert!(matches!(client.read().await.content, Content::Init(_)));
    // Of an open stream, of one that is over by then, and of one that never was.
    client
        .send(Frames::default().reset(100).reset(100).reset(7).call(1, (0, [0, 0]), "next"))
        .await;
    let next = client.read().await;
    assert_eq!((next.key(), message(&next)), (Key::Call(1), text("next")));
    client.hears_nothing_more().await;
}

#[tokio::test]
async fn a_client_never_answers_a_reset() {
    let (mut server, client) = Peer::of_a_client().await;
    let opener = client.clone();
    let opening = tokio::spawn(async move { opener.talk().await });
    assert!(matches!(server.read().await.content, Content::Init(_)));
    server.send(Frames::default().accept(100)).await;
    let mut rw = due(opening).await.unwrap().unwrap();
    server.send(Frames::default().reset(100).reset(100).reset(7)).await;
    assert_eq!(due(rw.read()).await.unwrap_err().ret(), 161);
    // Neither its end nor what its owner still does with it says anything.
    rw.write(text("too late")).await.unwrap_err();
    drop(rw);
    let call = tokio::spawn(async move { client.unary(text("next")).await });
    let next = server.read().await;
    assert_eq!((next.key(), message(&next)), (Key::Call(0), text("next")));
    server.send(Frames::default().answer(0, "answer")).await;
    assert_eq!(call.await.unwrap().unwrap(), text("answer"));
    server.hears_nothing_more().await;
}

#[tokio::test]
async fn an_answer_has_the_id_the_version_and_the_reserved_byte_of_its_requests_head() {
    let mut client = Peer::of_a_server().await;
    for (request, head, version, reserved) in
        [(0, 0, 0, 0), (1, 0, 0, 0), (2, 0x0102_0304, 1, 0), (3, 9, 7, 5)]
    {
        client.send(Frames::default().call(request, (head, [version, reserved]), "head")).await;
        let answer = client.read().await;
        assert_eq!((answer.id, answer.version, answer.reserved), (head, version, reserved));
        assert_eq!((answer.key(), message(&answer)), (Key::Call(request), text("head")));
    }
}

#[tokio::test]
async fn a_call_of_id_0_is_a_call_and_an_answer_without_a_header_is_its_answer() {
    let (mut server, client) = Peer::of_a_client().await;
    let call = tokio::spawn(async move { client.unary(text("first")).await });
    assert_eq!(server.read().await.key(), Key::Call(0));
    let frames = Frames::default().answer(0, "answer");
    assert_eq!(frames.0[8..10], [0, 0], "nothing but defaults is no bytes at all");
    server.send(frames).await;
    assert_eq!(due(call).await.unwrap().unwrap(), text("answer"));

    let mut client = Peer::of_a_server().await;
    let nothing = text("a body").encode_to_vec();
    client
        .send(Frames::default().frame([0, 0], &[], 0, [0, 0], &nothing).call(
            0,
            (0, [0, 0]),
            "next",
        ))
        .await;
    let refused = client.read().await;
    let Content::Answer { meta, .. } = &refused.content else { panic!("{refused:?}") };
    assert!(meta.request_id == 0 && meta.ret != 0, "a request for nothing is refused: {meta:?}");
    assert_eq!(message(&client.read().await), text("next"), "and the connection lives");
}

#[tokio::test]
async fn a_server_stream_needs_no_close_of_its_client() {
    let mut client = Peer::of_a_server().await;
    for id in 100..103 {
        client.send(Frames::default().open(id, "Download")).await;
        assert!(matches!(client.read().await.content, Content::Init(_)));
        client.send(Frames::default().data(id, "count 3")).await;
        for number in ["0", "1", "2"] {
            let next = client.read().await;
            let next = if matches!(next.content, Content::Feedback(_)) {
                client.read().await
            } else {
                next
            };
            assert_eq!((next.key(), message(&next)), (Key::Stream(id), text(number)));
        }
        assert!(client.read().await.is_normal_close());
    }
    client.hears_nothing_more().await;
}
