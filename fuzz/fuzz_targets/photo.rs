#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pitpet_fuzzing::run("photo", data));
