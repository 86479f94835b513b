//! The starts and ends of calls, as tests record them.

use std::sync::Mutex;

use crate::stream::CallEnd;

/// Only calls of such methods are recorded.
const RECORDED: &str = "/recorded.";

/// Of all tests: each has methods of its own.
static RECORDS: Mutex<Vec<Record>> = Mutex::new(Vec::new());

#[derive(Clone, PartialEq, Eq, Debug)]
struct Record {
    side: RecordedSide,
    method: String,
    /// `None`: the call begins.
    end: Option<String>,
}

/// The side that tells something of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordedSide {
    Client,
    Server,
}

pub(crate) fn record_start(side: RecordedSide, method: &str) {
    record(side, method, None);
}

pub(crate) fn record_end(side: RecordedSide, method: &str, how: CallEnd<'_>) {
    let end = match how {
        CallEnd::Failed(error) => format!("Failed {:?}", error.kind()),
        CallEnd::Ended(ending) => {
            let ending = format!("{ending:?}");
            let name = ending.split(['(', ' ']).next().unwrap_or_default();
            format!("Ended {name}")
        }
        CallEnd::Refused(_) => "Refused".to_owned(),
        CallEnd::Done | CallEnd::Panicked | CallEnd::Dropped => format!("{how:?}"),
    };
    record(side, method, Some(end));
}

fn record(side: RecordedSide, method: &str, end: Option<String>) {
    if method.starts_with(RECORDED) {
        RECORDS.lock().unwrap().push(Record { side, method: method.to_owned(), end });
    }
}

/// The records of a method at one side: a start is `None`, an end says how.
pub(crate) fn records(side: RecordedSide, method: &str) -> Vec<Option<String>> {
    let records = RECORDS.lock().unwrap();
    let these = records.iter().filter(|record| record.side == side && record.method == method);
    these.map(|record| record.end.clone()).collect()
}

/// Forgets the records of a method at both sides.
pub(crate) fn forget_records(method: &str) {
    RECORDS.lock().unwrap().retain(|record| record.method != method);
}
