//! The handles' other faces: stream, sink, halves, shared.

use futures::{SinkExt, StreamExt, TryStreamExt, future::join_all};
use trill::ErrorKind;
use trill_tests::{in_memory, over_tcp, text};

#[tokio::test]
async fn a_reader_is_a_stream_and_a_writer_is_a_sink() {
    let (client, _log) = in_memory();
    let numbers: Vec<_> =
        client.download(text("count 1000")).await.unwrap().try_collect().await.unwrap();
    assert_eq!(numbers.len(), 1000);

    let (mut writer, reply) = client.upload().await.unwrap();
    let mut words = futures::stream::iter((0..1000).map(|number| Ok(text(number.to_string()))));
    writer.send_all(&mut words).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("1000 messages, 2890 bytes"));
}

#[tokio::test]
async fn what_a_sink_holds_back_goes_out_before_the_next_write_and_the_finish() {
    let (client, _log) = in_memory();
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.feed(text("1")).await.unwrap();
    writer.write(text("22")).await.unwrap();
    writer.feed(text("333")).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("3 messages, 6 bytes"));
}

#[tokio::test]
async fn the_two_directions_can_be_used_at_the_same_time() {
    let (client, _log) = in_memory();
    const COUNT: usize = 20_000;
    let mut rw = client.talk().await.unwrap();
    {
        let (reader, writer) = rw.halves();
        let write = async {
            for number in 0..COUNT {
                writer.write(text(number.to_string())).await.unwrap();
            }
        };
        let read = async {
            for number in 0..COUNT {
                assert_eq!(reader.read().await.unwrap(), Some(text(number.to_string())));
            }
        };
        futures::join!(write, read);
    }
    let (mut reader, writer) = rw.split();
    writer.finish().await.unwrap();
    assert_eq!(reader.read().await.unwrap(), None);
}

