//! Modules in text form that keep to the interface, or break it in one way.

// Each test file uses its own part.
#![allow(dead_code)]

/// What `apply` of [`FICKLE`] does, by the first byte of its input.
pub(crate) mod apply {
    pub(crate) const ECHO: u8 = 0;
    pub(crate) const REFUSE: u8 = 1;
    pub(crate) const TRAP: u8 = 2;
    pub(crate) const LOOP: u8 = 3;
    pub(crate) const GROW: u8 = 4;
    pub(crate) const OUT_OF_BOUNDS: u8 = 5;
    pub(crate) const EMPTY: u8 = 6;
    pub(crate) const STATUS: u8 = 7;
    pub(crate) const RECURSE: u8 = 8;
    pub(crate) const FILL: u8 = 9;
    pub(crate) const COUNT: u8 = 10;
}

/// A module that keeps to the interface and does as `apply`'s input says; every other operation echoes.
///
/// Buffers come from a bump allocator that starts anew at each `deallocate`.
pub(crate) const FICKLE: &str = r#"(module
  (memory (export "memory") 2 64)
  (global $next (mut i32) (i32.const 1024))
  (global $count (mut i32) (i32.const 0))
  (func (export "abi_version") (result i32) (i32.const 1))
  (func $allocate (export "allocate") (param $size i32) (result i32)
    (local $ptr i32)
    (local.set $ptr (global.get $next))
    (global.set $next (i32.add (global.get $next) (local.get $size)))
    (block $enough
      (loop $more
        (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
        (return (i32.const 0))))
    (local.get $ptr))
  (func (export "deallocate") (param i32 i32) (global.set $next (i32.const 1024)))
  (func $pack (param $ptr i32) (param $size i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $size))))
  (func $answer (param $status i32) (param $ptr i32) (param $size i32) (result i64)
    (local $to i32)
    (local.set $to (call $allocate (i32.add (local.get $size) (i32.const 1))))
    (i32.store8 (local.get $to) (local.get $status))
    (memory.copy (i32.add (local.get $to) (i32.const 1)) (local.get $ptr) (local.get $size))
    (call $pack (local.get $to) (i32.add (local.get $size) (i32.const 1))))
  (func $echo (param $ptr i32) (param $size i32) (result i64)
    (call $answer (i32.const 0) (local.get $ptr) (local.get $size)))
  (func $recurse (param $depth i32) (result i32)
    (i32.add (call $recurse (i32.add (local.get $depth) (i32.const 1))) (local.get $depth)))
  (func $apply (export "apply") (param $ptr i32) (param $size i32) (result i64)
    (local $what i32)
    (local.set $what (i32.load8_u (local.get $ptr)))
    (if (i32.eq (local.get $what) (i32.const 1))
      (then (return (call $answer (i32.const 1) (local.get $ptr) (local.get $size)))))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 3)) (then (loop $again (br $again))))
    (if (i32.eq (local.get $what) (i32.const 4))
      (then (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 5)) (then (return (i64.const 0xffff0000_00001000))))
    (if (i32.eq (local.get $what) (i32.const 6)) (then (return (i64.const 0x400_00000000))))
    (if (i32.eq (local.get $what) (i32.const 7))
      (then (return (call $answer (i32.const 9) (local.get $ptr) (local.get $size)))))
    (if (i32.eq (local.get $what) (i32.const 8)) (then (drop (call $recurse (i32.const 0)))))
    (if (i32.eq (local.get $what) (i32.const 9))
      (then (loop $again
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 130000))
        (br $again))))
    (if (i32.eq (local.get $what) (i32.const 10))
      (then
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store8 (local.get $ptr) (global.get $count))))
    (call $echo (local.get $ptr) (local.get $size)))
  (export "open" (func $echo)) (export "replay" (func $echo)) (export "snapshot" (func $echo))
  (export "ask" (func $echo)) (export "encode" (func $echo)) (export "verify" (func $echo))
  (export "seal" (func $echo)))"#;

/// [`FICKLE`] in binary form.
pub(crate) fn fickle() -> Vec<u8> {
    wat::parse_str(FICKLE).expect("the text is well formed")
}

/// [`FICKLE`] with one part of its text replaced.
///
/// # Panics
/// If that part isn't there exactly once.
pub(crate) fn changed(part: &str, replacement: &str) -> Vec<u8> {
    assert_eq!(FICKLE.matches(part).count(), 1, "`{part}` is not there once");
    wat::parse_str(FICKLE.replace(part, replacement)).expect("the changed text is well formed")
}

/// [`FICKLE`] with more fields at its end.
pub(crate) fn with(fields: &str) -> Vec<u8> {
    let text = FICKLE.strip_suffix(')').expect("a module ends so");
    wat::parse_str(format!("{text}\n{fields})")).expect("the fields are well formed")
}
