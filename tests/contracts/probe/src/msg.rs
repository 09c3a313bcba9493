//! What the probe is told.

use aceso_interface::{Image, Model};
use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::Binary;

/// Sent once.
#[cw_serde]
pub struct InstantiateMsg {}

/// What it does; answers `Vec<Outcome>` as data.
#[cw_serde]
pub enum ExecuteMsg {
    /// Takes these steps now.
    Take {
        /// The steps.
        steps: Vec<Step>,
    },
    /// Asks a guard in the sender's name and takes the steps in the reply.
    Use {
        /// The guard.
        guard: String,
        /// The image.
        image: Image,
        /// The model.
        model: Model,
        /// Why.
        purpose: String,
        /// What comes after a yes.
        after: After,
    },
    /// Asks a committee for a sealed read.
    Ask {
        /// A `MsgRequestRead` of this contract's, in protobuf.
        request: Binary,
    },
    /// Writes rows that nothing makes smaller, each under its number.
    Fill {
        /// The first one's number.
        from: u64,
        /// How many.
        rows: u64,
        /// Bytes of each.
        bytes: u32,
    },
}

/// What comes after a guard's yes.
#[cw_serde]
pub struct After {
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether to error in the end.
    pub fail: bool,
}

/// What it is asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Takes these steps.
    #[returns(Vec<Outcome>)]
    Take {
        /// The steps.
        steps: Vec<Step>,
    },
    /// The block in which the chain has told it of a job's end.
    #[returns(Option<u64>)]
    Told {
        /// The job.
        job: u64,
    },
}

/// One call. Handles are numbers as the host gives them: the first graph and the first context of a call are 0.
#[cw_serde]
pub enum Step {
    /// `aceso_contract::read`.
    Read {
        /// The model.
        model: Model,
        /// The image.
        image: Image,
        /// Why.
        purpose: String,
    },
    /// `wasi_ephemeral_nn.load`, with one builder.
    Load {
        /// The builder's bytes.
        bytes: Binary,
    },
    /// `wasi_ephemeral_nn.load_by_name`.
    LoadByName {
        /// The model.
        model: Model,
    },
    /// `wasi_ephemeral_nn.init_execution_context`.
    Context {
        /// A graph.
        graph: u32,
    },
    /// `wasi_ephemeral_nn.set_input`.
    SetInput {
        /// A context.
        context: u32,
        /// The position.
        index: u32,
        /// The type's number in wasi-nn.
        ty: u8,
        /// The shape.
        dims: Vec<u32>,
        /// The elements.
        data: Binary,
    },
    /// `aceso.set_input_blob`.
    SetInputBlob {
        /// A context.
        context: u32,
        /// The position.
        index: u32,
        /// The image.
        image: Image,
        /// Why.
        purpose: String,
    },
    /// `wasi_ephemeral_nn.compute`.
    Compute {
        /// A context.
        context: u32,
    },
    /// `wasi_ephemeral_nn.get_output` into a buffer of this length.
    GetOutput {
        /// A context.
        context: u32,
        /// The position.
        index: u32,
        /// The buffer's length.
        max: u32,
    },
    /// `aceso.read_info`.
    ReadInfo {
        /// A context.
        context: u32,
    },
    /// `aceso.blob_size`.
    BlobSize {
        /// The blob.
        blob: Image,
    },
    /// `aceso.permit` with these bytes.
    Permit {
        /// JSON, or what is to be taken for it.
        request: Binary,
    },
    /// A hash by the host.
    Hash {
        /// Which.
        function: Hash,
        /// Of what.
        data: Binary,
    },
    /// `aceso.bls12_381_g1_msm`.
    G1Msm {
        /// Points of 48 bytes, one behind the other.
        points: Binary,
        /// Scalars of 32 bytes.
        scalars: Binary,
    },
    /// `aceso.bls12_381_g2_msm`.
    G2Msm {
        /// Points of 96 bytes, one behind the other.
        points: Binary,
        /// Scalars of 32 bytes.
        scalars: Binary,
    },
    /// `aceso.verify_receipt`; answers the power of those who signed.
    VerifyReceipt {
        /// The receipt.
        compact: Binary,
        /// The root of its members.
        root: Binary,
        /// The digest that is trusted, 32 bytes.
        trusted: Binary,
    },
    /// A call with a pointer that leaves the contract's memory.
    Wild {
        /// Which.
        call: Wild,
    },
}

/// Hashes.
#[cw_serde]
pub enum Hash {
    /// `aceso.keccak256`.
    Keccak256,
    /// `aceso.sha256`.
    Sha256,
    /// `aceso.sha3_256`.
    Sha3,
    /// `aceso.blake3`.
    Blake3,
}

/// Calls with a pointer out of bounds.
#[cw_serde]
pub enum Wild {
    /// `load_by_name`, whose name does not lie in memory.
    LoadByName {},
    /// `init_execution_context`, whose answer would not.
    Context {},
    /// `set_input`, whose record does not.
    SetInput {},
    /// `get_output`, whose buffer does not.
    GetOutput {},
    /// `set_input_blob`, whose CID does not.
    SetInputBlob {},
    /// `read_info`, whose buffer does not.
    ReadInfo {},
    /// `blob_size`, whose answer would not.
    BlobSize {},
    /// `permit`, whose request does not.
    Permit {},
    /// `keccak256`, whose data does not.
    Hash {},
    /// `bls12_381_g1_msm`, whose points do not.
    G1Msm {},
    /// `verify_receipt`, whose receipt does not.
    VerifyReceipt {},
}

/// What a step came to.
#[cw_serde]
pub enum Outcome {
    /// A graph, a context, a size or a written length; 0 where nothing is to be said.
    Number(u64),
    /// An output, or a read's JSON.
    Bytes(Binary),
    /// The host's errno.
    Errno(i32),
    /// What the library said.
    Error(String),
}
