//! A chain of one process: keys, signed transactions, blocks as CometBFT drives them.

use std::sync::Arc;

use aceso_app::{
    App, AtRest, Config, Reopen, Shown,
    attest::{AttestKey, extension},
};
use aceso_blobs::{BlobStore, Options};
use aceso_seal::Registered;
use aceso_types::{
    BlobId,
    genesis::{Attester, Balance, Coin as GenesisCoin, Genesis, Params},
    msg::Named,
    query::Asked,
    sealed::{Failure, Outcome},
};
use aceso_verify::{grant::ContentPoint, outcome::Case};
use bech32::{Bech32, Hrp};
use bytes::Bytes;
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::{MsgSend, QueryBalanceRequest, QueryBalanceResponse},
        base::{abci::v1beta1::TxMsgData, v1beta1::Coin},
        crypto::secp256k1::PubKey,
        tx::{
            signing::v1beta1::SignMode,
            v1beta1::{AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxBody, TxRaw, mode_info},
        },
        vesting::v1beta1::DelayedVestingAccount,
    },
};
use k256::ecdsa::{Signature, SigningKey, signature::Signer};
use prost::{Message, Name};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tendermint::{
    Hash, PublicKey, Time,
    abci::{
        request::CheckTxKind,
        types::{BlockSignatureInfo, CommitInfo, ExecTxResult, ExtendedCommitInfo, ExtendedVoteInfo, Validator},
    },
    account,
    block::{self, BlockIdFlag},
    consensus, evidence, public_key,
    v0_38::abci::{request, response},
    validator,
};

pub(crate) const CHAIN: &str = "aceso-test";
pub(crate) const PREFIX: &str = "aceso";
pub(crate) const DENOM: &str = "uaceso";
pub(crate) const RICH: u128 = 1_000_000_000_000;
/// Public keys of RFC 8032, section 7.1.
const CONSENSUS: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// Opens records as members of committees do.
pub(crate) struct Members;

impl Reopen for Members {
    fn outcome(&self, shown: &Shown<'_>) -> Outcome {
        let Ok(content) = ContentPoint::from_bytes(shown.point) else { return Outcome::Failed(Failure::Key) };
        let Shown { statement, manifest, model, commitment, modality, body_part, effort, vouched, file, .. } = *shown;
        let about = Registered { owner: &statement.owner, commitment };
        let case = Case { statement, manifest, model, modality, body_part, effort, vouched };
        aceso_seal::outcome(&about, &case, &content, file, file.len() as u64).outcome
    }
}

/// An account.
#[derive(Clone)]
pub(crate) struct Key(pub(crate) SigningKey);

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_encoded_point(true).as_bytes().to_vec()
    }

    pub(crate) fn address(&self) -> String {
        text(&Ripemd160::digest(Sha256::digest(self.public())))
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(bytes);
        signature.to_bytes().to_vec()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    bech32::encode::<Bech32>(Hrp::parse(PREFIX).unwrap(), bytes).unwrap()
}

pub(crate) fn alice() -> Key {
    Key::new(1)
}

pub(crate) fn bob() -> Key {
    Key::new(2)
}

/// Has no coins.
pub(crate) fn nobody() -> Key {
    Key::new(9)
}

pub(crate) fn coins(amount: u128) -> Vec<Coin> {
    vec![Coin { denom: DENOM.into(), amount: amount.to_string() }]
}

/// A message of the Cosmos SDK or of wasmd.
pub(crate) fn sdk<M: Message + Name>(msg: &M) -> Any {
    Any { type_url: M::type_url(), value: msg.encode_to_vec() }
}

/// A message of ours.
pub(crate) fn ours<M: Named>(msg: &M) -> Any {
    Any { type_url: M::TYPE_URL.into(), value: msg.encode_to_vec() }
}

pub(crate) fn send(from: &Key, to: &str, amount: u128) -> Any {
    sdk(&MsgSend { from_address: from.address(), to_address: to.into(), amount: coins(amount) })
}

