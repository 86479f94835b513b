//! The error text of each mistake. The compile-fail tests in `tests/ui` compare where it is shown.

mod attributes;
mod methods;

use quote::quote;
use syn::ItemTrait;

use crate::args::TraitArgs;
use crate::mistakes::Mistakes;
use crate::model::{Kind, Service};
use crate::parse;

#[test]
fn the_kind_follows_from_the_arguments() {
    for (method, kind) in [
        ("async fn m(&self, cx: Context, req: Q) -> Result<A>;", Kind::Unary),
        ("async fn m(&self, _: Context, _: Q) -> Result<A>;", Kind::Unary),
        ("async fn m(&self, cx: Context, req: ()) -> Result<()>;", Kind::Unary),
        ("#[rpc(oneway)] async fn m(&self, cx: Context, req: Q) -> Result<()>;", Kind::OneWay),
        (
            "async fn m(&self, cx: Context, reader: AsyncReader<Q>) -> Result<A>;",
            Kind::ClientStream,
        ),
        (
            "async fn m(&self, cx: Context, req: Q, writer: AsyncWriter<A>) -> Result<()>;",
            Kind::ServerStream,
        ),
        ("async fn m(&self, cx: Context, rw: AsyncReaderWriter<Q, A>) -> Result<()>;", Kind::Bidi),
        (
            "async fn m(&self, cx: trill::Context, rw: ::trill::AsyncReaderWriter<a::Q, A>) -> trill::Result<()>;",
            Kind::Bidi,
        ),
        (
            "async fn m(&self, cx: (Context), reader: (AsyncReader<Q>)) -> (Result<A>);",
            Kind::ClientStream,
        ),
        (
            "async fn m(&self, cx: Context, mut reader: AsyncReader<Q>) -> Result<A> { body }",
            Kind::ClientStream,
        ),
    ] {
        let (service, texts) = check(quote!(), method);
        assert_eq!(texts, [""; 0], "{method}");
        assert_eq!(service.methods[0].shape.kind, kind, "{method}");
    }
}

#[test]
fn names_on_the_wire() {
    for (args, method, path) in [
        (
            quote!(package = "a.b"),
            "async fn say_hello(&self, cx: Context, req: Q) -> Result<A>;",
            "/a.b.Greeter/SayHello",
        ),
        (
            quote!(),
            "async fn say_hello(&self, cx: Context, req: Q) -> Result<A>;",
            "/Greeter/SayHello",
        ),
        (
            quote!(name = "greet"),
            "async fn r#type(&self, cx: Context, req: Q) -> Result<A>;",
            "/greet/Type",
        ),
        (
            quote!(),
            "async fn get_v2_of_URL(&self, cx: Context, req: Q) -> Result<A>;",
            "/Greeter/GetV2OfURL",
        ),
        (
            quote!(),
            "#[rpc(name = \"say_hello\")] async fn m(&self, cx: Context, req: Q) -> Result<A>;",
            "/Greeter/say_hello",
        ),
    ] {
        let (service, texts) = check(args, method);
        assert_eq!(texts, [""; 0], "{method}");
        assert_eq!(service.methods[0].path, path);
    }
}

#[test]
fn aliases_are_whole_paths() {
    let method = r#"
        #[rpc(alias = "/v1/greet", oneway)]
        #[rpc(alias = "greet")]
        async fn m(&self, cx: Context, req: Q) -> Result<()>;
    "#;
    let (service, texts) = check(quote!(), method);
    assert_eq!(texts, [""; 0]);
    assert_eq!(service.methods[0].aliases, ["/v1/greet", "greet"]);
}

#[test]
fn a_service_without_methods_is_one() {
    assert_eq!(check(quote!(), "").1, [""; 0]);
}

#[test]
fn methods_that_exclude_each_other_may_have_the_same_name() {
    let methods = "
        #[cfg(unix)] async fn m(&self, cx: Context, req: Q) -> Result<A>;
        #[cfg(not(unix))] async fn m(&self, cx: Context, req: ()) -> Result<A>;
    ";
    let (service, texts) = check(quote!(), methods);
    assert_eq!(texts, [""; 0]);
    assert_eq!(service.methods.len(), 2);
}

#[test]
fn names_that_are_there_twice() {
    let method = |name: &str| format!("async fn {name}(&self, cx: Context, req: Q) -> Result<A>;");
    let twice = check(quote!(), &(method("m") + &method("m"))).1;
    assert_eq!(twice, ["the service has a method `m` already; rename one of the two"]);
    let on_the_wire = check(quote!(), &(method("say_it") + &method("say__it"))).1;
    assert_eq!(
        on_the_wire,
        [
            "`say_it` is called `/Greeter/SayIt` on the wire already; give one of the two another name with `#[rpc(name = \"..\")]`"
        ]
    );
    let alias = check(quote!(), &(method("m") + "#[rpc(alias = \"/Greeter/M\")]" + &method("n"))).1;
    assert_eq!(alias.len(), 1);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let item = r#"
        trait Greeter<T> {
            type Item;
            #[rpc(twoway, name = "")]
            fn m(self, req: &Q) -> A;
        }
    "#;
    assert_eq!(check_trait(quote!(package = "", version = 2), item).1.len(), 11);
}

const UNARY: &str = "async fn m(&self, cx: Context, req: Q) -> Result<A>;";

fn check(args: proc_macro2::TokenStream, methods: &str) -> (Service, Vec<String>) {
    check_trait(args, &format!("trait Greeter {{ {methods} }}"))
}

fn check_trait(args: proc_macro2::TokenStream, item: &str) -> (Service, Vec<String>) {
    let mut mistakes = Mistakes::default();
    let args = TraitArgs::parse(args, &mut mistakes);
    let item: ItemTrait = syn::parse_str(item).expect("a trait");
    let written = parse::trait_item(item, &mut mistakes);
    let service = super::service(&args, &written, &mut mistakes);
    (service, mistakes.texts())
}

fn of_arguments(arguments: &str, output: &str) -> Vec<String> {
    check(quote!(), &format!("async fn m(&self, {arguments}) -> {output};")).1
}
