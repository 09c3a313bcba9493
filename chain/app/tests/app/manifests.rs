//! What a manifest promises beside scores: who alone registers it, what each output means; and that a model costs the same
//! whether it is in memory or not.

use aceso_types::{
    Manifest, Receipt,
    guest::{ReadInfo, Reading},
    manifest::{Meaning, Onnx},
    msg::{MsgRegisterBlob, MsgRegisterModel},
    query::QueryReceipt,
};

use crate::{
    contracts::raw,
    fixture::{Net, alice, bob, code, ours},
    reads::{Clinic, model_files},
};

/// The bundled model with the maps of its first layer as a second output, by the first author.
fn with_maps(change: impl FnOnce(&mut Vec<Meaning>)) -> (Vec<u8>, Manifest) {
    let (onnx, usual) = model_files();
    let onnx = aceso_test_support::with_maps(&onnx);
    let blob = aceso_types::BlobId::of_raw(&onnx);
    let channels = (0..16).map(|channel| format!("channel {channel}")).collect();
    let mut tensors = vec![Meaning::Labels, Meaning::Maps { name: "seen".into(), width: 28, height: 28, channels }];
    change(&mut tensors);
    let mut manifest = Manifest { version: 2, author: Some(bob().address()), onnx: Onnx::of(blob, &onnx), ..usual };
    manifest.output.tensors = Some(tensors);
    (onnx, manifest)
}

fn register(net: &mut Net, (onnx, manifest): &(Vec<u8>, Manifest)) -> String {
    let blob = net.put(onnx);
    assert_eq!(blob, manifest.onnx.blob);
    let size = onnx.len() as u64;
    net.run(
        &alice(),
        vec![ours(&MsgRegisterBlob { owner: alice().address(), cid: blob.to_string(), size, term: 1_000 })],
    );
    while net.app.expects_blocks() {
        net.block(vec![]);
    }
    let msg = MsgRegisterModel { author: bob().address(), manifest: manifest.encode() };
    net.run(&bob(), vec![ours(&msg)]).log
}

#[test]
fn a_manifest_that_names_its_author_is_registered_by_nobody_else() {
    let mut clinic = Clinic::open();
    let (_, usual) = model_files();
    let named = Manifest { version: 2, author: Some(bob().address()), ..usual };
    let msg = |author: String| ours(&MsgRegisterModel { author, manifest: named.encode() });
    let stolen = clinic.net.run(&alice(), vec![msg(alice().address())]);
    assert!(
        code(&stolen).0 == "aceso" && stolen.log.contains("names") && stolen.log.contains("registers it"),
        "{}",
        stolen.log
    );
    let own = clinic.net.run(&bob(), vec![msg(bob().address())]);
    assert!(own.code.is_ok(), "{}", own.log);
}

#[test]
fn a_read_says_of_each_output_what_the_manifest_says() {
    let mut clinic = Clinic::open();
    let model = with_maps(|_| ());
    let log = register(&mut clinic.net, &model);
    let id = model.1.id();
    let permit = clinic.permit(|request| request.model = id);
    let read = Clinic::message(&clinic.reader, clinic.read_of(&id.to_string(), &clinic.image));
    let done = clinic.run(vec![permit, read]);
    assert!(done.code.is_ok(), "{log} {}", done.log);
    let info: ReadInfo = serde_json::from_slice(&raw(&clinic.net, &clinic.reader, b"info")).unwrap();
    let [Reading::Maps { name, output: 1, width: 28, height: 28, channels }] = &info.readings[..] else {
        panic!("{:?}", info.readings)
    };
    assert_eq!((name.as_str(), channels.len(), info.scores.len()), ("seen", 16, 1));
    let receipt = Receipt::decode(&clinic.net.ask(&QueryReceipt { read: info.read.0 }).receipt).unwrap();
    assert_eq!(receipt.outcome.readings, info.readings);
}

#[test]
fn outputs_that_are_not_what_the_manifest_says_are_refused_with_the_model() {
    let mut clinic = Clinic::open();
    let wrong = with_maps(|tensors| {
        let classes = vec!["a".into(), "b".into()];
        tensors[1] = Meaning::Mask { name: "seen".into(), width: 28, height: 28, classes };
    });
    let log = register(&mut clinic.net, &wrong);
    assert!(log.contains("is not [28, 28], which the manifest's mask takes"), "{log}");
    let log = register(&mut clinic.net, &with_maps(|tensors| tensors.truncate(1)));
    assert!(log.contains("has 2 outputs, and the manifest lists 1"), "{log}");
}

/// Gas, results and state are the same with a model that is in memory, one that is not, one that was made ready after a
/// start, and where there is no memory for any.
#[test]
fn a_model_costs_the_same_wherever_it_is() {
    let read = |prepare: fn(&mut Net)| {
        let mut clinic = Clinic::open();
        prepare(&mut clinic.net);
        let (held, asked) = (clinic.net.app.stats().models, clinic.net.app.stats().model_asked);
        let msgs = vec![clinic.permit(|_| ()), clinic.read()];
        let result = clinic.run(msgs);
        assert!(result.code.is_ok(), "{}", result.log);
        let missed = clinic.net.app.stats().model_asked.misses - asked.misses;
        ((held, missed), (result.gas_used, result.data, clinic.net.app.info().last_block_app_hash))
    };
    let (warm, same) = read(|_| ());
    assert_eq!(warm, (1, 0));
    let cold = |net: &mut Net| net.reopen(|_| ());
    assert_eq!(read(cold), ((0, 1), same.clone()));
    let ready = |net: &mut Net| {
        net.reopen(|_| ());
        assert_eq!([net.app.warm_models().unwrap(), net.app.warm_models().unwrap()], [1, 0]);
    };
    assert_eq!(read(ready), ((1, 0), same.clone()));
    let none = |net: &mut Net| {
        net.reopen(|config| config.model_cache_bytes = 0);
        assert_eq!(net.app.warm_models().unwrap(), 0);
    };
    assert_eq!(read(none), ((0, 1), same));
}
