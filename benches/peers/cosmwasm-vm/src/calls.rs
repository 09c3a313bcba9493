//! The peer has a function for each entry point.

use aceso_vm::Entry;
use cosmwasm_vm::{self as theirs, VmError, VmResult};

use crate::engines::{Ask, Peer};

/// Calls the entry point on an instance of the peer.
pub(crate) fn run(instance: &mut Peer, ask: &Ask) -> VmResult<Vec<u8>> {
    let args: Vec<&[u8]> = ask.args.iter().map(Vec::as_slice).collect();
    match (ask.entry, &args[..]) {
        (Entry::Instantiate, [env, info, msg]) => theirs::call_instantiate_raw(instance, env, info, msg),
        (Entry::Execute, [env, info, msg]) => theirs::call_execute_raw(instance, env, info, msg),
        (Entry::Migrate, [env, msg, info]) => theirs::call_migrate_with_info_raw(instance, env, msg, info),
        (entry, [env, msg]) => two(entry)?(instance, env, msg),
        (entry, args) => Err(no_such(entry, args.len())),
    }
}

/// Entry points of two arguments.
fn two(entry: Entry) -> VmResult<fn(&mut Peer, &[u8], &[u8]) -> VmResult<Vec<u8>>> {
    Ok(match entry {
        Entry::Query => theirs::call_query_raw,
        Entry::Sudo => theirs::call_sudo_raw,
        Entry::Reply => theirs::call_reply_raw,
        Entry::IbcChannelOpen => theirs::call_ibc_channel_open_raw,
        Entry::IbcChannelConnect => theirs::call_ibc_channel_connect_raw,
        Entry::IbcChannelClose => theirs::call_ibc_channel_close_raw,
        Entry::IbcPacketReceive => theirs::call_ibc_packet_receive_raw,
        Entry::IbcPacketAck => theirs::call_ibc_packet_ack_raw,
        Entry::IbcPacketTimeout => theirs::call_ibc_packet_timeout_raw,
        Entry::IbcSourceCallback => theirs::call_ibc_source_callback_raw,
        Entry::IbcDestinationCallback => theirs::call_ibc_destination_callback_raw,
        Entry::Ibc2PacketReceive => theirs::call_ibc2_packet_receive_raw,
        Entry::Ibc2PacketAck => theirs::call_ibc2_packet_ack_raw,
        Entry::Ibc2PacketTimeout => theirs::call_ibc2_packet_timeout_raw,
        Entry::Ibc2PacketSend => theirs::call_ibc2_packet_send_raw,
        entry => return Err(no_such(entry, 2)),
    })
}

fn no_such(entry: Entry, args: usize) -> VmError {
    panic!("nothing here calls `{entry}` with {args} arguments")
}
