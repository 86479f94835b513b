//! Names: Rust's, the wire's, and those of generated items.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;

/// `say_hello` on the wire is `SayHello`. Only the letter after an underscore changes.
pub(crate) fn upper_camel_case(ident: &Ident) -> String {
    let mut name = String::new();
    for word in ident.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.extend(letters);
    }
    name
}

/// Tells whether protobuf takes this as the name of a service or method.
pub(crate) fn is_wire_name(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Tells whether protobuf takes this as the name of a package.
pub(crate) fn is_package(name: &str) -> bool {
    name.split('.').all(is_wire_name)
}

/// The server type of a service trait, with the trait's span.
pub(crate) fn server(service: &Ident) -> Ident {
    format_ident!("{}Server", service.unraw(), span = service.span())
}

/// The client type of a service trait, with the trait's span.
pub(crate) fn client(service: &Ident) -> Ident {
    format_ident!("{}Client", service.unraw(), span = service.span())
}

/// The object-safe trait beside a service trait, with the trait's span.
pub(crate) fn object(service: &Ident) -> Ident {
    format_ident!("Dyn{}", service.unraw(), span = service.span())
}

/// The hidden type whose variants count the methods.
pub(crate) fn table(service: &Ident) -> Ident {
    format_ident!("__{}Method", service.unraw(), span = service.span())
}

/// A binding of generated code: a name that no constant in the user's scope has, which would make a
/// pattern of it.
pub(crate) fn binding(name: &str) -> Ident {
    format_ident!("__{name}", span = Span::call_site())
}

/// `name`, or one like it that `code` does not mention.
pub(crate) fn free(name: &str, code: &TokenStream) -> Ident {
    let is_taken =
        |name: &str| mentions(code, &|token| token.strip_prefix("r#").unwrap_or(token) == name);
    let mut name = name.to_owned();
    if is_taken(&name) {
        name.insert_str(0, "__");
    }
    while is_taken(&name) {
        name.push('_');
    }
    Ident::new(&name, Span::call_site())
}

/// The same identifier as one of generated code: editors still find the user's, lints know that
/// nobody wrote it.
pub(crate) fn generated(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(generated_span(ident.span()));
    ident
}

/// The place of `span`, marked as generated code.
pub(crate) fn generated_span(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// Code as one writes it: token streams print themselves with spaces everywhere.
pub(crate) fn text_of(code: &impl ToTokens) -> String {
    let mut text = code.to_token_stream().to_string();
    for (spaced, written) in [
        (" :: ", "::"),
        (" : ", ": "),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
    ] {
        text = text.replace(spaced, written);
    }
    text
}

/// Tells whether a word of the code is `found`.
pub(crate) fn mentions(code: &impl ToTokens, found: &dyn Fn(&str) -> bool) -> bool {
    fn search(tokens: TokenStream, found: &dyn Fn(&str) -> bool) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Group(group) => search(group.stream(), found),
            token => found(&token.to_string()),
        })
    }
    search(code.to_token_stream(), found)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn a_free_name_is_one_that_the_code_does_not_mention() {
        for (code, name) in [
            (
                quote!(
                    trait A {
                        fn m(&self, req: Q);
                    }
                ),
                "T",
            ),
            (
                quote!(
                    trait T {
                        fn m(&self, req: Q);
                    }
                ),
                "__T",
            ),
            (
                quote!(
                    trait A {
                        fn m(&self, req: Vec<r#T>);
                    }
                ),
                "__T",
            ),
            (
                quote!(
                    trait __T {
                        fn m(&self, req: T) -> Result<__T_>;
                    }
                ),
                "__T__",
            ),
        ] {
            assert_eq!(super::free("T", &code).to_string(), name, "{code}");
        }
    }
}