#[tokio::test]
async fn shared_writes_are_whole_and_in_the_order_of_asking() {
    let (client, _log) = in_memory();
    let rw = client.talk().await.unwrap().shared();
    // More than the window, so that most of them wait.
    let writes = (0..300).map(|number| rw.write(text(format!("{number:0>1000}"))));
    let reads = (0..300).map(|_| rw.read());
    let (writes, reads) = futures::join!(join_all(writes), join_all(reads));
    assert!(writes.iter().all(Result::is_ok));
    for (number, read) in reads.into_iter().enumerate() {
        assert_eq!(read.unwrap(), Some(text(format!("{number:0>1000}"))));
    }
    rw.finish().await.unwrap();
    assert_eq!(rw.write(text("late")).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_handles_work_from_many_tasks() {
    let (client, _log) = over_tcp().await;
    let (writer, reply) = client.upload().await.unwrap();
    let writer = writer.shared();
    let tasks = (0..50).map(|_| {
        let writer = writer.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                writer.write(text("12345678")).await.unwrap();
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("5000 messages, 40000 bytes"));
}

#[tokio::test]
async fn shared_reads_give_each_message_to_exactly_one() {
    let (client, _log) = in_memory();
    let reader = client.download(text("count 1000")).await.unwrap().shared();
    let readers = (0..10).map(|_| {
        let reader = reader.clone();
        async move {
            let mut seen = Vec::new();
            while let Some(message) = reader.read().await.unwrap() {
                seen.push(message.text.parse::<u32>().unwrap());
            }
            seen
        }
    });
    let mut all: Vec<_> = join_all(readers).await.concat();
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn shared_writes_that_are_given_up_leave_their_places_in_the_queue_for_room() {
    let (client, _log) = in_memory();
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(client.talk().await.unwrap().shared());
    }
    // Three megabytes, each within its stream's credit: more than the connection has room for.
    let mut waiting = Vec::new();
    for rw in &streams {
        let mut write = rw.write(text("x".repeat(60_000)));
        if futures::poll!(&mut write).is_pending() {
            waiting.push(write);
        }
    }
    let last = waiting.pop().expect("some wait");
    assert!(waiting.len() > 10, "{} wait", waiting.len());
    drop(waiting);
    let written = tokio::time::timeout(std::time::Duration::from_secs(60), last).await;
    written.expect("there is room").unwrap();
}

#[tokio::test]
async fn operations_can_be_printed() {
    let (client, _log) = in_memory();
    let mut rw = client.talk().await.unwrap();
    let printed = format!("{:?}", rw.write(text("a")));
    assert!(printed.starts_with("Write {"), "{printed}");
    let printed = format!("{:?}", rw.read());
    assert!(printed.starts_with("Read {"), "{printed}");
}

#[tokio::test(start_paused = true)]
async fn a_shared_stream_that_is_finished_drops_what_was_not_read() {
    let (client, _log) = in_memory();
    let rw = client.talk().await.unwrap().shared();
    // More than a window, so that the handler waits for credit.
    for _ in 0..12 {
        rw.write(text("x".repeat(10_000))).await.unwrap();
    }
    let finished = tokio::time::timeout(std::time::Duration::from_secs(60), rw.finish()).await;
    finished.expect("its handler goes on").unwrap();
}

#[tokio::test]
async fn a_shared_operation_that_is_dropped_leaves_the_queue() {
    let (client, _log) = in_memory();
    let rw = client.talk().await.unwrap().shared();
    let mut first = Box::pin(rw.read());
    let mut second = Box::pin(rw.read());
    let mut third = Box::pin(rw.read());
    for read in [&mut first, &mut second, &mut third] {
        assert!(futures::poll!(read).is_pending());
    }
    drop(second);
    rw.write(text("a")).await.unwrap();
    rw.write(text("b")).await.unwrap();
    assert_eq!(first.await.unwrap(), Some(text("a")));
    assert_eq!(third.await.unwrap(), Some(text("b")));
}

#[tokio::test(start_paused = true)]
async fn a_shared_operation_can_be_limited_in_time() {
    let (client, _log) = in_memory();
    let rw = client.talk().await.unwrap().shared();
    let limit = std::time::Duration::from_millis(10);
    let (first, second) = futures::join!(rw.read().timeout(limit), rw.read().timeout(limit));
    assert!(first.unwrap_err().is_timeout() && second.unwrap_err().is_timeout());
    rw.write(text("a")).await.unwrap();
    assert_eq!(rw.read().timeout(limit).await.unwrap(), Some(text("a")));
}

#[tokio::test]
async fn futures_of_handles_can_go_to_other_threads() {
    fn is_send<T: Send + 'static>(_: &T) {}
    fn is_send_borrowed<T: Send>(_: &T) {}
    let (client, _log) = in_memory();
    is_send(&client);
    is_send(&client.unary(text("")));
    is_send(&client.unary(text("")).response());
    is_send(&client.notify(text("")));
    is_send(&client.talk());
    let mut rw = client.talk().await.unwrap();
    is_send_borrowed(&rw.read());
    is_send_borrowed(&rw.write(text("")));
    let shared = rw.shared();
    is_send(&shared.read());
    is_send(&shared.write(text("")));
    is_send_borrowed(&shared.finish());
}

#[tokio::test]
async fn debug_output_names_the_handle() {
    let (client, _log) = in_memory();
    let rw = client.talk().await.unwrap();
    let shows = |handle: &dyn std::fmt::Debug, name: &str, method: &str| {
        let text = format!("{handle:?}");
        assert!(text.starts_with(&format!("{name} {{")) && text.contains(method), "{text}");
    };
    let talk = "/test.all.Everything/Talk";
    shows(&rw, "AsyncReaderWriter", talk);
    shows(&rw.closed(), "Closed", talk);
    let rw = rw.shared();
    shows(&rw, "SharedReaderWriter", "");
    let reader = client.download(text("count 2")).await.unwrap();
    let download = "/test.all.Everything/Download";
    shows(&reader, "AsyncReader", download);
    let reader = reader.shared();
    shows(&reader, "SharedReader", "");
    shows(&reader.read(), "SharedRead", "");
    let (writer, reply) = client.upload().await.unwrap();
    let upload = "/test.all.Everything/Upload";
    shows(&writer, "AsyncWriter", upload);
    shows(&reply, "Reply", "");
    let writer = writer.shared();
    shows(&writer, "SharedWriter", "");
    shows(&writer.write(text("")), "SharedWrite", "");
    assert!(format!("{client:?}").contains("EverythingClient"));
}

#[tokio::test]
async fn a_reader_as_a_stream_stops_at_the_clean_end() {
    let (client, _log) = in_memory();
    let mut reader = client.download(text("count 2")).await.unwrap();
    assert!(reader.next().await.is_some());
    assert!(reader.next().await.is_some());
    assert!(reader.next().await.is_none());
    assert!(reader.next().await.is_none());
}
