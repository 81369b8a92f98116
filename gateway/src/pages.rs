//! Large arrays in huge pages, so that a table of a million entries does not miss the TLB at each lookup.
//!
//! The kernel is asked for transparent huge pages: that needs nothing reserved, works without DPDK, and puts the pages on
//! the node of the thread that fills the array. Where it has none to give the memory is ordinary.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a huge page, on x86-64 and on 64-bit ARM with pages of 4 KiB.
const HUGE: usize = 2 << 20;

/// An array of a power of two of values. It begins at a huge page when it fills one.
pub struct Pages<T: Copy> {
    first: NonNull<T>,
    /// A power of two.
    len: usize,
}

// SAFETY: it owns its values, as a `Box<[T]>` does.
unsafe impl<T: Copy + Send> Send for Pages<T> {}
// SAFETY: shared, it lends only shared references to them.
unsafe impl<T: Copy + Sync> Sync for Pages<T> {}

impl<T: Copy> Pages<T> {
    /// `len` times `value`, written by this thread.
    ///
    /// # Panics
    ///
    /// For a `T` without size, a `len` that is no power of two, and when the array would be larger than memory can be.
    pub fn of(value: T, len: usize) -> Self {
        assert!(size_of::<T>() > 0 && len.is_power_of_two(), "{len} values of {} bytes", size_of::<T>());
        let layout = layout::<T>(len);
        // SAFETY: alloc: the layout has a size, since there is a value and it has one.
        let Some(first) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        if layout.size() >= HUGE {
            // SAFETY: madvise(2): `Pages` owns these bytes, which begin at a page, and the advice changes none of them.
            // Where the kernel has no huge pages it refuses, and the memory stays as it is.
            let _ =
                unsafe { rustix::mm::madvise(first.as_ptr().cast(), layout.size(), rustix::mm::Advice::LinuxHugepage) };
        }
        let first = first.cast::<T>();
        for index in 0..len {
            // SAFETY: within the allocation of `len` values, aligned for `T` by its layout.
            unsafe { first.add(index).write(value) };
        }
        Self { first, len }
    }

    /// The value at `number` modulo the length: what the lower bits of a hash choose, without a comparison.
    #[inline(always)]
    pub fn chosen_by(&self, number: usize) -> &T {
        // SAFETY: the length is a power of two, so the number has no bit left that would lead beyond the values, which were
        // written when the array was made and are lent as long as `self` is.
        unsafe { self.first.add(number & (self.len - 1)).as_ref() }
    }
}

/// The layout of an array. It is computed again to give the memory back, so it must depend on nothing else.
fn layout<T>(len: usize) -> Layout {
    let array = Layout::array::<T>(len).ok();
    let huge = array.and_then(|array| if array.size() >= HUGE { array.align_to(HUGE).ok() } else { Some(array) });
    huge.unwrap_or_else(|| panic!("{len} entries of {} bytes do not fit into memory", size_of::<T>()))
}

impl<T: Copy> Deref for Pages<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` values were written when it was made, and are lent as long as `self` is.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T: Copy> DerefMut for Pages<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has them while `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

impl<T: Copy> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: dealloc: allocated by `of` with this layout. `T: Copy` has nothing to drop.
        unsafe { dealloc(self.first.as_ptr().cast(), layout::<T>(self.len)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_array_of_its_own_whatever_its_size() {
        for len in [1, 2, 4096, HUGE / 16, HUGE / 8, HUGE] {
            let mut pages = Pages::of(7_u64, len);
            assert!(pages.len() == len && pages.iter().all(|&value| value == 7));
            pages.iter_mut().zip(0..).for_each(|(value, number)| *value = number);
            let other = Pages::of(9_u64, len);
            assert!(pages.iter().copied().eq(0..len as u64) && other.iter().all(|&value| value == 9));
            assert_eq!(
                [0, 1, len - 1, len, 3 * len - 1].map(|at| *pages.chosen_by(at) as usize),
                [0, 1 % len, len - 1, 0, len - 1]
            );
            assert!(len < HUGE / 8 || (pages.as_ptr() as usize).is_multiple_of(HUGE), "{len} at {:p}", pages.as_ptr());
        }
    }

    #[test]
    fn it_goes_from_thread_to_thread() {
        let pages = std::thread::spawn(|| Pages::of([1_u8; 64], 1 << 17)).join().expect("no panic");
        assert_eq!(pages.iter().map(|line| usize::from(line[63])).sum::<usize>(), 1 << 17);
    }

    #[test]
    fn the_kernel_gives_huge_pages_where_it_has_any() {
        let may = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
        let pages = Pages::of(1_u64, 64 * HUGE / 8);
        let first = pages.as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("Linux");
        let mut here = false;
        let mut flags = None;
        for line in maps.lines() {
            if let Some((from, to)) = line.split_whitespace().next().and_then(|range| range.split_once('-')) {
                let parse = |text| usize::from_str_radix(text, 16).unwrap_or(0);
                here = (parse(from)..parse(to)).contains(&first);
            } else if here && let Some(all) = line.strip_prefix("VmFlags:") {
                flags = Some(all.to_owned());
            }
        }
        // "hg": huge pages were asked for. Whether it has some is the machine's affair.
        let flags = flags.expect("a mapping");
        assert_eq!(flags.contains(" hg"), !may.is_empty(), "{flags}");
    }
}
