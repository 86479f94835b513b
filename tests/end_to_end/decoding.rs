//! Messages of many small parts are more work and more memory than their bytes say.

use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::coop::{has_budget_remaining, poll_proceed};
use trill::prost::bytes::{Buf, BufMut};
use trill::prost::encoding::{DecodeContext, WireType, skip_field};
use trill::prost::{DecodeError, Message};
use trill::{
    AsyncReader, AsyncReaderWriter, Channel, Code, Compression, Context, ErrorKind, Limits, Server,
};

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, PartialEq, Eq, trill::prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[prost(prost_path = "::trill::prost")]
struct List {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Self>,
}

/// A list of so many empty ones: two bytes each, two steps each.
fn list(items: usize) -> List {
    List { items: vec![List::default(); items] }
}

#[trill::service(package = "test.decoding", json)]
trait Lists {
    /// As many items as there were, and one more if the task may not go on.
    async fn count(&self, cx: Context, request: List) -> trill::Result<List>;
    /// As many items as are asked for, in lists of one.
    async fn make(&self, cx: Context, request: List) -> trill::Result<List>;
    /// How many items each message has.
    async fn upload(&self, cx: Context, reader: AsyncReader<List>) -> trill::Result<List>;
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<List, List>) -> trill::Result<()>;
}

/// A list of which only the length is kept, and whose decoding stands still at a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "List", into = "List")]
struct Gated {
    items: usize,
}

/// The gate for the next one: who is told that it has come there, and what opens it.
static GATE: Mutex<Option<(oneshot::Sender<()>, Receiver<()>)>> = Mutex::new(None);

/// One test at a time has it.
static GATES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Gated {
    fn pass(self) -> Self {
        let gate = GATE.lock().unwrap().take();
        if let Some((comes, gate)) = gate {
            comes.send(()).expect("the test waits for it");
            let _ = gate.recv_timeout(LONG);
        }
        self
    }
}

impl From<List> for Gated {
    fn from(list: List) -> Self {
        Self { items: list.items.len() }.pass()
    }
}

impl From<Gated> for List {
    fn from(gated: Gated) -> Self {
        list(gated.items)
    }
}

impl Message for Gated {
    fn encode_raw(&self, out: &mut impl BufMut) {
        list(self.items).encode_raw(out);
    }

    fn encoded_len(&self) -> usize {
        list(self.items).encoded_len()
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        bytes: &mut impl Buf,
        cx: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, bytes, cx)?;
        self.items += 1;
        // A task does not come so far.
        if self.items == 5_000 {
            *self = std::mem::take(self).pass();
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.items = 0;
    }
}

#[trill::service(package = "test.decoding", json)]
trait Gates {
    /// As many thousand items as are asked for.
    async fn make(&self, cx: Context, request: List) -> trill::Result<Gated>;
    /// The same when the client has ended.
    async fn wait(&self, cx: Context, reader: AsyncReader<List>) -> trill::Result<Gated>;
}

struct Makes;

#[trill::service]
impl Gates for Makes {
    async fn make(&self, _cx: Context, request: List) -> trill::Result<Gated> {
        Ok(Gated { items: 1_000 * request.items.len() })
    }

    async fn wait(&self, _cx: Context, mut reader: AsyncReader<List>) -> trill::Result<Gated> {
        let mut items = 0;
        while let Some(read) = reader.read().await? {
            items += 1_000 * read.items.len();
        }
        Ok(Gated { items })
    }
}

struct Counts;

#[trill::service]
impl Lists for Counts {
    async fn count(&self, _cx: Context, request: List) -> trill::Result<List> {
        Ok(list(request.items.len() + usize::from(!has_budget_remaining())))
    }

    async fn make(&self, _cx: Context, request: List) -> trill::Result<List> {
        Ok(list(1_000 * request.items.len()))
    }

