//! The probe does as told.

use aceso_contract::testing::{Host, Registration, Script, Stated};
use cosmwasm_std::{
    Storage, from_json,
    testing::{MockApi, message_info, mock_env},
};

use crate::{ExecuteMsg, Hash, Outcome, Step, execute};

#[test]
fn each_step_has_its_outcome() {
    let host = Host::new(Script);
    let model = host.model(&Script::manifest("m", 0), b"onnx", "author").unwrap().into();
    let stated = Stated { modality: "DX".into(), body_part: String::new() };
    let registration = |guard: &str| Registration { guard: guard.into(), stated: stated.clone(), ..Default::default() };
    let (public, guarded) = (host.image(b"open", registration("")), host.image(b"shut", registration("guard")));
    host.set_coins("probe", 0);
    let take = |steps: Vec<Step>| {
        let (mut deps, info) = (host.deps(), message_info(&MockApi::default().addr_make("a"), &[]));
        let response =
            host.call("probe", || execute(deps.as_mut(), mock_env(), info, ExecuteMsg::Take { steps }).unwrap())?;
        Ok(from_json::<Vec<Outcome>>(response.data.unwrap()).unwrap())
    };
    let input = |ty| Step::SetInput { context: 0, index: 0, ty, dims: vec![1], data: b"o".into() };
    let steps = vec![
        Step::Compute { context: 0 },
        Step::LoadByName { model },
        Step::Context { graph: 0 },
        input(0),
        input(3),
        Step::Compute { context: 0 },
        Step::GetOutput { context: 0, index: 0, max: 0 },
        Step::GetOutput { context: 0, index: 0, max: 1 },
        Step::ReadInfo { context: 0 },
        Step::BlobSize { blob: public.into() },
        Step::Load { bytes: b"onnx".into() },
        Step::Hash { function: Hash::Sha256, data: b"".into() },
        Step::G1Msm { points: b"".into(), scalars: b"".into() },
        Step::G2Msm { points: [0; 96].into(), scalars: [0; 32].into() },
        Step::VerifyReceipt { compact: b"".into(), root: b"".into(), trusted: b"".into() },
    ];
    let empty = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
        0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ];
    let expected = vec![
        Outcome::Errno(1),
        Outcome::Number(0),
        Outcome::Number(0),
        Outcome::Error("type 0".into()),
        Outcome::Number(0),
        Outcome::Number(0),
        Outcome::Errno(7),
        Outcome::Bytes(b"o".into()),
        Outcome::Errno(8),
        Outcome::Number(4),
        Outcome::Errno(6),
        Outcome::Bytes(empty.into()),
        Outcome::Bytes([&[0xc0][..], &[0; 47]].concat().into()),
        Outcome::Errno(2),
        Outcome::Error("the root is not the one that is trusted".into()),
    ];
    assert_eq!(take(steps), Ok::<_, aceso_contract::testing::Trap>(expected));
    let read = |image: aceso_types::BlobId| Step::Read { model, image: image.into(), purpose: "TREAT".into() };
    assert!(matches!(take(vec![read(public)]).unwrap().as_slice(), [Outcome::Bytes(_)]));
    assert!(take(vec![read(guarded)]).unwrap_err().to_string().starts_with("no permit for probe"));
}

#[test]
fn rows_are_as_many_and_as_long_as_told_and_differ() {
    let host = Host::new(Script);
    let (mut deps, info) = (host.deps(), message_info(&MockApi::default().addr_make("a"), &[]));
    let fill = ExecuteMsg::Fill { from: 7, rows: 3, bytes: 21 };
    execute(deps.as_mut(), mock_env(), info, fill).unwrap();
    let rows = [7_u64, 8, 9].map(|row| deps.storage.get(&row.to_be_bytes()).unwrap());
    assert!(rows.iter().all(|row| row.len() == 21) && rows[0] != rows[1] && rows[1] != rows[2]);
    assert_eq!([6_u64, 10].map(|row| deps.storage.get(&row.to_be_bytes())), [None, None]);
}