/// A transaction before it is signed.
pub(crate) struct Draft {
    pub(crate) msgs: Vec<Any>,
    pub(crate) memo: String,
    pub(crate) timeout: u64,
    pub(crate) fee: Vec<Coin>,
    pub(crate) gas: u64,
    pub(crate) payer: String,
    pub(crate) granter: String,
    pub(crate) chain_id: String,
    pub(crate) mode: SignMode,
    /// Who signs: key, account number, sequence.
    pub(crate) signers: Vec<(Key, u64, u64)>,
}

impl Draft {
    pub(crate) fn body(&self) -> Vec<u8> {
        TxBody {
            messages: self.msgs.clone(),
            memo: self.memo.clone(),
            timeout_height: self.timeout,
            ..TxBody::default()
        }
        .encode_to_vec()
    }

    pub(crate) fn auth(&self) -> Vec<u8> {
        let info = |(key, _, sequence): &(Key, u64, u64)| SignerInfo {
            public_key: Some(sdk(&PubKey { key: key.public() })),
            mode_info: Some(ModeInfo {
                sum: Some(mode_info::Sum::Single(mode_info::Single { mode: self.mode.into() })),
            }),
            sequence: *sequence,
        };
        AuthInfo {
            signer_infos: self.signers.iter().map(info).collect(),
            fee: Some(Fee {
                amount: self.fee.clone(),
                gas_limit: self.gas,
                payer: self.payer.clone(),
                granter: self.granter.clone(),
            }),
            ..AuthInfo::default()
        }
        .encode_to_vec()
    }

    /// Signs directly.
    pub(crate) fn sign(&self) -> Vec<u8> {
        let (body_bytes, auth_info_bytes) = (self.body(), self.auth());
        let signature = |(key, account_number, _): &(Key, u64, u64)| {
            let doc = SignDoc {
                body_bytes: body_bytes.clone(),
                auth_info_bytes: auth_info_bytes.clone(),
                chain_id: self.chain_id.clone(),
                account_number: *account_number,
            };
            key.sign(&doc.encode_to_vec())
        };
        let signatures = self.signers.iter().map(signature).collect();
        TxRaw { body_bytes, auth_info_bytes, signatures }.encode_to_vec()
    }

    /// The bytes with these signatures.
    pub(crate) fn with(&self, signatures: Vec<Vec<u8>>) -> Vec<u8> {
        TxRaw { body_bytes: self.body(), auth_info_bytes: self.auth(), signatures }.encode_to_vec()
    }
}

/// A running chain.
pub(crate) struct Net {
    pub(crate) app: App,
    pub(crate) blobs: Arc<BlobStore>,
    pub(crate) height: u64,
    pub(crate) dir: TempDir,
    /// The transactions of every block and what they came to, that of height 1 first.
    pub(crate) blocks: Vec<(Vec<Bytes>, response::FinalizeBlock)>,
    pub(crate) attest: AttestKey,
    /// What it began with.
    pub(crate) begun: Option<request::InitChain>,
}

impl Net {
    /// A chain at height 1, with the usual parameters.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A chain whose genesis was changed.
    pub(crate) fn with(change: impl FnOnce(&mut Genesis)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
        let app = App::open(Config::new(dir.path(), blobs.clone(), &Members)).unwrap();
        Self::begin(app, blobs, dir, change)
    }

    /// A chain whose application lies elsewhere; its blobs are of no matter.
    pub(crate) fn over(app: App, change: impl FnOnce(&mut Genesis)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
        Self::begin(app, blobs, dir, change)
    }

    fn begin(app: App, blobs: Arc<BlobStore>, dir: TempDir, change: impl FnOnce(&mut Genesis)) -> Self {
        let attest = AttestKey::generate(&[7; 32]).unwrap();
        let mut net = Self { app, blobs, height: 0, dir, blocks: Vec::new(), attest, begun: None };
        let begun = net.genesis(change);
        net.app.init_chain(begun.clone()).unwrap();
        net.begun = Some(begun);
        assert!(net.block(vec![]).tx_results.is_empty());
        net
    }

