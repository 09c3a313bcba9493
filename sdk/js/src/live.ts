/** Events as they happen, over the RPC's WebSocket. */
import type { Event } from "./connection.js";
import type { Json } from "./rpc.js";

/** Waits between attempts to connect, in milliseconds. */
const AGAIN_MS = [250, 500, 1000, 2000, 5000];

export interface LiveTx {
  height: number;
  code: number;
  events: Event[];
}

/**
 * Tells of every transaction that matches, such as `tm.event='Tx' AND wasm._contract_address='…'`. A lost connection
 * is made again; `onState` says whether there is one, so that the caller can ask for what it may have missed. The
 * answer ends it.
 */
export function subscribe(
  rpc: string,
  query: string,
  onTx: (tx: LiveTx) => void,
  onState: (live: boolean) => void = () => {},
): () => void {
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let ended = false;

  const open = () => {
    socket = new WebSocket(`${rpc.replace(/^http/, "ws").replace(/\/$/, "")}/websocket`);
    socket.onopen = () =>
      socket?.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscribe", params: { query } }));
    socket.onmessage = ({ data }) => {
      const { result, error } = JSON.parse(String(data)) as Json;
      if (error) return socket?.close();
      const found = result?.data?.value?.TxResult;
      if (found) {
        const { code = 0, events = [] } = found.result;
        onTx({ height: Number(found.height), code, events });
      } else {
        failures = 0;
        onState(true);
      }
    };
    socket.onclose = () => {
      if (ended) return;
      onState(false);
      timer = setTimeout(open, AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)]);
    };
  };
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}
