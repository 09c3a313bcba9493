//! Blocks that are executed when bytes are gone that they read, and who is believed about them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use aceso_app::{
    App, AppError, Config, Fetch, Testimony, Verdict,
    attest::{AttestError, AttestKey},
    statement,
};
use aceso_blobs::{BlobStore, Options};
use aceso_types::{
    BlobId, Digest, ElementType, Height, Tensor, Transcript,
    manifest::Layout,
    msg::{MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel, Reads},
    query::{BlobStatus, QueryBlob},
    transcript::{Entry, Read, Seen},
};
use ed25519_consensus::SigningKey;
use prost::Message;
use tempfile::TempDir;
use tendermint::{
    AppHash, Hash, Signature,
    block::{self, Commit, CommitSig, Header, header::Version, parts, signed_header::SignedHeader},
    crypto::default::Sha256,
    v0_38::abci::{request, response},
};
use tendermint_proto::v0_38::types as wire;

use crate::{
    contracts::{make, store},
    fixture::{CHAIN, Members, Net, alice, block_of, consensus_key, height, ours},
    guests::{self, NOTHING},
    reads::{Clinic, model_files, picture, register_image},
};

/// The secret of [`consensus_key`] (RFC 8032, section 7.1).
const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

pub(crate) fn signer() -> SigningKey {
    SigningKey::from(<[u8; 32]>::try_from(hex::decode(SECRET).unwrap()).unwrap())
}

/// What other nodes hold and say.
struct Others {
    blobs: Arc<BlobStore>,
    files: BTreeMap<BlobId, Vec<u8>>,
    told: Mutex<BTreeMap<u64, VecDeque<Vec<u8>>>>,
    verdicts: Mutex<Vec<Verdict>>,
}

impl Fetch for Others {
    fn fetch(&self, id: &BlobId, _: u64) -> Result<(), String> {
        let file = self.files.get(id).ok_or("nobody has it")?;
        self.blobs.put(&file[..], 64 << 20).map(drop).map_err(|e| e.to_string())
    }

    fn fetch_for(&self, _: &BlobId, _: u64, at: u64, judge: &mut dyn FnMut(&[u8]) -> Verdict) -> Result<(), String> {
        let mut told = self.told.lock().unwrap();
        while let Some(testimony) = told.get_mut(&at).and_then(VecDeque::pop_front) {
            let verdict = judge(&testimony);
            self.verdicts.lock().unwrap().push(verdict.clone());
            if verdict == Verdict::Accepted {
                return Ok(());
            }
        }
        Err("nobody tells".into())
    }
}

/// A node that begins at the genesis when the images are gone.
pub(crate) struct Follower {
    pub(crate) app: App,
    others: Arc<Others>,
    at: u64,
    _dir: TempDir,
}

impl Follower {
    pub(crate) fn new(net: &Net) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
        let (onnx, manifest) = model_files();
        let others = Arc::new(Others {
            blobs: blobs.clone(),
            files: [(manifest.onnx.blob, onnx)].into(),
            told: Mutex::default(),
            verdicts: Mutex::default(),
        });
        let app =
            App::open(Config { fetch: Some(others.clone()), ..Config::new(dir.path(), blobs, &Members) }).unwrap();
        app.init_chain(net.begun.clone().unwrap()).unwrap();
        Self { app, others, at: 0, _dir: dir }
    }

    pub(crate) fn tell(&self, at: u64, testimony: Vec<u8>) {
        self.others.told.lock().unwrap().entry(at).or_default().push_back(testimony);
    }

    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        std::mem::take(&mut *self.others.verdicts.lock().unwrap())
    }

    pub(crate) fn finalize(&self, net: &Net, at: u64) -> Result<response::FinalizeBlock, AppError> {
        self.app.finalize_block(block_of(at, net.done(at).0.clone()))
    }

    /// Executes and commits the blocks before one.
    pub(crate) fn go_to(&mut self, net: &Net, at: u64) {
        for at in self.at + 1..at {
            assert_eq!(self.finalize(net, at).unwrap(), net.done(at).1, "block {at}");
            self.app.commit().unwrap();
            self.at = at;
        }
    }
}

