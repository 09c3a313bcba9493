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
    /// Nobody, or too many, to deal to; or nobody, or more than there are, to bring it back.
    #[error(
        "a secret is dealt to 1 to {most} guardians, of whom some bring it back, and {threshold} of {got} were named"
    )]
    Guardians {
        /// Most guardians.
        most: usize,
        /// How many bring it back.
        threshold: usize,
        /// How many were named.
        got: usize,
    },
    /// A guardian's share is not the one that was dealt: the dealer lied to her, or she lies.
    #[error("the share of guardian {0} is not the one that was dealt")]
    Share(u8),
    /// Too few shares.
    #[error("{want} guardians bring the secret back, and {got} have handed in their shares")]
    Shares {
        /// How many it takes.
        want: usize,
        /// How many there are.
        got: usize,
    },
    /// The proof is about something else, or whoever made it did not know the secrets.
    #[error("the proof of the {0} does not hold")]
    Proof(&'static str),
}

impl GrantError {
    /// One word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Length { .. } => "length",
            Self::Point(_) => "point",
            Self::Scalar(_) => "scalar",
            Self::Zero => "zero",
            Self::Members { .. } => "members",
            Self::Guardians { .. } => "guardians",
            Self::Share(_) => "share",
            Self::Shares { .. } => "shares",
            Self::Proof(_) => "proof",
        }
    }
}
