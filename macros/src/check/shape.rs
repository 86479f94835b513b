//! The kind of a method, from its arguments.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Signature, Type};

use crate::args::RpcArgs;
use crate::mistakes::Mistakes;
use crate::model::{Kind, Shape};
use crate::names::text_of;
use crate::parse::{Argument, Role, is_unit};

/// Finds the kind of call for the arguments after the context. `answer` is `None` if it was not
/// understood, which is reported already.
pub(super) fn check(
    signature: &Signature,
    arguments: &[Argument<'_>],
    answer: Option<&Type>,
    rpc: &RpcArgs,
    mistakes: &mut Mistakes,
) -> Option<Shape> {
    let roles: Vec<_> = arguments.iter().map(|argument| argument.role).collect();
    let (kind, request, written) = match roles[..] {
        [Role::Message(request)] if rpc.oneway.is_some() => (Kind::OneWay, request, None),
        [Role::Message(request)] => (Kind::Unary, request, None),
        [Role::Reader(request)] => (Kind::ClientStream, request, None),
        [Role::Message(request), Role::Writer(answer)] => {
            (Kind::ServerStream, request, Some(answer))
        }
        [Role::ReaderWriter(request, answer)] => (Kind::Bidi, request, Some(answer)),
        _ => {
            let (place, text) = mistake(signature, arguments, answer.is_some_and(is_unit));
            mistakes.at(place, text);
            return None;
        }
    };
    if let Some(word) = &rpc.oneway
        && kind != Kind::OneWay
    {
        mistakes.at(
            word,
            "a one-way call is one request without an answer; remove `oneway` from this stream",
        );
    }
    let returned = answer?;
    if matches!(kind, Kind::OneWay | Kind::ServerStream | Kind::Bidi) && !is_unit(returned) {
        let text = match kind {
            Kind::OneWay => {
                "nobody waits for the answer of a one-way call; return `Result<()>`, or remove `oneway`"
            }
            _ => "the answers of this stream go through its writer; return `Result<()>`",
        };
        mistakes.at(returned, text);
        return None;
    }
    Some(Shape { kind, request: request.clone(), answer: written.unwrap_or(returned).clone() })
}

/// Arguments that make no kind of call: where the mistake is, and what it is.
fn mistake(
    signature: &Signature,
    arguments: &[Argument<'_>],
    answers_nothing: bool,
) -> (TokenStream, String) {
    let all = |wanted: fn(Role<'_>) -> bool| -> Vec<&Argument<'_>> {
        arguments.iter().filter(|argument| wanted(argument.role)).collect()
    };
    let sorted = Sorted {
        requests: all(|role| matches!(role, Role::Message(_))),
        readers: all(|role| matches!(role, Role::Reader(_))),
        writers: all(|role| matches!(role, Role::Writer(_))),
        both: all(|role| matches!(role, Role::ReaderWriter(..))),
    };
    let no_request = "the method has no request; write `req: Request` after the context (`req: ()` if there is nothing to say), or one of the handles `AsyncReader`, `AsyncReaderWriter`";
    // Other arguments make a kind of call, and do not come here.
    let no_kind = "these arguments make no kind of call";
    let text = if arguments.is_empty() { no_request } else { no_kind };
    sorted
        .several_handles(arguments)
        .or_else(|| sorted.with_a_reader(answers_nothing))
        .or_else(|| sorted.several_requests())
        .or_else(|| sorted.with_a_writer(answers_nothing))
        .map_or_else(
            || (signature.ident.to_token_stream(), text.to_owned()),
            |(place, text)| (place.written.to_token_stream(), text),
        )
}

/// The arguments by their roles, each in the order in which they are written.
struct Sorted<'a> {
    requests: Vec<&'a Argument<'a>>,
    readers: Vec<&'a Argument<'a>>,
    writers: Vec<&'a Argument<'a>>,
    both: Vec<&'a Argument<'a>>,
}

impl<'a> Sorted<'a> {
    /// The argument that is a handle too many.
    fn several_handles(&self, arguments: &'a [Argument<'a>]) -> Option<(&'a Argument<'a>, String)> {
        let Self { requests, readers, writers, both } = self;
        match (&readers[..], &writers[..], &both[..]) {
            (_, _, [_, second, ..]) => {
                Some((second, "a call has one stream; keep one `AsyncReaderWriter`".to_owned()))
            }
            (readers, writers, [handle]) => {
                let other =
                    requests.iter().chain(readers).chain(writers).next().copied().unwrap_or(handle);
                let text = "an `AsyncReaderWriter` reads every request and writes every answer of its call; remove this argument";
                Some((other, text.to_owned()))
            }
            ([_, second, ..], ..) => {
                let text = "a call has one stream in each direction; keep one `AsyncReader`, of a message that can be either";
                Some((second, text.to_owned()))
            }
            (_, [_, second, ..], _) => {
                let text = "a call has one stream in each direction; keep one `AsyncWriter`, of a message that can be either";
                Some((second, text.to_owned()))
            }
            ([reader], [writer], _) => {
                let handle = both_ways(reader.role, writer.role);
                let text = format!(
                    "a stream in both directions is one argument; write `rw: {handle}`, and `rw.split()` where two are needed"
                );
                let is_handle =
                    |argument: &&Argument<'_>| !matches!(argument.role, Role::Message(_));
                let last = arguments.iter().rev().find(is_handle);
                Some((last.unwrap_or(writer), text))
            }
            _ => None,
        }
    }

    /// A request beside a reader, which reads all of them.
    fn with_a_reader(&self, answers_nothing: bool) -> Option<(&'a Argument<'a>, String)> {
        match (&self.requests[..], &self.readers[..]) {
            ([request], [reader]) if answers_nothing => {
                let (request, handle) = (text_of(request.written), turned(reader.role));
                let text = format!(
                    "a reader gets what the client sends, and this method answers nothing; to send a stream of answers write `{request}, writer: {handle}`"
                );
                Some((reader, text))
            }
            ([request, ..], [_]) => {
                let text = "every request of a client stream comes through its reader; remove this argument, and let the first message carry it";
                Some((request, text.to_owned()))
            }
            _ => None,
        }
    }

    fn several_requests(&self) -> Option<(&'a Argument<'a>, String)> {
        let [_, second, ..] = self.requests[..] else { return None };
        let context = self.requests.iter().find(|request| request.is_called_context());
        let text = match context {
            Some(_) => {
                "a call has one `Context`, its first argument, and one request; remove this one"
            }
            None => "a call has one request; put both into one message",
        };
        Some((context.copied().unwrap_or(second), text.to_owned()))
    }

    /// A writer that does not stand behind its request.
    fn with_a_writer(&self, answers_nothing: bool) -> Option<(&'a Argument<'a>, String)> {
        let [writer] = self.writers[..] else { return None };
        let writer_text = text_of(writer.written);
        let text = match self.requests[..] {
            [request] => {
                let request = text_of(request.written);
                format!("the request comes before the writer; write `{request}, {writer_text}`")
            }
            _ if answers_nothing => format!(
                "a server stream begins with its request; write `req: Request, {writer_text}` (`req: ()` if there is nothing to say)"
            ),
            _ => {
                let handle = turned(writer.role);
                format!(
                    "a writer sends messages to the client, and this method answers with one; to read the client's messages write `reader: {handle}`, to send many return `Result<()>`"
                )
            }
        };
        Some((writer, text))
    }
}

/// `AsyncReaderWriter<..>` for a reader and a writer.
fn both_ways(reader: Role<'_>, writer: Role<'_>) -> String {
    match (reader, writer) {
        (Role::Reader(request), Role::Writer(answer)) => {
            format!("AsyncReaderWriter<{}, {}>", text_of(request), text_of(answer))
        }
        _ => "AsyncReaderWriter<Request, Answer>".to_owned(),
    }
}

/// The handle for the other direction.
fn turned(handle: Role<'_>) -> String {
    match handle {
        Role::Reader(message) => format!("AsyncWriter<{}>", text_of(message)),
        Role::Writer(message) => format!("AsyncReader<{}>", text_of(message)),
        _ => "AsyncReaderWriter<Request, Answer>".to_owned(),
    }
}