    /// Ends the application and starts it again over the same home.
    pub(crate) fn reopen(&mut self, change: impl FnOnce(&mut Config)) {
        let elsewhere = tempfile::tempdir().unwrap();
        let other = App::open(Config::new(elsewhere.path(), self.blobs.clone(), &Members)).unwrap();
        drop(std::mem::replace(&mut self.app, other));
        let mut config = Config::new(self.dir.path(), self.blobs.clone(), &Members);
        change(&mut config);
        self.app = App::open(config).unwrap();
    }

    /// Ends the application, looks at its state, and starts it again.
    pub(crate) fn at_rest<T>(&mut self, look: impl FnOnce(&AtRest) -> T) -> T {
        let elsewhere = tempfile::tempdir().unwrap();
        let other = App::open(Config::new(elsewhere.path(), self.blobs.clone(), &Members)).unwrap();
        drop(std::mem::replace(&mut self.app, other));
        let config = Config::new(self.dir.path(), self.blobs.clone(), &Members);
        let seen = look(&AtRest::open(&config.state_dir).unwrap().unwrap());
        self.app = App::open(config).unwrap();
        seen
    }

    /// An application in a home of its own that has never seen a block.
    pub(crate) fn joining(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
        let app = App::open(Config::new(dir.path(), blobs.clone(), &Members)).unwrap();
        let attest = AttestKey::generate(&[7; 32]).unwrap();
        Self { app, blobs, height: self.height, dir, blocks: Vec::new(), attest, begun: self.begun.clone() }
    }

    pub(crate) fn genesis(&self, change: impl FnOnce(&mut Genesis)) -> request::InitChain {
        let consensus = consensus_key();
        let rich = |key: Key| Balance {
            address: key.address(),
            coins: vec![GenesisCoin { denom: DENOM.into(), amount: RICH.to_string() }],
        };
        let mut genesis = Genesis {
            prefix: PREFIX.into(),
            denom: DENOM.into(),
            balances: vec![rich(alice()), rich(bob())],
            denom_metadata: vec![],
            vesting: vec![],
            codes: vec![],
            attesters: vec![Attester {
                consensus_key: consensus.to_vec(),
                bls_key: self.attest.public().to_vec(),
                possession: self.attest.possession(&consensus, 0).to_vec(),
                operator: String::new(),
                name: String::new(),
            }],
            authority: String::new(),
            params: Params::default(),
            contracts: vec![],
            proof_spec: serde_json::from_str(&aceso_state::proof_spec_json()).unwrap(),
            state: None,
        };
        change(&mut genesis);
        let others = genesis.attesters.iter().skip(1).map(|one| &one.consensus_key[..]);
        let validators = std::iter::once(&consensus[..])
            .chain(others)
            .map(|key| validator::Update { pub_key: PublicKey::from_raw_ed25519(key).unwrap(), power: 10_u32.into() })
            .collect();
        request::InitChain {
            time: time(0),
            chain_id: CHAIN.into(),
            consensus_params: consensus::Params {
                block: block::Size { max_bytes: 4 << 20, max_gas: 200_000_000, time_iota_ms: 1 },
                evidence: evidence::Params {
                    max_age_num_blocks: 1,
                    max_age_duration: evidence::Duration(std::time::Duration::from_secs(1)),
                    max_bytes: 0,
                },
                validator: consensus::params::ValidatorParams { pub_key_types: vec![public_key::Algorithm::Ed25519] },
                version: None,
                abci: consensus::params::AbciParams { vote_extensions_enable_height: Some(1_u32.into()) },
            },
            validators,
            app_state_bytes: serde_json::to_vec(&genesis).unwrap().into(),
            initial_height: 1_u32.into(),
        }
    }

