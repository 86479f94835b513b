//! The `#[trill::service]` attribute.

use proc_macro::TokenStream;

/// Placeholder until the macro room lands.
#[proc_macro_attribute]
pub fn service(_args: TokenStream, item: TokenStream) -> TokenStream {
    item
}
