//! Why a contract was refused or a call failed.
//!
//! Everything but [`LocalError`] is deterministic: same code, same call, same state, same error, same words.

use std::path::PathBuf;

use crate::{Checksum, Entry, HostError, Refusal};

/// Why a call failed or a contract was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VmError {
    /// The static checks refuse the contract.
    #[error("{0}")]
    Check(#[from] CheckError),
    /// The gas ran out.
    #[error("out of gas: the limit of {limit} wasm gas is used up")]
    OutOfGas {
        /// Wasm gas that the call was given.
        limit: u64,
    },
    /// The contract did what wasm forbids.
    #[error("wasm trap: {0}")]
    Trap(Trap),
    /// The contract called `abort`, as a panic does.
    #[error("aborted: {message}")]
    Aborted {
        /// What it said.
        message: String,
    },
    /// The contract called `proc_exit`, as a panic does on wasm32-wasip1.
    #[error("the contract exited with status {status}")]
    Exited {
        /// What it said.
        status: u32,
    },
    /// The contract has no such entry point.
    #[error("the contract has no entry point `{entry}`")]
    MissingEntry {
        /// The entry point.
        entry: Entry,
    },
    /// The caller gave another number of arguments than the entry point takes.
    #[error("`{entry}` takes {want} arguments, not {got}")]
    Arguments {
        /// The entry point.
        entry: Entry,
        /// Arguments that it takes.
        want: usize,
        /// Arguments that were given.
        got: usize,
    },
    /// A pointer of the contract leads nowhere.
    #[error("bad region: {0}")]
    Region(#[from] RegionError),
    /// The contract handed over more than may be.
    #[error("{what} too long: {length} bytes, the limit is {limit}")]
    TooLong {
        /// What was too long.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A list packed into one region is not well formed.
    #[error("{what} are not a list of at most {limit} sections in {length} bytes")]
    Sections {
        /// What the list holds.
        what: &'static str,
        /// Bytes of the region.
        length: usize,
        /// Sections that it may have.
        limit: usize,
    },
    /// An iterator's order is neither 1 nor 2.
    #[error("an iterator's order is 1 or 2, not {0}")]
    Order(i32),
    /// There is no such iterator.
    #[error("there is no iterator {0}")]
    UnknownIterator(u32),
    /// More iterators than a frame may open.
    #[error("a call opens at most {limit} iterators")]
    TooManyIterators {
        /// The limit.
        limit: u32,
    },
    /// `allocate`, called by the host, called the host.
    #[error("`allocate` may not call imports that allocate")]
    Reentered,
    /// A query frame tried to change something.
    #[error("a query may not write")]
    ReadOnly,
    /// The chain's rules forbid it.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// This node failed, and another might not.
    #[error("{0}")]
    Local(#[from] LocalError),
}

impl VmError {
    /// Whether the failure is this node's own, so that going on could make it diverge.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// What a backend's error does to the frame that asked.
    pub(crate) fn from_host(error: HostError, limit: u64) -> Self {
        match error {
            HostError::OutOfGas => Self::OutOfGas { limit },
            HostError::ReadOnly => Self::ReadOnly,
            HostError::Refused(refusal) => Self::Refused(refusal),
            HostError::NotFound => {
                LocalError::Host { message: "the backend does not know what it has named".into() }.into()
            }
            HostError::Failed(message) => LocalError::Host { message }.into(),
        }
    }
}

/// What wasm forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trap {
    /// An `unreachable` instruction, as compilers emit for a panic.
    #[error("unreachable executed")]
    Unreachable,
    /// A load or store outside the memory.
    #[error("out of bounds memory access")]
    Memory,
    /// A table index outside the table.
    #[error("out of bounds table access")]
    Table,
    /// An indirect call of an empty table element.
    #[error("indirect call to nothing")]
    NullFunction,
    /// An indirect call of a function of another type.
    #[error("indirect call type mismatch")]
    Signature,
    /// Signed division of the lowest number by minus one.
    #[error("integer overflow")]
    Overflow,
    /// Division by zero.
    #[error("integer divide by zero")]
    DivisionByZero,
    /// A float that no integer can hold.
    #[error("invalid conversion to integer")]
    Conversion,
    /// Calls too deep.
    #[error("call stack exhausted")]
    Stack,
}

/// Why a region does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    /// The pointer to the region is null.
    #[error("null pointer")]
    Null,
    /// The region's description does not lie in memory.
    #[error("no region at {pointer}: the memory has {memory} bytes")]
    Pointer {
        /// Where it should lie.
        pointer: u32,
        /// Bytes of memory.
        memory: usize,
    },
    /// The region begins at address zero.
    #[error("region at {pointer} begins at zero")]
    ZeroOffset {
        /// Where its description lies.
        pointer: u32,
    },
    /// The region says that it holds more than it can.
    #[error("region at {pointer} of capacity {capacity} holds {length} bytes")]
    Length {
        /// Where its description lies.
        pointer: u32,
        /// Its capacity.
        capacity: u32,
        /// Its length.
        length: u32,
    },
    /// The region ends outside the memory.
    #[error("region at {pointer}: {length} bytes at {offset} end outside the memory of {memory} bytes")]
    Bounds {
        /// Where its description lies.
        pointer: u32,
        /// Where it begins.
        offset: u32,
        /// Bytes used or available.
        length: u32,
        /// Bytes of memory.
        memory: usize,
    },
    /// What should be written is longer than the region.
    #[error("region at {pointer} of capacity {capacity} does not take {length} bytes")]
    TooSmall {
        /// Where its description lies.
        pointer: u32,
        /// Its capacity.
        capacity: u32,
        /// Bytes to write.
        length: usize,
    },
}

/// What a node could not do. Another node, or this one tomorrow, may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The code is not in the directory; put it again.
    #[error("code {checksum} is not in the code directory")]
    NotStored {
        /// The code.
        checksum: Checksum,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {path}: {message}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The engine could not do its part.
    #[error("cannot {doing}: {message}")]
    Engine {
        /// What was tried.
        doing: &'static str,
        /// What the engine said.
        message: String,
    },
    /// The pool has no instance left for this lane.
    #[error("no instance left: {limit} are in use")]
    Busy {
        /// Instances that the lane may use.
        limit: u32,
    },
    /// The backend failed.
    #[error("{message}")]
    Host {
        /// What it said.
        message: String,
    },
}

/// Why the static checks refuse a contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The bytes are not valid wasm.
    #[error("invalid wasm at offset {offset:#x}: {message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where.
        offset: usize,
    },
    /// A function uses a feature that is not allowed here.
    #[error("{feature} not allowed: `{op}` in function {function} at offset {offset:#x}")]
    Op {
        /// The feature's name.
        feature: &'static str,
        /// The instruction.
        op: &'static str,
        /// The function's index, imports included.
        function: u32,
        /// Where.
        offset: usize,
    },
    /// The module uses a feature that is not allowed here, outside any function's body.
    #[error("{feature} not allowed: {place} at offset {offset:#x}")]
    Feature {
        /// The feature's name.
        feature: &'static str,
        /// What part of the module.
        place: &'static str,
        /// Where.
        offset: usize,
    },
    /// There is more of something than may be.
    #[error("too many {what}: {got}, the limit is {limit}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A function has more of something than may be.
    #[error("too many {what} in function {function}: {got}, the limit is {limit}")]
    FunctionLimit {
        /// Of what.
        what: &'static str,
        /// The function's index, imports included.
        function: u32,
        /// How many there are.
        got: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The module has no memory or more than one.
    #[error("a contract has exactly one memory, not {0}")]
    Memories(usize),
    /// The table has no maximum.
    #[error("the table needs a maximum of at most {limit} elements")]
    UnboundedTable {
        /// The limit.
        limit: u32,
    },
    /// A segment does not lie where it should.
    #[error("{kind} segment {index}: {problem}")]
    Segment {
        /// Data or element.
        kind: &'static str,
        /// Its number.
        index: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A start function would run before any gas is given.
    #[error("a start function is not allowed: function {0}")]
    Start(u32),
    /// Something that the ABI needs is not exported.
    #[error("missing export `{name}`: {want}")]
    MissingExport {
        /// Its name.
        name: &'static str,
        /// What it must be.
        want: &'static str,
    },
    /// An export has another type than the ABI says.
    #[error("export `{name}` is {got}, must be {want}")]
    ExportType {
        /// Its name.
        name: String,
        /// What it is.
        got: String,
        /// What it must be.
        want: String,
    },
    /// The export's name is the engine's own.
    #[error("the export name `{0}` is reserved")]
    ReservedExport(String),
    /// Not exactly the one interface version that is spoken here.
    #[error("a contract exports the marker `interface_version_8` and no other, this one exports {found:?}")]
    InterfaceVersion {
        /// The markers that it exports.
        found: Vec<String>,
    },
    /// Nothing of that name can be imported.
    #[error("unknown import `{module}.{name}`{hint}")]
    UnknownImport {
        /// The module's name.
        module: String,
        /// The import's name.
        name: String,
        /// What to do instead, with its own punctuation; may be empty.
        hint: &'static str,
    },
    /// The import is declared with another type than it has.
    #[error("import `{module}.{name}` is declared as {got}, it is {want}")]
    ImportType {
        /// The module's name.
        module: String,
        /// The import's name.
        name: String,
        /// How it is declared.
        got: String,
        /// What it is.
        want: String,
    },
    /// The contract asks for what this chain has not.
    #[error("the contract requires capabilities that this chain does not have: {}", .missing.join(", "))]
    Capabilities {
        /// What is missing, sorted.
        missing: Vec<String>,
    },
    /// The contract uses an import without the marker that says so.
    #[error("the contract imports `{module}` but does not export the marker `requires_aceso`")]
    Undeclared {
        /// The imported module.
        module: String,
    },
    /// The custom section `cw_migrate_version` holds no number.
    #[error("the section cw_migrate_version holds {0:?}, not a number")]
    MigrateVersion(String),
}
