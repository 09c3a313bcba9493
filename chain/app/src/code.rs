//! Every error that a client can see, and its number.
//!
//! Codespaces `sdk`, `bank`, `feegrant`, `authz`, `wasm` and `undefined` carry the numbers of the Cosmos SDK and of wasmd, so that stock
//! clients understand them. Codespace `aceso` is ours, a hundred numbers for each subject: 1xx blobs, 2xx consent and
//! permits, 3xx models and inference, 4xx images, 5xx reads, 6xx attestations, 7xx validators, 8xx parameters and
//! upgrades, 9xx sealed records and grants. Codes are hashed into blocks: the table is append only, and a number that is no longer used is never given
//! to something else.

use std::fmt;

use aceso_vm::Backtrace;

/// Our codespace.
pub const ACESO: &str = "aceso";

macro_rules! codes {
    ($($variant:ident = $space:literal, $number:literal, $root:literal;)*) => {
        /// A kind of error. Its documentation is its root text, which ends every message of the kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $root] $variant,)*
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The codespace.
            pub fn space(self) -> &'static str {
                match self { $(Self::$variant => $space,)* }
            }

            /// The number in the codespace.
            pub fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)* }
            }

            /// What every message of the kind ends with.
            pub fn root(self) -> &'static str {
                match self { $(Self::$variant => $root,)* }
            }
        }
    };
}

