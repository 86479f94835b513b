use quote::quote;

use super::{check, of_arguments};
use crate::model::Kind;

#[test]
fn mistakes_in_the_form_of_a_method() {
    for &(method, text) in FORMS {
        assert_eq!(check(quote!(), method).1, [text], "{method}");
    }
}

const FORMS: &[(&str, &str)] = &[
    (
        "async fn m(cx: Context, req: Q) -> Result<A>;",
        "the method has no receiver; write `&self` as its first argument",
    ),
    (
        "async fn m(self, cx: Context, req: Q) -> Result<A>;",
        "one service answers all calls at the same time; take `&self`",
    ),
    (
        "async fn m(self: Arc<Self>, cx: Context, req: Q) -> Result<A>;",
        "one service answers all calls at the same time; take `&self`",
    ),
    (
        "async fn m(&mut self, cx: Context, req: Q) -> Result<A>;",
        "one service answers all calls at the same time; take `&self`, and keep what changes behind a lock",
    ),
    (
        "async fn m(&'static self, cx: Context, req: Q) -> Result<A>;",
        "messages are owned, so a method needs no lifetimes; take `&self`",
    ),
    (
        "fn m(&self, cx: Context, req: Q) -> Result<A>;",
        "a handler waits without blocking its thread; write `async fn`",
    ),
    (
        "async unsafe fn m(&self, cx: Context, req: Q) -> Result<A>;",
        "anybody on the network can call a handler; remove `unsafe`",
    ),
    (
        "async fn m<T>(&self, cx: Context, req: Q) -> Result<A>;",
        "the messages of a method are known types, since they are encoded; name them instead",
    ),
    (
        "async fn m<'a>(&self, cx: Context, req: Q) -> Result<A>;",
        "messages are owned, so a method needs no lifetimes; remove them",
    ),
    (
        "async fn m(&self, cx: Context, req: Q) -> Result<A> where Q: Clone;",
        "a method of a service has no `where` clause; remove it",
    ),
    (
        "async fn m(&self, cx: Context, mut req: Q) -> Result<A>;",
        "whether an argument is `mut` is the implementation's business; remove it here",
    ),
    (
        "async fn m(&self, cx: Context, Q { text }: Q) -> Result<A>;",
        "a pattern belongs in the implementation; write a plain name",
    ),
    (
        "async fn new(&self, cx: Context, req: Q) -> Result<A>;",
        "the generated client has a function `new` already; rename the method, and keep its name on the wire with `#[rpc(name = \"New\")]`",
    ),
    (
        "async fn __m(&self, cx: Context, req: Q) -> Result<A>;",
        "names that begin with two underscores are for generated code; rename the method",
    ),
    (
        "async fn größe(&self, cx: Context, req: Q) -> Result<A>;",
        "this gives no name on the wire; add `#[rpc(name = \"..\")]`",
    ),
    ("const LIMIT: u32;", "a service has methods only; move the constant out of the trait"),
    (
        "type Item;",
        "a service has methods only, because its clients do not know who serves it; name the type where it is used",
    ),
    ("methods!();", "what this macro expands to is not known here; write the methods out"),
];

#[test]
fn mistakes_in_the_context() {
    let missing = "the handler's `Context` is missing; write `cx: Context` after `&self`, by this name: an alias is not seen through";
    for (arguments, text) in [
        ("req: Q", missing),
        ("cx: Cx, req: Q", missing),
        ("req: Q, cx: Context", "the `Context` comes first; write `&self, cx: Context, ..`"),
        (
            "cx: &Context, req: Q",
            "the `Context` is borrowed; take it by value: it is cheap to clone",
        ),
        (
            "cx: Context, req: Q, other: Context",
            "a call has one `Context`, its first argument, and one request; remove this one",
        ),
    ] {
        assert_eq!(of_arguments(arguments, "Result<A>"), [text], "{arguments}");
    }
}

#[test]
fn messages_may_have_the_names_of_our_types() {
    for (arguments, answer, kind) in [
        ("req: Context", "Context", Kind::Unary),
        ("req: pb::Context", "pb::Context", Kind::Unary),
        ("req: AsyncReader", "AsyncWriter", Kind::Unary),
        ("req: SharedReader, writer: AsyncWriter<Context>", "()", Kind::ServerStream),
        ("reader: AsyncReader<Context>", "SharedWriter", Kind::ClientStream),
        ("rw: AsyncReaderWriter<Context, AsyncReaderWriter>", "()", Kind::Bidi),
    ] {
        let method = format!("async fn m(&self, cx: Context, {arguments}) -> Result<{answer}>;");
        let (service, texts) = check(quote!(), &method);
        assert_eq!(texts, [""; 0], "{method}");
        assert_eq!(service.methods[0].shape.kind, kind, "{method}");
    }
}

#[test]
fn mistakes_in_what_a_method_takes() {
    for &(arguments, answer, text) in TAKEN {
        let arguments = format!("cx: Context, {arguments}");
        assert_eq!(of_arguments(&arguments, &format!("Result<{answer}>")), [text], "{arguments}");
    }
}

const NO_REQUEST: &str = "the method has no request; write `req: Request` after the context (`req: ()` if there is nothing to say), or one of the handles `AsyncReader`, `AsyncReaderWriter`";
const NO_OTHER: &str = "an `AsyncReaderWriter` reads every request and writes every answer of its call; remove this argument";