/// The header after block `at`, with its commit.
pub(crate) fn signed(net: &Net, at: u64, key: &SigningKey, change: impl FnOnce(&mut Header)) -> SignedHeader {
    let hash = Hash::Sha256([2; 32]);
    let mut header = Header {
        version: Version { block: 11, app: 1 },
        chain_id: CHAIN.parse().unwrap(),
        height: height(at + 1),
        time: block_of(at + 1, vec![]).time,
        last_block_id: Some(id_of(Hash::Sha256([3; 32]))),
        last_commit_hash: Some(hash),
        data_hash: Some(hash),
        validators_hash: hash,
        next_validators_hash: hash,
        consensus_hash: hash,
        app_hash: net.done(at).1.app_hash.clone(),
        last_results_hash: Some(hash),
        evidence_hash: Some(hash),
        proposer_address: tendermint::account::Id::new([0; 20]),
    };
    change(&mut header);
    let block_id = id_of(header.hash_with::<Sha256>());
    let vote = wire::CanonicalVote {
        r#type: wire::SignedMsgType::Precommit.into(),
        height: header.height.into(),
        round: 0,
        block_id: Some(wire::CanonicalBlockId::from(block_id)),
        timestamp: Some(header.time.into()),
        chain_id: header.chain_id.to_string(),
    };
    let signature = Signature::new(key.sign(&vote.encode_length_delimited_to_vec()).to_bytes()).unwrap();
    let public = tendermint::PublicKey::from_raw_ed25519(&consensus_key()).unwrap();
    let sig = CommitSig::BlockIdFlagCommit { validator_address: public.into(), timestamp: header.time, signature };
    let commit = Commit { height: header.height, round: 0_u16.into(), block_id, signatures: vec![sig] };
    SignedHeader::new(header, commit).unwrap()
}

fn id_of(hash: Hash) -> block::Id {
    block::Id { hash, part_set_header: parts::Header::new(1, Hash::Sha256([1; 32])).unwrap() }
}

pub(crate) fn encoded(transcript: Vec<u8>, header: SignedHeader) -> Vec<u8> {
    let signed_header = wire::SignedHeader::from(header).encode_to_vec();
    Testimony { transcript, signed_header }.encode_to_vec()
}

pub(crate) fn transcript(net: &Net, at: u64) -> Transcript {
    Transcript::decode(&net.app.transcript(at).unwrap().unwrap()).unwrap()
}

pub(crate) fn truth(net: &Net, at: u64) -> Vec<u8> {
    encoded(transcript(net, at).encode(), signed(net, at, &signer(), |_| {}))
}

/// Heights of blocks that have read images.
pub(crate) fn with_images(net: &Net) -> Vec<u64> {
    let images = |at: &u64| net.app.transcript(*at).unwrap().is_some() && transcript(net, *at).ends().is_some();
    (1..=net.height).filter(images).collect()
}

/// A clinic in which everything was read that can be: well, twice at once, of another kind, no image at all, and in a
/// contract's question.
fn busy() -> Clinic {
    let mut clinic = Clinic::open();
    let reader = clinic.reader.clone();
    let (other, public, garbage) = (picture(4), picture(5), b"no image".to_vec());
    let [other_id, public_id, garbage_id] = [&other, &public, &garbage].map(|bytes| clinic.net.put(bytes));
    let ct = MsgRegisterImage { modality: "CT".into(), ..register_image(&alice(), &other_id, other.len(), "") };
    clinic.net.ok(&alice(), vec![ours(&ct)]);
    for (id, bytes) in [(&public_id, &public), (&garbage_id, &garbage)] {
        clinic.net.ok(&alice(), vec![ours(&register_image(&alice(), id, bytes.len(), ""))]);
    }
    while clinic.net.app.expects_blocks() {
        clinic.net.block(vec![]);
    }
    let well = vec![clinic.permit(|_| {}), clinic.read()];
    assert!(clinic.run(well).code.is_ok());
    let again = clinic.permit(|request| request.grant = "g2".into());
    let twice = vec![again, clinic.read(), clinic.read()];
    assert!(clinic.run(twice).code.is_err());
    for id in [&other_id, &garbage_id] {
        let read = Clinic::message(&reader, clinic.read_of(&clinic.model, id));
        let refused = clinic.run(vec![read]);
        assert_eq!((refused.codespace.as_str(), refused.code.value()), ("aceso", 406), "{}", refused.log);
    }
    let code = store(&mut clinic.net, guests::asker());
    let asker = make(&mut clinic.net, code, NOTHING);
    let question = {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let msg = STANDARD.encode(clinic.read_of(&clinic.model, &public_id));
        serde_json::json!({"wasm": {"smart": {"contract_addr": reader, "msg": msg}}}).to_string()
    };
    let asked = clinic.run(vec![Clinic::message(&asker, question)]);
    assert!(asked.code.is_ok(), "{}", asked.log);
    clinic.net.block(vec![]);
    clinic
}

