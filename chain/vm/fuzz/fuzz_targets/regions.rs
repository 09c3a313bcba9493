#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aceso_vm_fuzz::regions(bytes));
