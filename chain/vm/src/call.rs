//! What a caller says and hears: entry points, calls, reports.

use std::collections::BTreeSet;
use std::fmt;

pub use aceso_types::Digest as Checksum;

use crate::{Backtrace, VmError};

macro_rules! entries {
    ($($(#[$doc:meta])* $entry:ident = $name:literal [$($args:literal),+],)*) => {
        /// An entry point of the CosmWasm ABI. Its arguments are JSON, in the order that the variant names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Entry {
            $($(#[$doc])* $entry,)*
        }

        impl Entry {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$entry),*];

            /// The name of the export.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$entry => $name,)*
                }
            }

            /// How many arguments the export may take.
            pub(crate) fn arities(self) -> &'static [usize] {
                match self {
                    $(Self::$entry => &[$($args),+],)*
                }
            }
        }
    };
}

entries! {
    /// `env, info, msg`
    Instantiate = "instantiate" [3],
    /// `env, info, msg`
    Execute = "execute" [3],
    /// `env, msg`
    Query = "query" [2],
    /// `env, msg, migrate info`; a contract that does not take the last is not given it.
    Migrate = "migrate" [2, 3],
    /// `env, msg`
    Sudo = "sudo" [2],
    /// `env, reply`
    Reply = "reply" [2],
    /// `env, msg`
    IbcChannelOpen = "ibc_channel_open" [2],
    /// `env, msg`
    IbcChannelConnect = "ibc_channel_connect" [2],
    /// `env, msg`
    IbcChannelClose = "ibc_channel_close" [2],
    /// `env, msg`
    IbcPacketReceive = "ibc_packet_receive" [2],
    /// `env, msg`
    IbcPacketAck = "ibc_packet_ack" [2],
    /// `env, msg`
    IbcPacketTimeout = "ibc_packet_timeout" [2],
    /// `env, msg`
    IbcSourceCallback = "ibc_source_callback" [2],
    /// `env, msg`
    IbcDestinationCallback = "ibc_destination_callback" [2],
    /// `env, msg`
    Ibc2PacketReceive = "ibc2_packet_receive" [2],
    /// `env, msg`
    Ibc2PacketAck = "ibc2_packet_ack" [2],
    /// `env, msg`
    Ibc2PacketTimeout = "ibc2_packet_timeout" [2],
    /// `env, msg`
    Ibc2PacketSend = "ibc2_packet_send" [2],
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the static checks learn of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeReport {
    /// SHA-256 of the wasm.
    pub checksum: Checksum,
    /// What its `requires_*` exports ask for.
    pub capabilities: BTreeSet<String>,
    /// The entry points that it exports.
    pub entry_points: BTreeSet<Entry>,
    /// The number in its custom section `cw_migrate_version`.
    pub migrate_version: Option<u64>,
    /// Bytes of the wasm.
    pub bytes: u64,
}

/// Which instances of the pool a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Execution of a block: any.
    Block,
    /// Everything else (simulation, queries from outside): those that are not kept free for blocks.
    Side,
}

/// One call of an entry point.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The contract's code.
    pub checksum: &'a Checksum,
    /// The entry point.
    pub entry: Entry,
    /// Its arguments, JSON, in the order that [`Entry`] names.
    pub args: &'a [&'a [u8]],
    /// Wasm gas that it may use.
    pub gas_limit: u64,
    /// Which instances it may take.
    pub lane: Lane,
}

/// What a call came to. Two reports are equal if all is that the chain may see of them.
#[derive(Clone, Debug)]
pub struct Report {
    /// Wasm gas used, at most the limit; the limit itself when it ran out.
    pub gas_used: u64,
    /// What the entry point returned: JSON of a `ContractResult`.
    pub result: Result<Vec<u8>, VmError>,
    /// Where the contract's code stood, if the call failed in it. For logs and for who tries a transaction out; nothing
    /// that is hashed may depend on it.
    pub backtrace: Option<Backtrace>,
}

impl PartialEq for Report {
    fn eq(&self, other: &Self) -> bool {
        (self.gas_used, &self.result) == (other.gas_used, &other.result)
    }
}

impl Eq for Report {}
