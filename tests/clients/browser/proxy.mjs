// A proxy in front of a node's REST port that can lie about one receipt.
import { createServer, request } from "node:http";
import { connect } from "node:net";

/** CBOR: the text `present`, before true (0xf5) or false (0xf4). */
const PRESENT = Buffer.from("\x67present", "latin1");

/** Turns the first answer of a receipt around: one byte. */
export function forge(receipt) {
  const at = receipt.indexOf(PRESENT) + PRESENT.length;
  if (at < PRESENT.length) return undefined;
  const forged = Buffer.from(receipt);
  forged[at] ^= 1;
  return forged;
}

/**
 * @param {string} target the node's REST port, such as `http://127.0.0.1:1317`
 * @returns {Promise<{ url: string, lie: boolean, lies: number, stop: () => void }>}
 */
export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  const state = { url: "", lie: false, lies: 0, stop: () => {} };
  const server = createServer((incoming, outgoing) => {
    const { method, url: path } = incoming;
    // The answer is to come as plain text.
    const headers = { ...incoming.headers, host: `${hostname}:${port}`, "accept-encoding": "identity" };
    const forwarded = request({ hostname, port, method, path, headers }, async (answer) => {
      const pieces = [];
      for await (const piece of answer) pieces.push(piece);
      let body = Buffer.concat(pieces);
      const value = /"value":\s*"([A-Za-z0-9+/=]+)"/.exec(path === "/rpc" ? body.toString("latin1") : "")?.[1];
      const forged = state.lie && value ? forge(Buffer.from(value, "base64")) : undefined;
      if (forged) {
        body = Buffer.from(body.toString("latin1").replace(value, forged.toString("base64")), "latin1");
        state.lies++;
      }
      const { "content-length": _, "transfer-encoding": __, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, { ...kept, "content-length": body.length }).end(body);
    });
    forwarded.once("error", () => outgoing.writeHead(502).end());
    incoming.pipe(forwarded);
  });
  // WebSockets pass through as they are.
  server.on("upgrade", (incoming, socket, head) => {
    const through = connect(Number(port), hostname, () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let at = 0; at < incoming.rawHeaders.length; at += 2)
        lines.push(`${incoming.rawHeaders[at]}: ${incoming.rawHeaders[at + 1]}`);
      through.write(`${lines.join("\r\n")}\r\n\r\n`);
      through.write(head);
      socket.pipe(through).pipe(socket);
    });
    through.on("error", () => socket.destroy());
    socket.on("error", () => through.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.url = `http://127.0.0.1:${server.address().port}`;
  state.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return state;
}