    /// Proposes, reviews, executes and commits a block, with the vote extension that the validator makes of what it
    /// holds. An attestation may come in front: results of the given transactions alone are answered.
    pub(crate) fn block(&mut self, txs: Vec<Vec<u8>>) -> response::FinalizeBlock {
        let count = txs.len();
        let proposed = self.propose(txs);
        assert_eq!(self.review(&proposed), response::ProcessProposal::Accept);
        let front = proposed.len() - count;
        let mut done = self.finalize(proposed);
        self.app.commit().unwrap();
        assert!(done.tx_results[..front].iter().all(|result| result.code.is_ok()), "{:?}", done.tx_results);
        done.tx_results.drain(..front);
        done
    }

    pub(crate) fn propose(&self, txs: Vec<Vec<u8>>) -> Vec<Bytes> {
        let held = self.app.wanted_blobs().into_iter().filter(|blob| self.blobs.has(&blob.id).unwrap());
        let vote_extension = extension(&self.attest, CHAIN, held, [], []).encode_to_vec().into();
        let address: [u8; 20] = Sha256::digest(consensus_key())[..20].try_into().unwrap();
        let vote = ExtendedVoteInfo {
            validator: Validator { address, power: 10_u32.into() },
            sig_info: BlockSignatureInfo::Flag(BlockIdFlag::Commit),
            vote_extension,
            extension_signature: None,
        };
        let request = request::PrepareProposal {
            max_tx_bytes: 4 << 20,
            txs: txs.into_iter().map(Bytes::from).collect(),
            local_last_commit: Some(ExtendedCommitInfo { round: 0_u16.into(), votes: vec![vote] }),
            misbehavior: vec![],
            height: height(self.height + 1),
            time: time(self.height + 1),
            next_validators_hash: Hash::None,
            proposer_address: account::Id::new([0; 20]),
        };
        self.app.prepare_proposal(request).txs
    }

    pub(crate) fn review(&self, txs: &[Bytes]) -> response::ProcessProposal {
        self.app.process_proposal(request::ProcessProposal {
            txs: txs.to_vec(),
            proposed_last_commit: None,
            misbehavior: vec![],
            hash: Hash::None,
            height: height(self.height + 1),
            time: time(self.height + 1),
            next_validators_hash: Hash::None,
            proposer_address: account::Id::new([0; 20]),
        })
    }

    /// Executes without committing.
    pub(crate) fn finalize(&mut self, txs: Vec<Bytes>) -> response::FinalizeBlock {
        self.height += 1;
        let done = self.app.finalize_block(block_of(self.height, txs.clone())).unwrap();
        self.blocks.push((txs, done.clone()));
        done
    }

    /// The transactions of a block, and what they came to.
    pub(crate) fn done(&self, at: u64) -> &(Vec<Bytes>, response::FinalizeBlock) {
        &self.blocks[usize::try_from(at).unwrap() - 1]
    }

    /// One transaction in a block of its own.
    pub(crate) fn deliver(&mut self, tx: Vec<u8>) -> ExecTxResult {
        let mut results = self.block(vec![tx]).tx_results;
        assert_eq!(results.len(), 1);
        results.remove(0)
    }

    /// Signs messages with enough gas and delivers them.
    pub(crate) fn run(&mut self, key: &Key, msgs: Vec<Any>) -> ExecTxResult {
        let tx = self.draft(&[key], msgs).sign();
        self.deliver(tx)
    }

    /// The same, and it must succeed.
    pub(crate) fn ok(&mut self, key: &Key, msgs: Vec<Any>) -> ExecTxResult {
        let result = self.run(key, msgs);
        assert!(result.code.is_ok(), "{}", result.log);
        result
    }

    pub(crate) fn check(&self, tx: Vec<u8>) -> response::CheckTx {
        self.app.check_tx(request::CheckTx { tx: tx.into(), kind: CheckTxKind::New })
    }

