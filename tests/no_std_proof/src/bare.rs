//! What a system would otherwise give, in as few lines as will do: an entry
//! point, an allocator that never frees, output, exit. x86-64 Linux only.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

// The kernel enters with an aligned stack and no return address; `start` wants
// to be called.
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);

extern "C" fn start() -> ! {
    crate::main();
    exit(0)
}

const WRITE: usize = 1;
const EXIT: usize = 60;

fn syscall(number: usize, a: usize, b: usize, c: usize) -> usize {
    let result;
    // SAFETY: only `write` of a live slice and `exit` are called; the kernel
    // clobbers no more than what is named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

pub fn print(text: &str) {
    syscall(WRITE, 1, text.as_ptr() as usize, text.len());
}

pub fn exit(code: usize) -> ! {
    syscall(EXIT, code, 0, 0);
    loop {}
}

const ARENA: usize = 1 << 20;

struct Bump {
    arena: UnsafeCell<[u8; ARENA]>,
    used: AtomicUsize,
}

// SAFETY: each byte of the arena is handed out once, by an atomic counter.
unsafe impl Sync for Bump {}

// SAFETY: a block is inside of the arena, aligned, and never handed out again.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let need = layout.size() + layout.align();
        let used = self.used.fetch_add(need, Ordering::Relaxed);
        if used + need > ARENA {
            return core::ptr::null_mut();
        }
        let start = self.arena.get() as usize + used;
        start.next_multiple_of(layout.align()) as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static BUMP: Bump = Bump {
    arena: UnsafeCell::new([0; ARENA]),
    used: AtomicUsize::new(0),
};

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    print("panicked\n");
    exit(2)
}

// The prebuilt `alloc` is made for unwinding and names these two; nothing here
// unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(3)
}

// What the compiler takes for granted. String instructions, because a plain loop
// would be recognised as what it is and compiled to a call of itself.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller owns both ranges, which do not overlap.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _);
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: forwards is right unless `to` lies inside of `from`'s range.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: backwards, from the last byte of each range; `len` is not 0 here.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") len => _,
            inout("rdi") to.add(len - 1) => _,
            inout("rsi") from.add(len - 1) => _,
        );
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller owns the range.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8);
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: both ranges are `len` long. Volatile, so that the loop stays.
        let (a, b) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, len) }
}