const TAKEN: &[(&str, &str, &str)] = &[
    ("", "A", NO_REQUEST),
    ("req: Q, other: Q", "A", "a call has one request; put both into one message"),
    ("req: &Q", "A", "a message is owned, since it comes from the network; take `Q`"),
    (
        "req: Cow<'_, str>",
        "A",
        "a message is owned, since it comes from the network; use a type without borrows",
    ),
    ("req: impl Message", "A", "the type on the wire must be known; name the message's type"),
    ("req: _", "A", "the type on the wire must be known; name the message's type"),
    ("req: Option<Self>", "A", "`Self` means another type in the generated client; name the type"),
    (
        "reader: AsyncReader<Q, A>",
        "A",
        "the messages of this handle are missing or too many; write `AsyncReader<Request>`",
    ),
    (
        "rw: AsyncReaderWriter<Q>",
        "()",
        "the messages of this handle are missing or too many; write `AsyncReaderWriter<Request, Answer>`",
    ),
    (
        "reader: AsyncReader<&str>",
        "A",
        "a message is owned, since it comes from the network; take `str`",
    ),
    (
        "reader: SharedReader<Q>",
        "A",
        "handlers get the exclusive handle; take an `AsyncReader` and call `.shared()` on it",
    ),
    (
        "writer: AsyncWriter<Q>",
        "A",
        "a writer sends messages to the client, and this method answers with one; to read the client's messages write `reader: AsyncReader<Q>`, to send many return `Result<()>`",
    ),
    (
        "writer: AsyncWriter<A>",
        "()",
        "a server stream begins with its request; write `req: Request, writer: AsyncWriter<A>` (`req: ()` if there is nothing to say)",
    ),
    (
        "req: Q, reader: AsyncReader<A>",
        "()",
        "a reader gets what the client sends, and this method answers nothing; to send a stream of answers write `req: Q, writer: AsyncWriter<A>`",
    ),
    (
        "req: Q, reader: AsyncReader<Q>",
        "A",
        "every request of a client stream comes through its reader; remove this argument, and let the first message carry it",
    ),
    (
        "writer: AsyncWriter<A>, req: Q",
        "()",
        "the request comes before the writer; write `req: Q, writer: AsyncWriter<A>`",
    ),
    (
        "one: AsyncReader<Q>, two: AsyncReader<Q>",
        "A",
        "a call has one stream in each direction; keep one `AsyncReader`, of a message that can be either",
    ),
    (
        "req: Q, one: AsyncWriter<A>, two: AsyncWriter<A>",
        "()",
        "a call has one stream in each direction; keep one `AsyncWriter`, of a message that can be either",
    ),
    (
        "reader: AsyncReader<a::Q>, writer: AsyncWriter<A>",
        "()",
        "a stream in both directions is one argument; write `rw: AsyncReaderWriter<a::Q, A>`, and `rw.split()` where two are needed",
    ),
    ("req: Q, rw: AsyncReaderWriter<Q, A>", "()", NO_OTHER),
    ("rw: AsyncReaderWriter<Q, A>, writer: AsyncWriter<A>", "()", NO_OTHER),
    (
        "one: AsyncReaderWriter<Q, A>, two: AsyncReaderWriter<Q, A>",
        "()",
        "a call has one stream; keep one `AsyncReaderWriter`",
    ),
    (
        "req: Q, other: Q, writer: AsyncWriter<A>",
        "()",
        "a call has one request; put both into one message",
    ),
];

#[test]
fn mistakes_in_what_a_method_gives() {
    let through_the_writer =
        "the answers of this stream go through its writer; return `Result<()>`";
    for (argument, output, text) in [
        ("req: Q", "A", "every call can fail; write `-> Result<A>`"),
        ("req: Q", "Option<a::A>", "every call can fail; write `-> Result<Option<a::A>>`"),
        (
            "req: Q",
            "Result",
            "this `Result` does not say what the answer is; write `Result<Answer>`",
        ),
        (
            "req: Q",
            "impl Future<Output = Result<A>>",
            "the future is not written out here; write `async fn .. -> Result<Answer>`",
        ),
        (
            "req: Q",
            "Result<&str>",
            "a message is owned, since it comes from the network; take `str`",
        ),
        (
            "req: Q",
            "Result<AsyncReader<A>>",
            "a handler does not return its stream; take `writer: AsyncWriter<A>` as an argument and return `Result<()>`",
        ),
        (
            "req: Q",
            "Result<AsyncReaderWriter<Q, A>>",
            "a handler does not return its stream; take `rw: AsyncReaderWriter<Q, A>` as an argument and return `Result<()>`",
        ),
        ("req: Q, writer: AsyncWriter<A>", "Result<A>", through_the_writer),
        ("rw: AsyncReaderWriter<Q, A>", "Result<A>", through_the_writer),
    ] {
        assert_eq!(
            of_arguments(&format!("cx: Context, {argument}"), output),
            [text],
            "{argument} -> {output}"
        );
    }
    let text =
        "every call can fail; write `-> Result<Answer>`, or `-> Result<()>` if there is no answer";
    assert_eq!(check(quote!(), "async fn m(&self, cx: Context, req: Q);").1, [text]);
}
