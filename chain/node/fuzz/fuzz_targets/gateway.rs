#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| _ = aceso_node::fuzzing::gateway(bytes));