    async fn upload(&self, _cx: Context, mut reader: AsyncReader<List>) -> trill::Result<List> {
        let mut counts = List::default();
        while let Some(read) = reader.read().await? {
            counts.items.push(list(read.items.len() / 1_000));
        }
        Ok(counts)
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<List, List>) -> trill::Result<()> {
        while let Some(list) = rw.read().await? {
            rw.write(list).await?;
        }
        Ok(())
    }
}

/// Runs it in a runtime of one thread, and gives how many threads for blocking work that took.
fn threads_for<F: Future<Output = ()>>(work: impl FnOnce(ListsClient) -> F) -> usize {
    let threads = Arc::new(AtomicUsize::new(0));
    let started = Arc::clone(&threads);
    let mut runtime = Builder::new_current_thread();
    let count = move || {
        started.fetch_add(1, Ordering::Relaxed);
    };
    let runtime = runtime.enable_all().on_thread_start(count).build().unwrap();
    runtime.block_on(async {
        let channel = Server::builder().service(Counts).in_memory().unwrap();
        tokio::time::timeout(LONG, work(ListsClient::new(channel))).await.expect("it ends");
    });
    threads.load(Ordering::Relaxed)
}

#[test]
fn a_request_of_many_parts_is_decoded_where_that_keeps_no_task_from_its_turn() {
    for (items, elsewhere) in [(10, false), (2_000, false), (3_000, true), (100_000, true)] {
        let threads = threads_for(async |client| {
            let answer = client.count(list(items)).await.unwrap();
            assert!([items, items + 1].contains(&answer.items.len()), "{}", answer.items.len());
        });
        assert_eq!(threads > 0, elsewhere, "{items} items");
    }
}

#[test]
fn large_json_is_read_where_that_keeps_no_task_from_its_turn() {
    for (items, elsewhere) in [(10, false), (500, false), (1_000, true), (10_000, true)] {
        let threads = threads_for(async |client| {
            let answer = client.count(list(items)).json().await.unwrap();
            assert!([items, items + 1].contains(&answer.items.len()), "{}", answer.items.len());
        });
        assert_eq!(threads > 0, elsewhere, "{items} items");
    }
}

#[tokio::test]
async fn a_request_of_many_parts_pays_for_its_decoding() {
    let client = ListsClient::new(Server::builder().service(Counts).in_memory().unwrap());
    for (items, remains) in [(10, true), (200, true), (1_900, false)] {
        let answer = client.count(list(items)).await.unwrap();
        assert_eq!(answer.items.len() == items, remains, "{items} items");
    }
}

#[tokio::test]
async fn a_request_whose_message_finds_no_room_is_refused_and_a_small_one_is_not() {
    let bound = Server::builder()
        .service(Counts)
        .limits(Limits::default().max_message_received(1_000_000))
        .max_unread(8_000_000);
    let bound = bound.bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    let client = ListsClient::new(Channel::connect(address).await.unwrap());
    for (at, (items, json)) in [(200_000, false), (70_000, true)].into_iter().enumerate() {
        let call = client.count(list(items));
        let answer = if json { call.json().await } else { call.await };
        let error = answer.map(|answer| answer.items.len()).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Status, Code::ResourceExhausted),
            "{error}"
        );
        for words in ["while it is decoded", "of 8000000 bytes are in use", "(max_unread)"] {
            assert!(error.to_string().contains(words), "{error}");
        }
        assert_eq!(handle.refused().no_room, at as u64 + 1);
        let call = client.count(list(100));
        assert_eq!(if json { call.json().await } else { call.await }.unwrap().items.len(), 100);
        let gone = async {
            while handle.buffered().unread > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.expect("nothing counts any more");
    }
}

/// Uploads lists of so many thousand items, which are as many when they are counted.
async fn upload(client: ListsClient, thousands: &[usize], compression: Option<Compression>) {
    let call = client.upload();
    let call =
        if let Some(compression) = compression { call.compression(compression) } else { call };
    let (mut writer, reply) = call.await.unwrap();
    for thousands in thousands {
        writer.write(list(thousands * 1_000)).await.unwrap();
    }
    writer.finish().await.unwrap();
    let expected = thousands.iter().map(|thousands| list(*thousands)).collect();
    assert!(reply.await.unwrap() == List { items: expected });
}