codes! {
    Internal = "undefined", 1, "internal";
    TxDecode = "sdk", 2, "tx parse error";
    Unauthorized = "sdk", 4, "unauthorized";
    InsufficientFunds = "sdk", 5, "insufficient funds";
    UnknownRequest = "sdk", 6, "unknown request";
    InvalidAddress = "sdk", 7, "invalid address";
    InvalidPubKey = "sdk", 8, "invalid pubkey";
    UnknownAddress = "sdk", 9, "unknown address";
    InvalidCoins = "sdk", 10, "invalid coins";
    OutOfGas = "sdk", 11, "out of gas";
    MemoTooLarge = "sdk", 12, "memo too large";
    InsufficientFee = "sdk", 13, "insufficient fee";
    TooManySignatures = "sdk", 14, "maximum number of signatures exceeded";
    NoSignatures = "sdk", 15, "no signatures supplied";
    InvalidRequest = "sdk", 18, "invalid request";
    TxTooLarge = "sdk", 21, "tx too large";
    KeyNotFound = "sdk", 22, "key not found";
    InvalidHeight = "sdk", 26, "invalid height";
    InvalidType = "sdk", 29, "invalid type";
    TxTimeoutHeight = "sdk", 30, "tx timeout height";
    UnknownExtension = "sdk", 31, "unknown extension options";
    WrongSequence = "sdk", 32, "incorrect account sequence";
    NotSupported = "sdk", 37, "feature not supported";
    NotFound = "sdk", 38, "not found";
    InvalidGasLimit = "sdk", 41, "invalid gas limit";
    NoInputs = "bank", 2, "no inputs to send transaction";
    NoOutputs = "bank", 3, "no outputs to send transaction";
    InputOutputMismatch = "bank", 4, "sum inputs != sum outputs";
    DuplicateEntry = "bank", 8, "duplicate entry";
    MultipleSenders = "bank", 9, "multiple senders not allowed";
    CreateFailed = "wasm", 2, "create wasm contract failed";
    AccountExists = "wasm", 3, "contract account already exists";
    InstantiateFailed = "wasm", 4, "instantiate wasm contract failed";
    ExecuteFailed = "wasm", 5, "execute wasm contract failed";
    QueryFailed = "wasm", 9, "query wasm contract failed";
    InvalidMsg = "wasm", 10, "invalid CosmosMsg from the contract";
    MigrationFailed = "wasm", 11, "migrate wasm contract failed";
    Empty = "wasm", 12, "empty";
    Limit = "wasm", 13, "exceeds limit";
    Invalid = "wasm", 14, "invalid";
    Duplicate = "wasm", 15, "duplicate";
    UnsupportedForContract = "wasm", 17, "unsupported for this contract";
    UnknownMsg = "wasm", 20, "unknown message from the contract";
    InvalidEvent = "wasm", 21, "invalid event";
    NoSuchContract = "wasm", 22, "no such contract";
    QueryStack = "wasm", 27, "max query stack size exceeded";
    NoSuchCode = "wasm", 28, "no such code";
    Vm = "wasm", 29, "wasmvm error";
    CallDepth = "wasm", 30, "max call depth exceeded";
    FeeLimitExceeded = "feegrant", 2, "fee limit exceeded";
    FeeLimitExpired = "feegrant", 3, "fee allowance expired";
    InvalidDuration = "feegrant", 4, "invalid duration";
    NoAllowance = "feegrant", 5, "no allowance";
    NoMessages = "feegrant", 6, "allowed messages are empty";
    MessageNotAllowed = "feegrant", 7, "message not allowed";
    NoAuthorization = "authz", 2, "authorization not found";
    InvalidExpiration = "authz", 3, "expiration time of authorization should be more than current time";
    AuthorizationExpired = "authz", 6, "authorization expired";
    GranteeIsGranter = "authz", 7, "grantee and granter should be different";
    BlobId = "aceso", 101, "not a blob";
    BlobRegistered = "aceso", 102, "blob already registered";
    BlobTerms = "aceso", 103, "blob terms not allowed";
    BlobUnknown = "aceso", 104, "blob not registered";
    BlobUnavailable = "aceso", 105, "blob not available";
    PermitMalformed = "aceso", 201, "permit request does not decode";
    NotTheGuard = "aceso", 202, "only an image's guard may answer for it";
    ActorNotSigner = "aceso", 203, "the actor did not sign the transaction";
    UsesExceeded = "aceso", 204, "the grant is used up";
    NoPermit = "aceso", 205, "no permit for this read";
    PermitField = "aceso", 206, "permit request not allowed";
    InPerson = "aceso", 207, "nobody else may send it, whatever was authorised";
    ManifestRefused = "aceso", 301, "manifest refused";
    ModelRefused = "aceso", 302, "model refused";
    ModelRegistered = "aceso", 303, "model already registered";
    ModelPrice = "aceso", 304, "model price not allowed";
    InferenceFailed = "aceso", 305, "inference failed";
    ImageRegistered = "aceso", 401, "image already registered";
    ImageUnknown = "aceso", 402, "image not registered";
    ImageGuard = "aceso", 403, "guard not allowed";
    ImageStated = "aceso", 404, "image description not allowed";
    ImageOrigin = "aceso", 405, "origin statement not valid";
    ImageRefused = "aceso", 406, "image refused";
    ReadFee = "aceso", 501, "read fee not covered";
    ReadGuardedInQuery = "aceso", 502, "guarded images are not read in queries";
    ReadUnfinished = "aceso", 503, "no such read";
    ReadFundsMoved = "aceso", 504, "read fee spent elsewhere";
    ReadsFull = "aceso", 505, "no room for this read in the block";
    AttestNotFirst = "aceso", 601, "an attestation is made by a block's proposer";
    AttestInvalid = "aceso", 602, "attestation not valid";
    NotAuthority = "aceso", 701, "not the chain's authority";
    ValidatorUnknown = "aceso", 702, "no such validator";
    ValidatorRefused = "aceso", 703, "validator not allowed";
    PowerSpread = "aceso", 704, "power spread not allowed";
    AttesterRefused = "aceso", 705, "attestation key not allowed";
    ParamsRefused = "aceso", 801, "parameters not allowed";
    UpgradeRefused = "aceso", 802, "upgrade not allowed";
    ReaderRefused = "aceso", 901, "reader key not allowed";
    ReaderUnknown = "aceso", 902, "reader key not registered";
    SealedRefused = "aceso", 903, "sealed record not allowed";
    SealedRegistered = "aceso", 904, "sealed file already registered";
    SealedUnknown = "aceso", 905, "sealed record not registered";
    SealedRetired = "aceso", 906, "sealed record has ended";
    ProofRefused = "aceso", 907, "proof not valid";
    GrantRefused = "aceso", 908, "grant not allowed";
    GrantUnknown = "aceso", 909, "no such grant";
    GrantEnded = "aceso", 910, "grant does not hold any more";
    TermsRefused = "aceso", 911, "terms not valid";
    TermsForbid = "aceso", 912, "not allowed by the terms";
    GlassWhole = "aceso", 913, "no glass was broken for it";
    RequestRefused = "aceso", 921, "request for a read not allowed";
    CommitteeRefused = "aceso", 922, "committee not accepted";
    BitsExceeded = "aceso", 923, "no more may be disclosed of it";
    JobsFull = "aceso", 924, "no room for another job";
    ShareRefused = "aceso", 925, "share not allowed";
    JobUnknown = "aceso", 926, "no such job";
    DisputeRefused = "aceso", 927, "dispute not allowed";
    DisputePoint = "aceso", 928, "the point is not what the record's ciphertexts hold";
}

