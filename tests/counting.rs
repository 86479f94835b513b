//! An allocator that counts. Those who measure with it are alone in their binary.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

/// Bytes that are allocated and not freed: the client's side, the server's side.
pub(crate) static LIVE: [AtomicIsize; 2] = [AtomicIsize::new(0), AtomicIsize::new(0)];
/// The pieces that these bytes are.
pub(crate) static PIECES: [AtomicIsize; 2] = [AtomicIsize::new(0), AtomicIsize::new(0)];
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

thread_local! {
    pub(crate) static SIDE: Cell<usize> = const { Cell::new(CLIENT) };
}

fn add(bytes: isize, pieces: isize) {
    let side = SIDE.try_with(Cell::get).unwrap_or(CLIENT);
    LIVE[side].fetch_add(bytes, Ordering::Relaxed);
    PIECES[side].fetch_add(pieces, Ordering::Relaxed);
}

#[expect(
    unsafe_code,
    reason = "an allocator can only be replaced so; it counts and passes everything on"
)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size().cast_signed(), 1);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-layout.size().cast_signed(), -1);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size.cast_signed() - layout.size().cast_signed(), 0);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