#[test]
fn blocks_are_executed_without_the_images_as_with_them() {
    let clinic = busy();
    let net = &clinic.net;
    let heights = with_images(net);
    let kinds: Vec<&str> = heights
        .iter()
        .flat_map(|at| transcript(net, *at).entries)
        .map(|entry| match entry.read {
            Read::Image { seen: Seen::Done { .. }, .. } => "done",
            Read::Image { seen: Seen::Refused { .. }, .. } => "refused",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["done", "done", "refused", "refused", "done"]);
    let mut follower = Follower::new(net);
    for at in &heights {
        follower.tell(*at, truth(net, *at));
    }
    follower.go_to(net, net.height + 1);
    assert_eq!(follower.verdicts(), vec![Verdict::Accepted; heights.len()]);
    assert_eq!(follower.others.blobs.list(None, 9).len(), 1, "the model's bytes and nothing else");
    for at in 1..=net.height {
        assert_eq!(follower.app.transcript(at).unwrap(), net.app.transcript(at).unwrap(), "block {at}");
    }
    assert_eq!(follower.app.latest_reads(), net.app.latest_reads());
    // What it says in turn is as good as what it was told.
    let mut second = Follower::new(net);
    for at in &heights {
        let told = follower.app.transcript(*at).unwrap().unwrap();
        second.tell(*at, encoded(told, signed(net, *at, &signer(), |_| {})));
    }
    second.go_to(net, net.height + 1);
}

/// The same with the first output's first bit flipped.
fn flipped(transcript: &Transcript) -> Transcript {
    let mut lie = transcript.clone();
    for entry in &mut lie.entries {
        if let Read::Image { seen: Seen::Done { outputs, .. }, .. } = &mut entry.read {
            let mut data = outputs[0].data().to_vec();
            data[0] ^= 1;
            outputs[0] = Tensor::new(outputs[0].ty(), outputs[0].dims().into(), data).unwrap();
            return lie;
        }
    }
    panic!("nothing was read");
}

#[test]
fn lies_are_found_out_and_the_next_one_is_asked() {
    let clinic = busy();
    let net = &clinic.net;
    let at = with_images(net)[0];
    let mut follower = Follower::new(net);
    follower.go_to(net, at);
    let honest = transcript(net, at);
    let header = || signed(net, at, &signer(), |_| {});
    let changed = |change: &dyn Fn(&mut Transcript)| {
        let mut lie = honest.clone();
        change(&mut lie);
        encoded(lie.encode(), header())
    };
    let with_header = |change: &dyn Fn(&mut Header)| encoded(honest.encode(), signed(net, at, &signer(), change));
    let seen = |seen: Seen| {
        move |lie: &mut Transcript| match &mut lie.entries[0].read {
            Read::Image { seen: told, .. } => *told = seen.clone(),
            _ => panic!(),
        }
    };
    let pixels = match &honest.entries[0].read {
        Read::Image { seen, .. } => seen.pixels().unwrap(),
        _ => panic!(),
    };
    let huge = Tensor::zeros(ElementType::I64, vec![1 << 10, 1 << 10]).unwrap();
    let of_other_commit = {
        let (mut one, two) = (header(), signed(net, at, &signer(), |header| header.app_hash = AppHash::default()));
        one.commit = two.commit;
        encoded(honest.encode(), one)
    };
    let lies = [
        (encoded(flipped(&honest).encode(), header()), "it makes app hash"),
        (changed(&seen(Seen::Refused { reason: "no".into() })), "it makes app hash"),
        (changed(&seen(Seen::Failed { pixels, reason: "no".into() })), "it makes app hash"),
        (changed(&seen(Seen::Opened { pixels })), "no run"),
        (changed(&seen(Seen::Done { pixels, outputs: vec![huge] })), "outputs that are not the model's"),
        (changed(&seen(Seen::Done { pixels, outputs: vec![] })), "outputs that are not the model's"),
        (changed(&|lie| lie.entries.clear()), "no read"),
        (changed(&|lie| lie.entries[0].caller = "aceso1x".into()), "another read"),
        (changed(&|lie| lie.entries.push(lie.entries[0].clone())), "another number of reads"),
        (changed(&|lie| lie.height = Height(at - 1)), "the transcript is of block"),
        (changed(&|lie| lie.chain_id = "other".into()), "the transcript is of block"),
        (changed(&|lie| lie.version = 9), "version 9"),
        (encoded(b"x".to_vec(), header()), "does not decode"),
        (b"\xff\xff".to_vec(), "the answer does not decode"),
        (
            Testimony { transcript: honest.encode(), signed_header: vec![0xff] }.encode_to_vec(),
            "header does not decode",
        ),
        (with_header(&|header| header.app_hash = AppHash::try_from(vec![7; 32]).unwrap()), "was agreed upon"),
        (with_header(&|header| header.chain_id = "other".parse().unwrap()), "its header is of chain other"),
        (with_header(&|header| header.height = height(at + 2)), "its header is of block"),
        (encoded(honest.encode(), signed(net, at, &SigningKey::from([9; 32]), |_| {})), "its commit is not that of"),
        (of_other_commit, "its commit is for another header"),
    ];
    for (lie, _) in &lies {
        follower.tell(at, lie.clone());
    }
    let whole = truth(net, at);
    follower.tell(at, whole[..whole.len() / 2].to_vec());
    follower.tell(at, Testimony { transcript: honest.encode(), signed_header: vec![] }.encode_to_vec());
    follower.tell(at, whole);
    assert_eq!(follower.finalize(net, at).unwrap(), net.done(at).1);
    let verdicts = follower.verdicts();
    assert_eq!(verdicts.len(), lies.len() + 3);
    for (verdict, (_, word)) in verdicts.iter().zip(&lies) {
        assert!(matches!(verdict, Verdict::Lie(reason) if reason.contains(word)), "{word}: {verdict:?}");
    }
    let last: Vec<_> = verdicts[lies.len()..].iter().map(std::mem::discriminant).collect();
    let want = [Verdict::Lie(String::new()), Verdict::Unjudged(String::new()), Verdict::Accepted];
    assert_eq!(last, want.iter().map(std::mem::discriminant).collect::<Vec<_>>(), "{verdicts:?}");
    follower.app.commit().unwrap();
}

#[test]
fn a_header_that_follows_another_block_proves_nothing() {
    let clinic = busy();
    let net = &clinic.net;
    let at = with_images(net)[0];
    let mut follower = Follower::new(net);
    follower.go_to(net, at);
    let named = |hash| request::FinalizeBlock { hash, ..block_of(at, net.done(at).0.clone()) };
    follower.tell(at, truth(net, at));
    assert!(follower.app.finalize_block(named(Hash::Sha256([4; 32]))).is_err());
    assert!(matches!(&follower.verdicts()[..], [Verdict::Lie(reason)] if reason.contains("follows another block")));
    follower.tell(at, truth(net, at));
    follower.app.finalize_block(named(Hash::Sha256([3; 32]))).unwrap();
}

#[test]
fn where_nobody_tells_the_node_stops_and_says_what_to_do() {
    let clinic = busy();
    let net = &clinic.net;
    let at = with_images(net)[0];
    let mut follower = Follower::new(net);
    follower.go_to(net, at);
    for _ in 0..2 {
        let stopped = follower.finalize(net, at).unwrap_err().to_string();
        for word in [&format!("block {at} reads blob {}", clinic.image), "nobody tells", "blob_peers", "restart"] {
            assert!(stopped.contains(word), "{stopped}");
        }
    }
    // Nothing is spoiled: with an answer it goes on, and so it does with the bytes.
    follower.tell(at, truth(net, at));
    assert_eq!(follower.finalize(net, at).unwrap(), net.done(at).1);
    follower.others.blobs.put(&picture(0)[..], 1 << 20).unwrap();
    assert_eq!(follower.finalize(net, at).unwrap(), net.done(at).1);
    assert_eq!(follower.verdicts(), [Verdict::Accepted]);
}

/// Two nodes of one chain, one of which has computed another bit: the word of one shows it to the other, and the
/// transcripts which read it is.
#[test]
fn a_node_that_computes_another_bit_learns_it_from_the_others() {
    let clinic = busy();
    let net = &clinic.net;
    let at = with_images(net)[0];
    let mut follower = Follower::new(net);
    follower.go_to(net, at);
    // The only way to make it err: a header that says what the flipped bit comes to.
    let lie = flipped(&transcript(net, at)).encode();
    follower.tell(at, encoded(lie.clone(), signed(net, at, &signer(), |_| {})));
    assert!(follower.finalize(net, at).is_err());
    let verdicts = follower.verdicts();
    let [Verdict::Lie(reason)] = &verdicts[..] else { panic!("{verdicts:?}") };
    let made: AppHash = reason.split([' ', ',']).find(|word| word.len() == 64).unwrap().parse().unwrap();
    follower.tell(at, encoded(lie, signed(net, at, &signer(), |header| header.app_hash = made.clone())));
    assert_ne!(follower.finalize(net, at).unwrap().app_hash, net.done(at).1.app_hash);
    follower.app.commit().unwrap();

    let theirs = net.app.transcript_digest(at).unwrap();
    let ours = follower.app.latest_reads().unwrap();
    assert_eq!(ours.0, at);
    let said = |at, digest| statement(&net.attest, CHAIN, at, digest);
    let hear = |reads: &Reads| follower.app.hear_reads(reads);
    // Its own word, that of a stranger, and one about a block that it does not have yet.
    let stranger = AttestKey::generate(&[99; 32]).unwrap();
    for reads in [said(at, Some(ours.1)), statement(&stranger, CHAIN, at, theirs), said(at + 1, theirs)] {
        assert_eq!(hear(&reads), Ok(None));
    }
    // In the validator's name, by somebody else, or on another chain; and no digest at all.
    let honest = said(at, theirs);
    for forged in [
        Reads { signature: statement(&stranger, CHAIN, at, theirs).signature, ..honest.clone() },
        Reads { signature: statement(&net.attest, "other", at, theirs).signature, ..honest.clone() },
        Reads { signature: said(at - 1, theirs).signature, ..honest.clone() },
        Reads { digest: vec![1; 31], ..honest.clone() },
    ] {
        assert_eq!(hear(&forged), Err(AttestError::Signature), "{forged:?}");
    }
    let found = hear(&honest).unwrap().unwrap();
    assert_eq!((found.height, found.ours, found.theirs), (at, Some(ours.1), theirs));
    assert_eq!((found.power, found.total), (10, 10));
    assert_eq!(net.app.hear_reads(&honest), Ok(None), "the other one is well");
    let here = Transcript::decode(&follower.app.transcript(at).unwrap().unwrap()).unwrap();
    let named = here.difference(&transcript(net, at)).unwrap();
    for word in
        ["read 0 of block", &clinic.image.to_string(), &clinic.model, &clinic.reader, "transaction 0", "here pixels"]
    {
        assert!(named.contains(word), "{named}");
    }
    // A block in which only one of them has read differs as well.
    let before = hear(&said(at - 1, theirs)).unwrap().unwrap();
    assert_eq!((before.height, before.ours), (at - 1, None));
    let none = hear(&said(at, None)).unwrap().unwrap();
    assert_eq!((none.height, none.theirs), (at, None));
}

#[test]
fn what_is_read_from_a_contracts_own_tensor_is_computed_again() {
    let mut clinic = Clinic::open();
    let pipeline = model_files().1.pipeline;
    let (channels, height, width) = (pipeline.channels.count(), pipeline.height, pipeline.width);
    let dims = match pipeline.layout {
        Layout::Nchw => [1, channels, height, width],
        Layout::Nhwc => [1, height, width, channels],
    };
    let code = store(&mut clinic.net, guests::computer(&dims));
    let computer = make(&mut clinic.net, code, NOTHING);
    let compute = || Clinic::message(&computer, format!("\"{}\"", clinic.model));
    let twice = vec![compute(), compute()];
    let done = clinic.run(twice);
    assert!(done.code.is_ok(), "{}", done.log);
    let net = &clinic.net;
    let entries = transcript(net, net.height).entries;
    let [Entry { read: Read::Tensor { outcome: Ok(one) }, caller, .. }, two] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert!(*caller == computer && two == &entries[0] && *one != Digest::default());
    assert_eq!(transcript(net, net.height).ends(), None);
    let mut follower = Follower::new(net);
    follower.go_to(net, net.height + 1);
    assert_eq!(follower.verdicts(), []);
    assert_eq!(follower.app.latest_reads(), net.app.latest_reads());
}

#[test]
fn a_model_that_was_refused_is_refused_without_its_bytes() {
    let mut net = Net::start();
    let (_, mut manifest) = model_files();
    let broken = b"not ONNX at all".to_vec();
    manifest.onnx = aceso_types::manifest::Onnx::of(net.put(&broken), &broken);
    let cid = manifest.onnx.blob.to_string();
    let blob = MsgRegisterBlob { owner: alice().address(), cid, size: broken.len() as u64, term: 1_000 };
    let register = |name: &str| {
        let manifest = aceso_types::Manifest { name: name.into(), ..manifest.clone() };
        ours(&MsgRegisterModel { author: alice().address(), manifest: manifest.encode() })
    };
    net.ok(&alice(), vec![ours(&blob)]);
    net.ok(&alice(), vec![register("waits for its bytes")]);
    while net.app.expects_blocks() {
        net.block(vec![]);
    }
    assert!(net.run(&alice(), vec![register("has them at once")]).code.is_err());
    let told: Vec<u64> = (1..=net.height).filter(|at| net.app.transcript(*at).unwrap().is_some()).collect();
    let entries: Vec<Entry> = told.iter().flat_map(|at| transcript(&net, *at).entries).collect();
    assert!(matches!(
        &entries[..],
        [
            Entry { tx: None, read: Read::Admission { refused: Some(_), .. }, .. },
            Entry { tx: Some(_), read: Read::Admission { refused: Some(_), .. }, .. }
        ]
    ));
    let mut follower = Follower::new(&net);
    for at in told {
        follower.tell(at, truth(&net, at));
    }
    follower.go_to(&net, net.height + 1);
    assert_eq!(follower.verdicts(), [Verdict::Accepted, Verdict::Accepted]);
}

#[test]
fn bytes_are_held_on_for_a_while_and_those_of_models_for_ever() {
    let mut net = Net::with(|genesis| genesis.params.blob_grace = 2);
    let cid = net.put(b"ten bytes!");
    let blob = MsgRegisterBlob { owner: alice().address(), cid: cid.to_string(), size: 10, term: 4 };
    net.ok(&alice(), vec![ours(&blob)]);
    let mut seen = Vec::new();
    for _ in 0..7 {
        let row = net.ask(&QueryBlob { cid: cid.to_string() });
        seen.push((row.status() == BlobStatus::Expired, row.held));
        net.block(vec![]);
    }
    let alive = (false, true);
    assert_eq!(seen, [alive, alive, alive, alive, (true, true), (true, true), (true, false)]);
    let (onnx, manifest) = model_files();
    let cid = net.put(&onnx).to_string();
    let blob = MsgRegisterBlob { owner: alice().address(), cid: cid.clone(), size: onnx.len() as u64, term: 6 };
    let register = MsgRegisterModel { author: alice().address(), manifest: manifest.encode() };
    net.ok(&alice(), vec![ours(&blob)]);
    net.ok(&alice(), vec![ours(&register)]);
    for _ in 0..10 {
        net.block(vec![]);
    }
    let row = net.ask(&QueryBlob { cid: cid.clone() });
    assert_eq!((row.status(), row.held), (BlobStatus::Expired, true));
    let (live, _) = net.app.live_blobs(None, 64);
    let live: Vec<String> = live.iter().map(|blob| blob.id.to_string()).collect();
    assert_eq!(live, [cid], "who joins late fetches it, and can give it to whoever begins at the genesis");
}

#[test]
fn the_engine_is_told_which_blocks_to_keep() {
    let mut clinic = Clinic::open();
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    assert!(clinic.run(msgs).code.is_ok());
    let read = clinic.net.height;
    let net = &mut clinic.net;
    let step = |net: &mut Net| {
        net.finalize(vec![]);
        net.app.commit().unwrap().retain_height.value()
    };
    assert_eq!(step(net), 0, "all");
    net.reopen(|config| config.keep_blocks = 5);
    for _ in 0..3 {
        assert_eq!(step(net), net.height - 5);
    }
    assert!(net.app.transcript(read).unwrap().is_some());
    while net.height < read + 6 {
        step(net);
    }
    assert_eq!(net.app.transcript(read).unwrap(), None, "it went with its block");
    assert!(net.app.transcript_digest(read).unwrap().is_some());
    // The first snapshot is still to come: whoever will restore it needs the blocks from there on.
    net.reopen(|config| (config.keep_blocks, config.snapshot_interval) = (5, 1_000));
    assert_eq!(step(net), 0);
    // Evidence is taken for one block only in this genesis, and never less than that is kept.
    net.reopen(|config| config.keep_blocks = 1);
    assert_eq!(step(net), net.height - 1);
}
