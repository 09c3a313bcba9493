#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aceso_app_fuzz::query(bytes));