#[test]
fn messages_of_streams_are_decoded_where_that_keeps_no_task_from_its_turn() {
    for compression in [None, Some(Compression::Gzip)] {
        for (thousands, elsewhere) in [(&[0, 1, 2][..], false), (&[1, 3, 0, 100, 2], true)] {
            let threads = threads_for(|client| upload(client, thousands, compression));
            assert_eq!(threads > 0, elsewhere, "{thousands:?}, {compression:?}");
        }
    }
}

#[test]
fn answers_are_decoded_where_that_keeps_no_task_from_its_turn() {
    for compression in [None, Some(Compression::Gzip)] {
        for (thousands, elsewhere) in [(1, false), (2, false), (3, true), (100, true)] {
            let threads = threads_for(async |client| {
                let call = client.make(list(thousands));
                let call = if let Some(compression) = compression {
                    call.compression(compression)
                } else {
                    call
                };
                assert_eq!(call.await.unwrap().items.len(), 1_000 * thousands);
            });
            assert_eq!(threads > 0, elsewhere, "{thousands} thousand, {compression:?}");
        }
    }
}

/// How a call or a reply ends 5 s after its message has come to a gate that stays closed.
async fn outcome_at_the_gate<F: Future + Unpin>(mut outcome: F) -> F::Output {
    let (open, gate) = channel();
    let (comes, come) = oneshot::channel();
    *GATE.lock().unwrap() = Some((comes, gate));
    tokio::select! {
        _ = &mut outcome => panic!("the gate is closed"),
        come = come => come.expect("it says so"),
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    let outcome = outcome.now_or_never().expect("its time has passed");
    drop(open);
    outcome
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_decoded_for_no_longer_than_its_call_may_take() {
    let _turn = GATES.lock().await;
    let client = GatesClient::new(Server::builder().service(Makes).in_memory().unwrap());
    for json in [false, true] {
        let call = client.make(list(10)).timeout(Duration::from_secs(4));
        let error = outcome_at_the_gate(if json { call.json() } else { call }).await.unwrap_err();
        let expected = (ErrorKind::Timeout, Code::DeadlineExceeded);
        assert_eq!((error.kind(), error.code()), expected, "{error}");
        assert!(error.to_string().contains("within 4s"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_decoded_for_no_longer_than_its_stream_may_take() {
    let _turn = GATES.lock().await;
    let client = GatesClient::new(Server::builder().service(Makes).in_memory().unwrap());
    let (mut writer, mut reply) = client.wait().timeout(Duration::from_secs(4)).await.unwrap();
    writer.write(list(10)).await.unwrap();
    writer.finish().await.unwrap();
    let error = outcome_at_the_gate(&mut reply).await.unwrap_err();
    let expected = (ErrorKind::Timeout, Code::DeadlineExceeded);
    assert_eq!((error.kind(), error.code()), expected, "{error}");
    assert!(error.to_string().contains("within 4s"), "{error}");
}

/// A message that is half decoded belongs to the handle.
#[tokio::test]
async fn a_read_that_is_dropped_while_its_message_is_decoded_loses_nothing() {
    let client = ListsClient::new(Server::builder().service(Counts).in_memory().unwrap());
    for compression in [None, Some(Compression::Gzip)] {
        let call = client.talk();
        let call =
            if let Some(compression) = compression { call.compression(compression) } else { call };
        let mut rw = call.await.unwrap();
        for items in [100_000, 1, 50_000] {
            rw.write(list(items)).await.unwrap();
            let mut drops = 0;
            let read = async {
                loop {
                    match rw.read().now_or_never() {
                        Some(read) => break read.unwrap().unwrap(),
                        None => drops += 1,
                    }
                    tokio::task::yield_now().await;
                }
            };
            let read = tokio::time::timeout(LONG, read).await.expect("it comes");
            assert_eq!(read.items.len(), items);
            assert!(drops > 0);
        }
        rw.finish_writing().await.unwrap();
        assert!(rw.read().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn messages_and_answers_of_many_parts_pay_for_their_decoding() {
    let client = ListsClient::new(Server::builder().service(Counts).in_memory().unwrap());
    let mut rw = client.talk().await.unwrap();
    for (thousands, remains) in [(1, true), (2, false)] {
        let mut call = client.make(list(thousands)).into_future();
        let answered =
            poll_fn(|cx| Pin::new(&mut call).poll(cx).map(|_| has_budget_remaining())).await;
        assert_eq!(answered, remains, "{thousands} thousand in an answer");
        rw.write(list(1_000 * thousands)).await.unwrap();
        let read =
            poll_fn(|cx| Pin::new(&mut rw.read()).poll(cx).map(|_| has_budget_remaining())).await;
        assert_eq!(read, remains, "{thousands} thousand in a message");
    }
}

/// The server is in a runtime of its own, so that the threads are the client's.
#[test]
fn answers_in_large_json_are_read_where_that_keeps_no_task_from_its_turn() {
    let served = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bound = served.block_on(Server::builder().service(Counts).bind("127.0.0.1:0")).unwrap();
    let address = bound.local_addr().to_string();
    served.spawn(bound.serve());
    for (items, elsewhere) in [(10, false), (600, false), (700, true), (100_000, true)] {
        let threads = threads_for(async |_| {
            let client = ListsClient::new(Channel::connect(&address).await.unwrap());
            let answer = client.count(list(items)).json().await.unwrap();
            assert!([items, items + 1].contains(&answer.items.len()), "{}", answer.items.len());
        });
        assert_eq!(threads > 0, elsewhere, "{items} items");
    }
}

#[tokio::test]
async fn answers_in_json_pay_for_their_parts() {
    let client = ListsClient::new(Server::builder().service(Counts).in_memory().unwrap());
    // The steps of an item are five, and a task has 128 units.
    for (items, left) in [(100, 100..=128), (600, 0..=50)] {
        let mut call = client.count(list(items)).json().into_future();
        let answered = poll_fn(|cx| Pin::new(&mut call).poll(cx).map(|_| units_left()));
        let units = answered.await;
        assert!(left.contains(&units), "{units} units are left after {items} items");
    }
}

/// Uses up what is left of tokio's budget, and counts it.
fn units_left() -> usize {
    let mut cx = std::task::Context::from_waker(Waker::noop());
    let mut units = 0;
    while let Poll::Ready(unit) = poll_proceed(&mut cx) {
        unit.made_progress();
        units += 1;
    }
    units
}

/// The same service as somebody else may know it.
mod other {
    use super::*;

    #[derive(Clone, PartialEq, Eq, trill::prost::Message, serde::Serialize, serde::Deserialize)]
    #[prost(prost_path = "::trill::prost")]
    pub(super) struct Name {
        #[prost(string, tag = "1")]
        items: String,
    }

    #[trill::service(package = "test.decoding", json)]
    pub(super) trait Lists {
        async fn make(&self, cx: Context, request: List) -> trill::Result<Name>;
    }
}

#[tokio::test]
async fn large_json_is_the_answer_or_an_error_that_says_what_it_is_not() {
    let channel = Server::builder().service(Counts).in_memory().unwrap();
    for compression in [None, Some(Compression::Gzip)] {
        let call = ListsClient::new(channel.clone()).make(list(10)).json().compression(compression);
        assert_eq!(call.await.unwrap().items.len(), 10_000, "{compression:?}");
        let call =
            other::ListsClient::new(channel.clone()).make(list(10)).json().compression(compression);
        let error = call.await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Decode, Code::Internal), "{error}");
        assert!(error.to_string().contains("is not the JSON of a "), "{error}");
    }
}
