//! What patients, physicians and operators of sealed records do: keys, proofs and messages, made as clients make them.

use aceso_types::{
    BlobId, Digest,
    genesis::{Balance, Coin, Genesis},
    msg::{MsgGrant, MsgRegisterReader, MsgRegisterSealed, Named, PassedOn, Recipient, SealedFile},
    query::{GrantRow, QueryGrant, QueryReader, QueryRecord, RecordRow},
    sealed::{Terms, VERSION, reader_context, recipients_digest, record_name, source_digest},
};
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Entropy, Granted, PublicKey, Registered, Registration, SecretKey, Wrap,
};
use tendermint::abci::types::ExecTxResult;

use crate::fixture::{CHAIN, DENOM, Key, Net, RICH, alice, bob, code, ours};

/// The second of the first block.
pub(crate) const START: u64 = 1_800_000_000;
/// A second that no test reaches.
pub(crate) const LATER: u64 = START + 1_000_000;

pub(crate) fn carol() -> Key {
    Key::new(3)
}

pub(crate) fn dave() -> Key {
    Key::new(4)
}

pub(crate) fn entropy(number: u8) -> Entropy {
    [number; 64]
}

pub(crate) fn cid(number: u32) -> String {
    BlobId::of_raw(&number.to_be_bytes()).to_string()
}

/// The secret of an account's key of an epoch.
pub(crate) fn reader(key: &Key, epoch: u64) -> SecretKey {
    let master: [u8; 32] = key.0.to_bytes().into();
    SecretKey::derive(&master, b"reader", &epoch.to_be_bytes()).unwrap()
}

pub(crate) fn register_reader(key: &Key, epoch: u64, expires: u64) -> MsgRegisterReader {
    let secret = reader(key, epoch);
    let context = reader_context(CHAIN, &key.address(), epoch, expires);
    MsgRegisterReader {
        account: key.address(),
        epoch,
        key: secret.public().to_bytes().into(),
        expires,
        possession: secret.possession(&context.0, &entropy(1)).to_bytes().into(),
    }
}

/// What a patient keeps of a record.
pub(crate) struct Kept {
    pub(crate) owner: Key,
    pub(crate) secret: SecretKey,
    pub(crate) content: ContentPoint,
    /// What she commits to: that point, if she is honest.
    pub(crate) commitment: Digest,
}

impl Kept {
    /// Keys of her record with this number.
    pub(crate) fn new(owner: &Key, number: u8) -> Self {
        let secret = SecretKey::derive(&[number; 32], b"patient", b"record").unwrap();
        let content = ContentPoint::generate(&entropy(number));
        Self { owner: owner.clone(), secret, commitment: content.commitment(), content }
    }

    /// The registration of these files.
    pub(crate) fn register(&self, cids: &[String]) -> MsgRegisterSealed {
        let (owner, commitment) = (self.owner.address(), self.commitment);
        let name = record_name(cids);
        let about = Registered { chain_id: CHAIN, cid: &name, owner: &owner, commitment: &commitment };
        let registration = Registration::new(&about, &self.secret, &self.content, &entropy(2));
        let file = |cid: &String| SealedFile {
            cid: cid.clone(),
            size: 1_000,
            modality: "DX".into(),
            body_part: "CHEST".into(),
            effort: 0,
        };
        MsgRegisterSealed {
            files: cids.iter().map(file).collect(),
            guard: String::new(),
            registration: registration.to_bytes().into(),
            commitment: commitment.0.into(),
            origin: None,
            owner,
        }
    }
}

pub(crate) fn terms() -> Terms {
    Terms { uses: 1, sealed: false, bits: 0, ..aceso_test_support::terms(&[&bob().address()]) }
}

/// A grant before its proof is made.
pub(crate) struct Giving {
    pub(crate) msg: MsgGrant,
    pub(crate) chain: &'static str,
    pub(crate) cid: String,
    pub(crate) owner: String,
    /// What it is made from: the bytes whose digest is the source, the ciphertext in them, the secret that opens it.
    pub(crate) source: Vec<u8>,
    pub(crate) sealed: Ciphertext,
    pub(crate) secret: SecretKey,
    pub(crate) keys: Vec<PublicKey>,
    /// Whom the proof names, where it is not the recipients.
    pub(crate) named: Option<Vec<Recipient>>,
}

impl Giving {
    /// The message with its proof.
    pub(crate) fn made(mut self) -> MsgGrant {
        let named = self.named.take().unwrap_or_else(|| self.msg.recipients.clone());
        let keys: Vec<[u8; 48]> = self.keys.iter().map(PublicKey::to_bytes).collect();
        let rows = named.iter().zip(&keys).map(|(one, key)| (one.account.as_str(), one.epoch, &key[..]));
        let about = Granted {
            chain_id: self.chain,
            version: VERSION,
            source: &source_digest(&self.source),
            cid: &self.cid,
            owner: &self.owner,
            grant: self.msg.grant,
            nonce: self.msg.nonce.as_slice().try_into().unwrap(),
            epoch: named[0].epoch,
            committee: &recipients_digest(rows),
            terms: &Digest::try_from(self.msg.terms.as_slice()).unwrap(),
        };
        let wrap = Wrap::new(&about, &self.secret, &self.sealed, &self.keys, &entropy(7)).unwrap();
        MsgGrant { wrap: wrap.to_bytes(), ..self.msg }
    }
}

