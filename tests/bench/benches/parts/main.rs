//! The costs of the parts of a message's way, each for itself:
//! `cargo bench -p trill-bench --bench parts`.
//!
//! Messages have 32 bytes. No figure includes a socket or the other side's work. Where there are
//! many messages or steps, the time is for all of them, and the rate below it for one.

use bytes::BytesMut;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use trill::__bench::{Decoder, Inbox, Messages, write_data};

mod connections;

fn main() {
    divan::main();
}

/// A frame without a message: the 16 bytes in front of it.
#[divan::bench]
fn header_encode(bencher: Bencher<'_, '_>) {
    let mut out = Vec::with_capacity(64);
    bencher.bench_local(|| {
        out.clear();
        write_data(black_box(&mut out), black_box(&[]));
    });
}

#[divan::bench]
fn header_decode(bencher: Bencher<'_, '_>) {
    let (frame, decoder) = (frames(1), Decoder::default());
    bencher.bench_local(|| decoder.missing(black_box(&frame)));
}

/// The messages that one read of a socket may bring: found, and taken one by one.
#[divan::bench]
fn decode_and_take_400(bencher: Bencher<'_, '_>) {
    let (frames, decoder) = (frames(RUN), Decoder::default());
    bencher
        .counter(ItemsCount::new(RUN))
        .with_inputs(|| BytesMut::from(&frames[..]))
        .bench_local_refs(|input| {
            let mut messages = decoder.decode(input);
            while let Some(len) = messages.take() {
                black_box(len);
            }
        });
}

/// A queue that gives out its message before the next one comes.
#[divan::bench]
fn inbox_push_and_pop(bencher: Bencher<'_, '_>) {
    let mut inbox = Inbox::default();
    let message = run(1);
    bencher.with_inputs(|| message.clone()).bench_local_values(|message| {
        inbox.push(message);
        inbox.pop()
    });
}

/// A queue that fills with runs of one message, and is emptied.
#[divan::bench]
fn inbox_push_400_then_pop(bencher: Bencher<'_, '_>) {
    let mut inbox = Inbox::default();
    let message = run(1);
    let inputs = || vec![message.clone(); RUN];
    bencher.counter(ItemsCount::new(RUN)).with_inputs(inputs).bench_local_values(|messages| {
        messages.into_iter().for_each(|message| inbox.push(message));
        while let Some(len) = inbox.pop() {
            black_box(len);
        }
    });
}

/// A loop whose body is ready, with fewer steps than make it let others have their turn.
#[divan::bench]
fn do_for_50_steps(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(STEPS)).bench_local(|| {
        ready(trill::do_for(STEPS, |i| {
            black_box(i);
            async { Ok(()) }
        }))
    });
}

#[divan::bench(sample_size = 100)]
fn when_all_of_8_ready(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| ready(trill::when_all((0..8).map(|i| async move { black_box(i) }))));
}

fn run(count: usize) -> Messages {
    Decoder::default().decode(&mut BytesMut::from(&frames(count)[..]))
}

fn frames(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    (0..count).for_each(|_| write_data(&mut out, &PAYLOAD));
    out
}

/// The result of a future that does not wait.
fn ready<F: Future>(future: F) -> F::Output {
    futures::FutureExt::now_or_never(future).expect("it does not wait")
}

/// How many steps a loop has.
const STEPS: u32 = 50;

/// How many messages there are where one would be too few.
const RUN: usize = 400;

const PAYLOAD: [u8; 32] = [7; 32];
