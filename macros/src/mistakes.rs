//! All mistakes of one item.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Collects mistakes, so that the user sees all of them at once.
///
/// Each text says what is wrong and, after a semicolon, the next step.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<syn::Error>);

impl Mistakes {
    /// Adds a mistake, shown at `place`.
    pub(crate) fn at(&mut self, place: impl ToTokens, text: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(place, text));
    }

    pub(crate) fn push(&mut self, mistake: syn::Error) {
        self.0.push(mistake);
    }

    /// Takes the value; if there is none, keeps the mistake that stands in its place.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|mistake| self.push(mistake)).ok()
    }

    /// The code that makes the compiler show the mistakes; `None` if there are none.
    pub(crate) fn into_compile_errors(self) -> Option<TokenStream> {
        (!self.0.is_empty()).then(|| self.0.iter().map(syn::Error::to_compile_error).collect())
    }

    /// The texts, for tests.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().flatten().map(|mistake| mistake.to_string()).collect()
    }
}