/// A chain on which four accounts have coins, and bob operates the validator.
pub(crate) struct Ward {
    pub(crate) net: Net,
}

impl Ward {
    pub(crate) fn open() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Genesis)) -> Self {
        let net = Net::with(|genesis| {
            genesis.attesters[0].operator = bob().address();
            for key in [carol(), dave()] {
                let coins = vec![Coin { denom: DENOM.into(), amount: RICH.to_string() }];
                genesis.balances.push(Balance { address: key.address(), coins });
            }
            change(genesis);
        });
        Self { net }
    }

    /// A ward in which alice has sealed one file, record 1, and the others have keys of epoch 0.
    pub(crate) fn sealed() -> (Self, Kept) {
        let (mut ward, kept) = (Self::open(), Kept::new(&alice(), 1));
        for key in [bob(), carol(), dave()] {
            ward.net.ok(&key, vec![ours(&register_reader(&key, 0, LATER))]);
        }
        ward.net.ok(&alice(), vec![ours(&kept.register(&[cid(1)]))]);
        (ward, kept)
    }

    pub(crate) fn record(&self, record: u64) -> RecordRow {
        self.net.ask(&QueryRecord { record, ..QueryRecord::default() })
    }

    pub(crate) fn grant(&self, granter: &Key, grant: u64) -> GrantRow {
        self.net.ask(&QueryGrant { granter: granter.address(), grant })
    }

    fn key_of(&self, account: &str, epoch: u64) -> PublicKey {
        let row = self.net.ask(&QueryReader { account: account.into(), epoch, latest: false });
        PublicKey::from_bytes(&row.key).unwrap()
    }

    fn recipients(&self, to: &[&Key]) -> (Vec<Recipient>, Vec<PublicKey>) {
        let all: Vec<Recipient> = to.iter().map(|key| Recipient { account: key.address(), epoch: 0 }).collect();
        let keys = all.iter().map(|one| self.key_of(&one.account, 0)).collect();
        (all, keys)
    }

    /// The owner's grant of her record to accounts by their keys of epoch 0, for an hour or so.
    pub(crate) fn give(&self, kept: &Kept, record: u64, grant: u64, to: &[&Key]) -> Giving {
        let row = self.record(record);
        let (recipients, keys) = self.recipients(to);
        let cids: Vec<String> = row.files.iter().map(|file| file.cid.clone()).collect();
        let expires = START + 10_000;
        Giving {
            msg: MsgGrant {
                granter: kept.owner.address(),
                grant,
                record,
                recipients,
                nonce: vec![9; 16],
                expires,
                terms: terms().digest(expires).0.into(),
                ..MsgGrant::default()
            },
            chain: CHAIN,
            cid: record_name(&cids),
            owner: row.owner,
            sealed: Registration::from_bytes(&row.registration).unwrap().sealed,
            source: row.registration,
            secret: SecretKey::from_bytes(&kept.secret.to_bytes()).unwrap(),
            keys,
            named: None,
        }
    }

    /// A grant by which somebody passes on what was wrapped for her in another, at this place.
    pub(crate) fn pass(&self, by: &Key, grant: u64, from: (&Key, u64), place: u32, to: &[&Key]) -> Giving {
        let row = self.grant(from.0, from.1);
        let source = row.grant.unwrap();
        let record = self.record(source.record);
        let cids: Vec<String> = record.files.iter().map(|file| file.cid.clone()).collect();
        let (recipients, keys) = self.recipients(to);
        let wrap = Wrap::from_bytes(&source.wrap).unwrap();
        Giving {
            msg: MsgGrant {
                granter: by.address(),
                grant,
                record: source.record,
                from: Some(PassedOn { granter: from.0.address(), grant: from.1, place }),
                recipients,
                nonce: vec![8; 16],
                expires: source.expires,
                terms: terms().digest(source.expires).0.into(),
                source_terms: terms().encode(),
                ..MsgGrant::default()
            },
            chain: CHAIN,
            cid: record_name(&cids),
            owner: record.owner,
            sealed: wrap.of(usize::try_from(place).unwrap()).unwrap(),
            source: source.wrap,
            secret: reader(by, 0),
            keys,
            named: None,
        }
    }

    /// Delivers a message, which must be refused with this codespace, code and these words.
    pub(crate) fn refused<M: Named>(&mut self, key: &Key, msg: &M, refusal: (&str, u32), words: &str) {
        let result: ExecTxResult = self.net.run(key, vec![ours(msg)]);
        assert_eq!(code(&result), refusal, "{}", result.log);
        assert!(result.log.contains(words), "{}\nlacks {words:?}", result.log);
    }
}