    /// A transaction as these accounts would sign it now.
    pub(crate) fn draft(&self, keys: &[&Key], msgs: Vec<Any>) -> Draft {
        let signer = |key: &&Key| {
            let account = self.account(&key.address()).unwrap_or_default();
            ((*key).clone(), account.account_number, account.sequence)
        };
        Draft {
            msgs,
            memo: String::new(),
            timeout: 0,
            fee: coins(250_000),
            gas: 10_000_000,
            payer: String::new(),
            granter: String::new(),
            chain_id: CHAIN.into(),
            mode: SignMode::Direct,
            signers: keys.iter().map(signer).collect(),
        }
    }

    pub(crate) fn raw_query(&self, path: &str, data: Vec<u8>) -> response::Query {
        self.app.query(request::Query { data: data.into(), path: path.into(), height: height(0), prove: false })
    }

    pub(crate) fn query<A: Message + Default>(&self, path: &str, request: &impl Message) -> A {
        let answer = self.raw_query(path, request.encode_to_vec());
        assert!(answer.code.is_ok(), "{path}: {}", answer.log);
        A::decode(answer.value).unwrap()
    }

    /// One of our queries.
    pub(crate) fn ask<Q: Asked>(&self, question: &Q) -> Q::Answer {
        self.query(Q::PATH, question)
    }

    pub(crate) fn account(&self, address: &str) -> Option<BaseAccount> {
        let request = QueryAccountRequest { address: address.into() };
        let answer = self.raw_query("/cosmos.auth.v1beta1.Query/Account", request.encode_to_vec());
        let account = QueryAccountResponse::decode(answer.value).unwrap().account?;
        if account.type_url == BaseAccount::type_url() {
            return Some(BaseAccount::decode(&account.value[..]).unwrap());
        }
        // All kinds that vest but the bare one have it in the same place.
        let base = DelayedVestingAccount::decode(&account.value[..]).unwrap().base_vesting_account.unwrap();
        base.base_account
    }

    pub(crate) fn balance(&self, address: &str) -> u128 {
        let request = QueryBalanceRequest { address: address.into(), denom: DENOM.into() };
        let answer: QueryBalanceResponse = self.query("/cosmos.bank.v1beta1.Query/Balance", &request);
        answer.balance.unwrap().amount.parse().unwrap()
    }

    pub(crate) fn put(&self, bytes: &[u8]) -> BlobId {
        self.blobs.put(bytes, 64 << 20).unwrap().id
    }
}

/// The responses of a successful transaction.
pub(crate) fn responses(result: &ExecTxResult) -> Vec<Any> {
    TxMsgData::decode(&result.data[..]).unwrap().msg_responses
}

/// The events of a result, one a line.
pub(crate) fn told(result: &ExecTxResult) -> Vec<String> {
    let line = |event: &tendermint::abci::Event| {
        let attributes = event.attributes.iter();
        let attributes: Vec<String> =
            attributes.map(|one| format!("{}={}", one.key_str().unwrap(), one.value_str().unwrap())).collect();
        format!("{} {}", event.kind, attributes.join(" "))
    };
    result.events.iter().map(line).collect()
}

/// Codespace and code.
pub(crate) fn code(result: &ExecTxResult) -> (&str, u32) {
    (&result.codespace, result.code.value())
}

pub(crate) fn block_of(at: u64, txs: Vec<Bytes>) -> request::FinalizeBlock {
    request::FinalizeBlock {
        txs,
        decided_last_commit: CommitInfo { round: 0_u16.into(), votes: vec![] },
        misbehavior: vec![],
        hash: Hash::None,
        height: height(at),
        time: time(at),
        next_validators_hash: Hash::None,
        proposer_address: account::Id::new([0; 20]),
    }
}

pub(crate) fn height(at: u64) -> block::Height {
    at.try_into().unwrap()
}

fn time(at: u64) -> Time {
    Time::from_unix_timestamp(1_800_000_000 + i64::try_from(at).unwrap(), 0).unwrap()
}

pub(crate) fn consensus_key() -> [u8; 32] {
    hex::decode(CONSENSUS).unwrap().try_into().unwrap()
}
