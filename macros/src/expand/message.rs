//! The check that every message is one.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Kind, Method, Service};
use crate::names;

/// Calls of a function that does nothing, for a type that is no message.
///
/// The code that follows them needs the same bounds. But the compiler reports a bound that does not
/// hold once for each function that wants it, and once for each place of the type in the source:
/// naming one function first, in the server and in the client, makes one error.
pub(super) fn message_checks(service: &Service, method: &Method) -> TokenStream {
    let table = names::generated(&names::table(&service.ident));
    let (request, answer) = (&method.shape.request, &method.shape.answer);
    let check = if method.json { quote!(__json_message) } else { quote!(__message) };
    let answer = (method.shape.kind != Kind::OneWay).then(|| quote!(#table::#check::<#answer>();));
    quote!(#table::#check::<#request>(); #answer)
}
