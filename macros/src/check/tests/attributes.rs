use quote::quote;

use super::{UNARY, check, check_trait};
use crate::args::ImplArgs;
use crate::mistakes::Mistakes;
use crate::parse;

#[test]
fn mistakes_in_rpc() {
    for (rpc, method, text) in [
        (
            "#[rpc(oneway)]",
            "async fn m(&self, cx: Context, req: Q) -> Result<A>;",
            "nobody waits for the answer of a one-way call; return `Result<()>`, or remove `oneway`",
        ),
        (
            "#[rpc(oneway)]",
            "async fn m(&self, cx: Context, rw: AsyncReaderWriter<Q, A>) -> Result<()>;",
            "a one-way call is one request without an answer; remove `oneway` from this stream",
        ),
        (
            "#[cfg_attr(unix, rpc(oneway))]",
            UNARY,
            "`rpc` is read before conditions are; write `#[rpc(..)]` without `cfg_attr`, or two methods under `#[cfg(..)]` and `#[cfg(not(..))]`",
        ),
        ("#[rpc(oneway = true)]", UNARY, "`oneway` has no value; write the word alone"),
        (
            "#[rpc(json)]",
            "async fn m(&self, cx: Context, rw: AsyncReaderWriter<Q, A>) -> Result<()>;",
            "only unary calls can be JSON, streams carry protobuf; remove `json` from this one",
        ),
        (
            "#[rpc(stream)]",
            UNARY,
            "unknown argument `stream`; known are `name = \"..\"`, `alias = \"..\"`, `oneway` and `json`",
        ),
        (
            "#[rpc]",
            UNARY,
            "`#[rpc]` without arguments says nothing; remove it, or write `#[rpc(oneway)]`, `#[rpc(name = \"..\")]` or `#[rpc(alias = \"..\")]`",
        ),
        ("#[rpc(name = \"A\", name = \"B\")]", UNARY, "this is given twice; keep one of the two"),
        ("#[rpc(name = 3)]", UNARY, "expected string literal"),
        (
            "#[rpc(name = \"/a/b\")]",
            UNARY,
            "this is not the name of a protobuf method; write one word of ASCII letters, digits and `_`, and other paths as `alias`",
        ),
        (
            "#[rpc(alias = \"\")]",
            UNARY,
            "an alias is a whole path on the wire; write one, such as \"/v1/greet\", or remove it",
        ),
        (
            "#[rpc(alias = \"/a\", alias = \"/a\")]",
            UNARY,
            "this alias is given twice; remove one of the two",
        ),
    ] {
        assert_eq!(check(quote!(), &format!("{rpc} {method}")).1, [text], "{rpc}");
    }
}

#[test]
fn mistakes_in_the_arguments_of_the_attribute() {
    let package = "this is not the name of a protobuf package; write words of ASCII letters, digits and `_` with dots between them, such as \"trpc.test.helloworld\"";
    let name = "this is not the name of a protobuf service; write one word of ASCII letters, digits and `_`, and what stands before the last dot as `package`";
    for (args, text) in [
        (quote!(package = "trpc..test"), package),
        (quote!(package = "/trpc/test"), package),
        (quote!(package = ""), package),
        (quote!(name = "test.Greeter"), name),
        (quote!(package = "a", package = "b"), "this is given twice; keep one of the two"),
        (
            quote!(prefix = "a"),
            "unknown argument `prefix`; known are `package = \"..\"`, `name = \"..\"`, `json`, `dyn` and `crate = path`",
        ),
        (quote!(dyn = true), "`dyn` has no value; write the word alone"),
        (quote!(json = true), "`json` has no value; write the word alone"),
        (quote!("trpc.test"), "unexpected literal in nested attribute, expected ident"),
    ] {
        assert_eq!(check(args, UNARY).1, [text]);
    }
}

#[test]
fn json_on_a_service_of_streams_is_a_mistake() {
    let text = "only unary calls can be JSON, and this service has streams only; remove `json`";
    let stream = "async fn m(&self, cx: Context, rw: AsyncReaderWriter<Q, A>) -> Result<()>;";
    assert_eq!(check(quote!(json), stream).1, [text]);
    assert_eq!(check(quote!(json), UNARY).1, [""; 0]);
}

#[test]
fn a_supertrait_that_no_type_behind_dyn_has_is_a_mistake_only_with_dyn() {
    let item = "trait Greeter: Send + std::hash::Hash + Named {}";
    let text = "no type behind `dyn` has `Hash`; remove it here, or `dyn` from the attribute";
    assert_eq!(check_trait(quote!(dyn), item).1, [text]);
    assert_eq!(check_trait(quote!(), item).1, [""; 0]);
}

#[test]
fn mistakes_in_the_trait_itself() {
    let no_parameters = "a service is one table of methods, so its trait has no parameters; make the type that implements it generic";
    let no_clause = "a service trait has no `where` clause; bound the type that implements it, or add a supertrait";
    for (item, text) in [
        ("trait Greeter<T> {}", no_parameters),
        ("trait Greeter<'a> {}", no_parameters),
        ("trait Greeter where Self: Clone {}", no_clause),
        ("unsafe trait Greeter {}", "a service is safe to implement; remove `unsafe`"),
    ] {
        assert_eq!(check_trait(quote!(), item).1, [text], "{item}");
    }
}

#[test]
fn mistakes_on_an_impl() {
    let orphan = "only a type of this crate, or an `Arc` of any, can be made a service by the attribute; remove it and serve `GreeterServer::new(..)`";
    for (args, item, text) in [
        (
            quote!(package = "a"),
            "impl Greeter for Me {}",
            "`package` belongs on the trait; remove it here",
        ),
        (quote!(dyn), "impl Greeter for Me {}", "`dyn` belongs on the trait; remove it here"),
        (
            quote!(path = "a"),
            "impl Greeter for Me {}",
            "unknown argument `path`; on an `impl` only `crate = path` is known",
        ),
        (
            quote!(),
            "impl Me {}",
            "this implements no service; write `impl YourService for ..`, or put the attribute on the trait",
        ),
        (quote!(), "impl !Greeter for Me {}", "this implements nothing; remove the attribute"),
        (
            quote!(),
            "impl<T: Other> api::Greeter for T {}",
            "not every type can be made a service at once; remove the attribute and serve `GreeterServer::new(..)`",
        ),
        (quote!(), "impl<T: Greeter> Greeter for Box<T> {}", orphan),
        (quote!(), "impl<T: Greeter> Greeter for &'static T {}", orphan),
        (quote!(), "impl<T: Greeter> Greeter for std::pin::Pin<Box<T>> {}", orphan),
        (quote!(), "impl Greeter<u8> for Me {}", "a service trait has no parameters; remove them"),
        (
            quote!(),
            "impl Greeter for Me { #[rpc(oneway)] async fn m(&self) {} }",
            "`#[rpc]` belongs on the trait's method; remove it here",
        ),
    ] {
        let mut mistakes = Mistakes::default();
        let args = ImplArgs::parse(args, &mut mistakes);
        let item = parse::impl_item(syn::parse_str(item).expect("an `impl`"), &mut mistakes);
        crate::check::handler(&args, &item, &mut mistakes);
        assert_eq!(mistakes.texts(), [text]);
    }
}