impl Code {
    /// An error of the kind with the operands of this case.
    pub(crate) fn because(self, what: impl fmt::Display) -> Fault {
        Fault { text: format!("{what}: {}", self.root()), ..self.plain() }
    }

    /// An error that a contract answered, in its own words.
    pub(crate) fn spoken(self, words: impl fmt::Display) -> Fault {
        Fault { spoken: true, ..self.because(words) }
    }

    /// An error of the kind that has no operands.
    pub(crate) fn plain(self) -> Fault {
        Fault { code: self, text: self.root().into(), reach: Reach::Frame, backtrace: None, spoken: false }
    }
}

/// How far an error goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The message that failed; a contract that sent it may go on in its reply.
    Frame,
    /// The whole transaction, whatever a contract would say to it.
    Tx,
}

/// Why a transaction, a message or a query was not done. Deterministic: same block, same words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Fault {
    /// The kind.
    pub(crate) code: Code,
    /// The full text for the log.
    pub(crate) text: String,
    /// How far it goes.
    pub(crate) reach: Reach,
    /// Where a contract's code failed, for who simulates. It is in no result of a block and no contract is told.
    pub(crate) backtrace: Option<Box<Backtrace>>,
    /// Whether the text is what a contract answered and nothing has been put before it. Only such a text may reach
    /// another contract, and so the results that are hashed: wherever we word an error ourselves, the words may change.
    spoken: bool,
}

impl Fault {
    /// The same error, seen from further out.
    pub(crate) fn within(mut self, place: impl fmt::Display) -> Self {
        self.text = format!("{place}: {}", self.text);
        self.spoken = false;
        self
    }

    /// The same error, of a contract whose code stood there.
    pub(crate) fn at(mut self, backtrace: Option<Backtrace>) -> Self {
        self.backtrace = backtrace.map(Box::new);
        self
    }

    /// The same error, which no contract may catch.
    pub(crate) fn fatal(mut self) -> Self {
        self.reach = Reach::Tx;
        self
    }

    /// What a contract may learn of it (wasmd `redactError`): another contract's words, else codespace and number.
    pub(crate) fn told(&self) -> String {
        if self.spoken {
            return self.text.clone();
        }
        format!("codespace: {}, code: {}", self.code.space(), self.code.number())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_are_given_once() {
        let numbers: BTreeSet<_> = Code::ALL.iter().map(|code| (code.space(), code.number())).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
    }

    /// A difference here is a change of protocol: numbers are hashed into blocks. Only new lines may appear.
    #[test]
    fn numbers_do_not_change() {
        let table: String =
            Code::ALL.iter().map(|code| format!("{} {} {}\n", code.space(), code.number(), code.root())).collect();
        expect_test::expect_file!["../golden/codes.txt"].assert_eq(&table);
    }

    #[test]
    fn text_ends_in_the_root_as_in_cosmos() {
        let fault = Code::UnknownAddress.because("account x does not exist").within("message 0");
        assert_eq!(fault.to_string(), "message 0: account x does not exist: unknown address");
        assert_eq!(fault.told(), "codespace: sdk, code: 9");
    }

    #[test]
    fn contracts_hear_each_others_words_and_nothing_else() {
        let fault = Code::ExecuteFailed.spoken("too late");
        assert_eq!(fault.told(), "too late: execute wasm contract failed");
        assert_eq!(fault.within("reply").told(), "codespace: wasm, code: 5");
    }
}
