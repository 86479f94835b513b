//! Tuples of futures, as [`when_all`](crate::when_all) and [`try_when_all`](crate::try_when_all)
//! keep them: without a place on the heap.
//!
//! The types are here so that the type of a join can be written down; there is nothing to do with
//! them.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::slot::Slot;
use super::{Children, Inputs, TryChildren, sealed};
use crate::combinators::opaque_debug;
use crate::error::{Error, Result};

/// The kind of [`Inputs`] that are a tuple.
#[derive(Debug)]
pub struct Tuple;

/// No futures.
#[derive(Debug)]
pub struct Tuple0;

impl Inputs<Tuple> for () {
    type Children = Tuple0;

    fn into_children(self) -> Self::Children {
        Tuple0
    }
}

impl Children for Tuple0 {
    type Outputs = ();

    fn count(&self) -> usize {
        0
    }

    fn poll_child(self: Pin<&mut Self>, index: usize, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("there is no child {index}")
    }

    fn take_outputs(self: Pin<&mut Self>) -> Self::Outputs {}
}

impl TryChildren for Tuple0 {
    type Values = ();

    fn take_error(self: Pin<&mut Self>, index: usize) -> Option<Error> {
        unreachable!("there is no child {index}")
    }

    fn take_values(self: Pin<&mut Self>) -> Self::Values {}

    fn clear(self: Pin<&mut Self>) {}
}

impl sealed::Inputs<Tuple> for () {}
impl sealed::Children for Tuple0 {}

/// `Name count "doc" { field Future Value index, .. }`
macro_rules! tuple {
    ($name:ident $count:literal $doc:literal { $($field:ident $future:ident $value:ident $index:literal),* }) => {
        #[doc = $doc]
        #[pin_project]
        pub struct $name<$($future: Future),*> {
            $(#[pin] $field: Slot<$future>,)*
        }

        opaque_debug!($name<$($future: Future),*>);

        impl<$($future: Future),*> Inputs<Tuple> for ($($future,)*) {
            type Children = $name<$($future),*>;

            fn into_children(self) -> Self::Children {
                let ($($field,)*) = self;
                $name { $($field: Slot::Running($field)),* }
            }
        }

        impl<$($future: Future),*> Children for $name<$($future),*> {
            type Outputs = ($($future::Output,)*);

            fn count(&self) -> usize {
                $count
            }

            fn poll_child(self: Pin<&mut Self>, index: usize, cx: &mut Context<'_>) -> Poll<()> {
                let this = self.project();
                match index {
                    $($index => this.$field.poll(cx),)*
                    _ => unreachable!("there is no child {index}"),
                }
            }

            fn take_outputs(self: Pin<&mut Self>) -> Self::Outputs {
                let this = self.project();
                ($(this.$field.take(),)*)
            }
        }

        impl<$($future, $value),*> TryChildren for $name<$($future),*>
        where
            $($future: Future<Output = Result<$value>>,)*
        {
            type Values = ($($value,)*);

            fn take_error(self: Pin<&mut Self>, index: usize) -> Option<Error> {
                let this = self.project();
                match index {
                    $($index => this.$field.take_error(),)*
                    _ => unreachable!("there is no child {index}"),
                }
            }

            fn take_values(self: Pin<&mut Self>) -> Self::Values {
                let this = self.project();
                ($(this.$field.take_value(),)*)
            }

            fn clear(self: Pin<&mut Self>) {
                let this = self.project();
                $(this.$field.clear();)*
            }
        }

        impl<$($future: Future),*> sealed::Inputs<Tuple> for ($($future,)*) {}
        impl<$($future: Future),*> sealed::Children for $name<$($future),*> {}
    };
}

tuple!(Tuple1 1 "One future." { a A VA 0 });
tuple!(Tuple2 2 "Two futures." { a A VA 0, b B VB 1 });
tuple!(Tuple3 3 "Three futures." { a A VA 0, b B VB 1, c C VC 2 });
tuple!(Tuple4 4 "Four futures." { a A VA 0, b B VB 1, c C VC 2, d D VD 3 });
tuple!(Tuple5 5 "Five futures." { a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4 });
tuple!(Tuple6 6 "Six futures." { a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5 });
tuple!(Tuple7 7 "Seven futures." { a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5, g G VG 6 });
tuple!(Tuple8 8 "Eight futures." {
    a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5,
    g G VG 6, h H VH 7
});
tuple!(Tuple9 9 "Nine futures." {
    a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5,
    g G VG 6, h H VH 7, i I VI 8
});
tuple!(Tuple10 10 "Ten futures." {
    a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5,
    g G VG 6, h H VH 7, i I VI 8, j J VJ 9
});
tuple!(Tuple11 11 "Eleven futures." {
    a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5,
    g G VG 6, h H VH 7, i I VI 8, j J VJ 9, k K VK 10
});
tuple!(Tuple12 12 "Twelve futures." {
    a A VA 0, b B VB 1, c C VC 2, d D VD 3, e E VE 4, f F VF 5,
    g G VG 6, h H VH 7, i I VI 8, j J VJ 9, k K VK 10, l L VL 11
});
