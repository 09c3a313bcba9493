//! What the chain answers and takes, as `proto/` at the repository's root declares it.
//!
//! The declarations are the one statement of names, tags and types that gRPC's reflection, the REST gateway and clients in
//! other languages are made of. The types of `chain/types`, which have their tags in Rust, are held against them by this
//! crate's tests.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[allow(clippy::expect_used, reason = "the compiler of the same bytes has just linked them, and a test reads them")]
    DescriptorPool::decode(descriptors()).expect("the embedded descriptors decode")
});

/// All declarations, with those that they import, as an encoded `google.protobuf.FileDescriptorSet`.
pub fn descriptors() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"))
}

/// The same, to look names up in.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}
