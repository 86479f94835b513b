//! One cell: its limit, its line, and what to print when it fails.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use trill::Result;
use trill::trpc::Codes;
use trill_tests::running_handlers;

const LIMIT: Duration = Duration::from_secs(20);
const REMEMBERED: usize = 10;

pub(crate) type Outcome<T = ()> = std::result::Result<T, String>;

/// Runs one cell with its limit of time, and prints its line. Gives 1 if it failed.
pub(crate) async fn cell(pair: &str, name: &str, run: impl Future<Output = Outcome>) -> usize {
    state().heard.clear();
    tokio::pin!(run);
    let outcome = tokio::time::timeout(LIMIT, &mut run)
        .await
        .unwrap_or_else(|_| Err(format!("not done within {LIMIT:?}")));
    match &outcome {
        Ok(()) => println!("ok    {pair} | {name}"),
        Err(why) => {
            println!("FAIL  {pair} | {name}: {why}");
            print_pending();
        }
    }
    usize::from(outcome.is_err())
}

/// Prints what is under way in this program, and what the other programs said last.
pub(crate) fn print_pending() {
    let state = state();
    for what in state.pending.values() {
        println!("      Trill waits for {what}");
    }
    println!("      Trill's running handlers: [{}]", running_handlers());
    for line in &state.heard {
        println!("      the other side said: {line}");
    }
}

/// Waits for something, which is printed if the cell hangs meanwhile.
pub(crate) async fn waiting<T>(what: &'static str, future: impl Future<Output = T>) -> T {
    let _pending = Pending::new(what);
    future.await
}

/// As [`waiting`], for what gives an error of Trill.
pub(crate) async fn fine<T>(
    what: &'static str,
    future: impl IntoFuture<Output = Result<T>>,
) -> Outcome<T> {
    waiting(what, future.into_future()).await.map_err(|error| format!("{what}: {error}"))
}

/// Keeps a line of another program for the case that the cell fails.
pub(crate) fn hear(line: &str) {
    let heard = &mut state().heard;
    if heard.len() == REMEMBERED {
        heard.pop_front();
    }
    heard.push_back(line.to_owned());
}

#[expect(clippy::needless_pass_by_value, reason = "it compares values that are made for it")]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Outcome {
    if got == want { Ok(()) } else { Err(brief(format!("got {got:?}, want {want:?}"))) }
}

/// The codes and the text of what must be an error.
pub(crate) fn codes<T>(result: Result<T>) -> (i32, i32, String) {
    match result {
        Ok(_) => (0, 0, "no error".to_owned()),
        Err(error) => {
            let codes = Codes::of(&error);
            (codes.ret.0, codes.func_ret, error.message().to_owned())
        }
    }
}

/// As [`codes`], for streams, where tRPC-Go puts an application's code into `ret`.
pub(crate) fn code<T>(result: Result<T>) -> (i32, String) {
    let (code, func_ret, message) = codes(result);
    (code + func_ret, message)
}

/// Wants an error because of a limit of time. A server that knows the limit may be the first to say
/// so.
pub(crate) fn timed_out<T>(result: Result<T>) -> Outcome {
    const CODES: [i32; 3] = [24, 101, 102];
    match result {
        Err(error) if error.is_timeout() || CODES.contains(&Codes::of(&error).ret.0) => Ok(()),
        Err(error) => Err(format!("it ended with {error}")),
        Ok(_) => Err("it did not end".to_owned()),
    }
}

/// A text that may be long, cut for printing.
fn brief(text: String) -> String {
    if text.len() < 500 { text } else { text.chars().take(500).chain("...".chars()).collect() }
}

#[derive(Default)]
struct State {
    pending: BTreeMap<u64, &'static str>,
    next: u64,
    heard: VecDeque<String>,
}

fn state() -> MutexGuard<'static, State> {
    static STATE: Mutex<State> =
        Mutex::new(State { pending: BTreeMap::new(), next: 0, heard: VecDeque::new() });
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Pending(u64);

impl Pending {
    fn new(what: &'static str) -> Self {
        let mut state = state();
        let id = state.next;
        state.next += 1;
        state.pending.insert(id, what);
        Self(id)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        state().pending.remove(&self.0);
    }
}
