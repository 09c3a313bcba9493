//! Accounts as the rim needs them: from a public key, from a mnemonic, from text.

use bech32::{Bech32, Hrp};
use bip32::{DerivationPath, Language, Mnemonic, XPrv};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};

/// The Cosmos path of the first account (`m/44'/118'/0'/0/0`).
const PATH: &str = "m/44'/118'/0'/0/0";

/// Why words are not a mnemonic, or give no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MnemonicError {
    /// Not words of the list, or a wrong checksum.
    #[error("a mnemonic has 24 words of the English BIP 39 list, of which the last one checks the others")]
    Words,
    /// One seed in 2^127 gives no key.
    #[error("this mnemonic gives no key; make another one")]
    Derivation,
}

/// A compressed public key's account; nothing where the prefix cannot begin an address.
pub(crate) fn account(public_key: &[u8], prefix: &str) -> Option<String> {
    let hrp = Hrp::parse(prefix).ok()?;
    bech32::encode::<Bech32>(hrp, &Ripemd160::digest(Sha256::digest(public_key))).ok()
}

/// Whether a text is an address of 20 or 32 bytes with this prefix.
pub(crate) fn is_address(text: &str, prefix: &str) -> bool {
    bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text)
        .is_ok_and(|checked| checked.hrp().as_str() == prefix && matches!(checked.byte_iter().count(), 20 | 32))
}

/// What an address begins with; nothing where a text is none.
pub(crate) fn prefix_of(address: &str) -> &str {
    address.rsplit_once('1').map_or("", |(prefix, _)| prefix)
}

/// A new mnemonic of 24 words.
pub(crate) fn new_mnemonic() -> Result<Mnemonic, getrandom::Error> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    Ok(Mnemonic::from_entropy(entropy, Language::English))
}

/// Reads 24 words, however they are spaced.
pub(crate) fn parse_mnemonic(text: &str) -> Result<Mnemonic, MnemonicError> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    Mnemonic::new(words, Language::English).map_err(|_| MnemonicError::Words)
}

/// The compressed public key of a mnemonic's first account.
pub(crate) fn public_key(mnemonic: &Mnemonic) -> Result<[u8; 33], MnemonicError> {
    let path: DerivationPath = PATH.parse().map_err(|_| MnemonicError::Derivation)?;
    let key = XPrv::derive_from_path(mnemonic.to_seed(""), &path).map_err(|_| MnemonicError::Derivation)?;
    Ok(key.public_key().to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CosmJS's `faucet` account for local chains (its `testutils.ts`): 12 words, which we do not take, hence a
    /// vector of 24 words from BIP 39 itself, with the address that CosmJS derives from it.
    #[test]
    fn a_known_mnemonic() {
        let words = [["abandon"; 23].join(" "), "art".into()].join(" ");
        let mnemonic = parse_mnemonic(&words).unwrap();
        let key = public_key(&mnemonic).unwrap();
        assert_eq!(account(&key, "cosmos").unwrap(), "cosmos1r5v5srda7xfth3hn2s26txvrcrntldjumt8mhl");
        let address = account(&key, "aceso").unwrap();
        assert!(is_address(&address, "aceso") && !is_address(&address, "cosmos"));
    }

    #[test]
    fn other_words_are_refused() {
        for words in ["", "abandon", &["abandon"; 24].join(" "), &["zebrafish"; 24].join(" ")] {
            assert_eq!(parse_mnemonic(words).err(), Some(MnemonicError::Words), "{words}");
        }
        assert!(!is_address("aceso1x", "aceso"));
    }

    #[test]
    fn a_new_mnemonic_is_one() {
        let made = new_mnemonic().unwrap();
        assert_eq!(made.phrase().split(' ').count(), 24);
        assert_eq!(parse_mnemonic(made.phrase()).unwrap().phrase(), made.phrase());
    }
}
