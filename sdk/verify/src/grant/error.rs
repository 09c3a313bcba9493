//! What can be wrong with a grant.

/// Why bytes are no key, ciphertext or proof, or a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// Bytes of another length.
    #[error("{what} has {want} bytes, and {got} came")]
    Length {
        /// What was decoded.
        what: &'static str,
        /// How many it has.
        want: usize,
        /// How many there were.
        got: usize,
    },
    /// No point of the group, or its identity.
    #[error("{0} is no point of G1 in its subgroup other than the identity")]
    Point(&'static str),
    /// No scalar in its one spelling.
    #[error("{0} is no scalar below the group's order")]
    Scalar(&'static str),
    /// A secret that is zero.
    #[error("a secret key is a scalar other than zero")]
    Zero,
    /// Nobody, or too many, to wrap for.
    #[error("a wrap is for 1 to {most} members, and {got} were named")]
    Members {
        /// Most members.
        most: usize,
        /// How many were named.
        got: usize,
    },
    /// The proof is about something else, or whoever made it did not know the secrets.
    #[error("the proof of the {0} does not hold")]
    Proof(&'static str),
}
