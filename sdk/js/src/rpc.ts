/** HTTP to a node: JSON-RPC 2.0 on one port, plain GET and POST on the other. */

/** Something went wrong between here and the node, or the node said no. Its message is a sentence for people. */
export class NodeError extends Error {
  override name = "NodeError";
  /** Whose code it is; empty where it is HTTP's or JSON-RPC's. */
  readonly codespace: string;
  readonly code: number;
  /** The block that the refused transaction is in; 0 where it is in none. */
  readonly height: number;

  constructor(message: string, code = 0, codespace = "", height = 0) {
    super(message);
    this.code = code;
    this.codespace = codespace;
    this.height = height;
  }
}

/**
 * A request. The node may have closed a connection that was kept open, which only the next request shows: what may be said
 * twice is said again then, once.
 */
async function ask(url: string, init: RequestInit, twice: boolean): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch {
    if (twice) return ask(url, init, false);
    throw new NodeError(`${url} does not answer; is the node running there?`);
  }
}

/** JSON whose shape the caller states. */
export type Json = any;

/** Calls a method of the RPC. */
export async function call(rpc: string, method: string, params: Record<string, unknown> = {}): Promise<Json> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await ask(rpc, { method: "POST", headers: { "content-type": "application/json" }, body }, method !== "broadcast_tx_sync");
  const answer = (await response.json().catch(() => undefined)) as Json;
  if (answer?.error) {
    const { message = "", data = "", code = 0 } = answer.error;
    throw new NodeError(`The node refused ${method}: ${[message, data].filter(Boolean).join(": ")}.`, code);
  }
  if (answer?.result === undefined)
    throw new NodeError(`The node's answer to ${method} cannot be read.`, response.status);
  return answer.result;
}

/** A request to the REST port; answers with the body's bytes. A refusal's own sentence becomes the error's. */
export async function rest(url: string, init: RequestInit = {}): Promise<Uint8Array> {
  const response = await ask(url, init, true);
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.ok) return body;
  let sentence = new TextDecoder().decode(body.subarray(0, 2000));
  try {
    sentence = (JSON.parse(sentence) as Json).message ?? sentence;
  } catch {
    // Not JSON: the text is what there is to show.
  }
  throw new NodeError(`The node refused: ${sentence}.`, response.status);
}
